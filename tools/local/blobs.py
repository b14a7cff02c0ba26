"""The blob endpoint: `PUT|GET|HEAD /data/{container}/{path}`, over files or a storage account."""

import asyncio
import hashlib
import mimetypes
import os
import re
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from shared.errors import Unavailable
from tools.local.front import offered
from tools.local.keys import Keys

LIMIT = 1024**3
PIECE = 1024 * 1024
_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
UNFINISHED = (".part", ".tmp")


class BadName(ValueError):
    """A container or blob name that is refused; the message says why."""


@dataclass(frozen=True)
class Blob:
    """A blob: `size` in bytes, `mtime_ns` in nanoseconds since 1970, `told` the ETag that a storage account gave it."""

    container: str
    path: str
    mtime_ns: int
    size: int
    told: str = ""

    @property
    def etag(self) -> str:
        """Changes whenever it is written; quoted, as in HTTP."""
        return self.told or f'"{hashlib.sha256(f"{self.mtime_ns}-{self.size}".encode()).hexdigest()[:16]}"'

    @property
    def content_type(self) -> str:
        """What its name says it is."""
        return mimetypes.guess_type(self.path)[0] or "application/octet-stream"

    @property
    def address(self) -> str:
        """Its path below the endpoint, percent-encoded."""
        return f"/data/{self.container}/{quote(self.path)}"


def parts_of(container: str, path: str) -> Sequence[str]:
    """The names on the way to a blob; BadName for anything that is not a plain name below its container."""
    if not _CONTAINER.fullmatch(container):
        raise BadName(f"{container!r} is not a container: use 3 to 63 of a-z, 0-9 and -.")
    parts = path.split("/")
    for part in parts:
        if not part or part.startswith(".") or "\\" in part or not part.isprintable() or len(part.encode()) > 255:
            raise BadName(f"{path!r} is not a blob name: {part!r} is empty, hidden, too long or unprintable.")
    if parts[-1].endswith(UNFINISHED):
        raise BadName(f"{path!r} ends in .part or .tmp, which marks files that are still being written.")
    return [container, *parts]


class Place(Protocol):
    """Where blobs are kept. FileNotFoundError is what is not there, Unavailable what cannot be asked now."""

    def keep(self, draft: Path, parts: Sequence[str]) -> Blob:
        """Let the file `draft`, which goes, be the blob at `parts` (container, then the names on the way)."""

    def read(self, parts: Sequence[str], whole: bool) -> tuple[Blob, Iterator[bytes] | None]:
        """Return a blob and, if `whole`, its bytes piece by piece."""

    def blobs(self) -> Iterator[Blob]:
        """Return every blob that there is."""


class Blobs:
    """The blob endpoint over a place; `stored` is told of each blob put."""

    def __init__(self, state: Path, place: Place, keys: Keys, stored: Callable[[Blob], None]) -> None:
        self._place = place
        self._drafts = state / "incoming"
        self._keys = keys
        self._stored = stored
        self._drafts.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._drafts.iterdir():
            left.unlink()

    async def put(self, container: str, path: str, content: bytes) -> None:
        """Put a blob of our own as a client would: durable and told of; raises BadName, OSError and Unavailable."""
        parts, draft = parts_of(container, path), self._drafts / uuid.uuid4().hex

        def write() -> Blob:
            with draft.open("wb") as file:
                file.write(content)
                _flush(file)
            return self._place.keep(draft, parts)

        try:
            blob = await asyncio.to_thread(write)
        finally:
            draft.unlink(missing_ok=True)
        self._stored(blob)

    async def answer(self, request: Request) -> Response:
        """201 for a blob put, 200 with its bytes for one read; 400, 401, 404, 409, 413 and 503 say what is wrong."""
        if not self._keys.opens("function", offered(request)):
            return _told(401, "Send the function key of keys.json in the header x-functions-key.")
        container, path = request.path_params["container"], request.path_params["path"]
        try:
            parts = parts_of(container, path)
            if request.method == "PUT":
                return await self._put(request, parts)
            return await self._get(request, parts)
        except BadName as error:
            return _told(400, str(error))
        except FileNotFoundError:
            return _told(404, f"There is no blob {path} in {container}.")
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            return _told(409, f"{path} in {container} is, or goes through, something that is not a folder of blobs.")
        except Unavailable as error:
            return _told(503, str(error))

    async def _put(self, request: Request, parts: Sequence[str]) -> Response:
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > LIMIT:
            return _told(413, f"A blob may have {LIMIT} bytes.")
        draft = self._drafts / uuid.uuid4().hex
        try:
            with draft.open("wb") as file:
                if not await _receive(request, file):
                    return _told(413, f"A blob may have {LIMIT} bytes.")
                await asyncio.to_thread(_flush, file)
            blob = await asyncio.to_thread(self._place.keep, draft, parts)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            draft.unlink(missing_ok=True)
        self._stored(blob)
        told = {"name": f"{blob.container}/{blob.path}", "size": blob.size, "etag": blob.etag}
        return JSONResponse(told, 201, headers={"ETag": blob.etag})

    async def _get(self, request: Request, parts: Sequence[str]) -> Response:
        blob, pieces = await asyncio.to_thread(self._place.read, parts, request.method == "GET")
        headers = {"ETag": blob.etag, "Content-Length": str(blob.size), "Content-Type": blob.content_type}
        return Response(headers=headers) if pieces is None else StreamingResponse(pieces, headers=headers)


async def _receive(request: Request, file: Any) -> bool:
    """Write the body into `file`; False if it is over the limit."""
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        kept += chunk
        size += len(chunk)
        if size > LIMIT:
            return False
        if len(kept) >= PIECE:
            await asyncio.to_thread(file.write, bytes(kept))
            kept.clear()
    await asyncio.to_thread(file.write, bytes(kept))
    return True


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


def _told(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
