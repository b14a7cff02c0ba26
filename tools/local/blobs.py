"""Blobs as files: `PUT|GET|HEAD /data/{container}/{path}` over STATE/data."""

import asyncio
import hashlib
import mimetypes
import os
import re
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any
from urllib.parse import quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from tools.local.front import offered
from tools.local.keys import Keys

LIMIT = 1024**3
_PIECE = 1024 * 1024
_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
UNFINISHED = (".part", ".tmp")


class BadName(ValueError):
    """A container or blob name that is refused; the message says why."""


@dataclass(frozen=True)
class Blob:
    """A file under STATE/data as a blob: `size` in bytes, `mtime_ns` in nanoseconds since 1970."""

    container: str
    path: str
    mtime_ns: int
    size: int

    @property
    def etag(self) -> str:
        """Changes whenever the file is written; quoted, as in HTTP."""
        return f'"{hashlib.sha256(f"{self.mtime_ns}-{self.size}".encode()).hexdigest()[:16]}"'

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


class Blobs:
    """The blob endpoint; `stored` is told of each blob put."""

    def __init__(self, state: Path, keys: Keys, stored: Callable[[Blob], None]) -> None:
        self._data = state / "data"
        self._drafts = state / "incoming"
        self._keys = keys
        self._stored = stored
        for folder in (self._data, self._drafts):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._drafts.iterdir():
            left.unlink()

    async def answer(self, request: Request) -> Response:
        """201 for a blob put, 200 with its bytes for one read; 400, 401, 404, 409 and 413 say what is wrong."""
        if not self._keys.opens("function", offered(request)):
            return _told(401, "Send the function key of keys.json in the header x-functions-key.")
        container, path = request.path_params["container"], request.path_params["path"]
        try:
            parts = parts_of(container, path)
            if request.method == "PUT":
                return await self._put(request, parts)
            return self._get(request, parts)
        except BadName as error:
            return _told(400, str(error))
        except FileNotFoundError:
            return _told(404, f"There is no blob {path} in {container}.")
        except (IsADirectoryError, NotADirectoryError, FileExistsError):
            return _told(409, f"{path} in {container} is, or goes through, something that is not a folder of blobs.")

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
            blob = await asyncio.to_thread(self._move, draft, parts)
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            draft.unlink(missing_ok=True)
        self._stored(blob)
        told = {"name": f"{blob.container}/{blob.path}", "size": blob.size, "etag": blob.etag}
        return JSONResponse(told, 201, headers={"ETag": blob.etag})

    def _move(self, draft: Path, parts: Sequence[str]) -> Blob:
        with _folder(self._data, parts[:-1], make=True) as folder:
            with suppress(FileNotFoundError):
                found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
                if not S_ISREG(found.st_mode):
                    raise IsADirectoryError(parts[-1])
            os.rename(draft, parts[-1], dst_dir_fd=folder)
            os.fsync(folder)
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        return Blob(parts[0], "/".join(parts[1:]), found.st_mtime_ns, found.st_size)

    def _get(self, request: Request, parts: Sequence[str]) -> Response:
        with _folder(self._data, parts[:-1], make=False) as folder:
            try:
                handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError as error:
                raise FileNotFoundError(parts[-1]) from error
        found = os.fstat(handle)
        if not S_ISREG(found.st_mode):
            os.close(handle)
            raise FileNotFoundError(parts[-1])
        blob = Blob(parts[0], "/".join(parts[1:]), found.st_mtime_ns, found.st_size)
        headers = {"ETag": blob.etag, "Content-Length": str(blob.size), "Content-Type": blob.content_type}
        if request.method == "HEAD":
            os.close(handle)
            return Response(headers=headers)
        return StreamingResponse(_pieces(handle, blob.size), headers=headers)


@contextmanager
def _folder(data: Path, parts: Sequence[str], make: bool) -> Iterator[int]:
    """A handle on a folder below `data`, reached without following any link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    handle = os.open(data, flags)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=handle)
                    os.fsync(handle)
            deeper = os.open(part, flags, dir_fd=handle)
            os.close(handle)
            handle = deeper
        yield handle
    finally:
        os.close(handle)


async def _receive(request: Request, file: Any) -> bool:
    """Write the body into `file`; False if it is over the limit."""
    kept, size = bytearray(), 0
    async for chunk in request.stream():
        kept += chunk
        size += len(chunk)
        if size > LIMIT:
            return False
        if len(kept) >= _PIECE:
            await asyncio.to_thread(file.write, bytes(kept))
            kept.clear()
    await asyncio.to_thread(file.write, bytes(kept))
    return True


def _flush(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())


async def _pieces(handle: int, size: int) -> AsyncIterator[bytes]:
    with closing(os.fdopen(handle, "rb")) as file:
        while size > 0 and (piece := await asyncio.to_thread(file.read, min(_PIECE, size))):
            size -= len(piece)
            yield piece


def _told(status: int, message: str) -> Response:
    return JSONResponse({"error": message}, status)
