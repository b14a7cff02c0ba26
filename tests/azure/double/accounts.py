"""The workspace's default storage account: as much of Blob Storage as uploads and downloads of the SDK use.

Blobs are files below the folder of the double; a signature in the query is taken as it comes, a missing one is refused.
"""

import base64
import hashlib
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from xml.etree import ElementTree

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, route

HOST = "*.blob.core.windows.net"


@area("accounts")
class Accounts:
    """Where blobs are kept, and the addresses under which they are handed out."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._folder = azure.folder / "blobs"
        self._blocks: dict[tuple[str, str], bytes] = {}

    def file(self, account: str, container: str, blob: str) -> Path:
        """Return where a blob is kept; the name may hold slashes, and nothing that leaves the container."""
        at = (self._folder / account / container / blob).resolve()
        if not at.is_relative_to(self._folder.resolve() / account / container):
            raise ValueError(f"{blob} leaves its container")
        return at

    def put(self, container: str, blob: str, content: bytes, account: str = "") -> None:
        """Keep a blob, by default in the workspace's own account."""
        at = self.file(account or self._azure.settings.storage, container, blob)
        at.parent.mkdir(parents=True, exist_ok=True)
        at.write_bytes(content)

    def get(self, container: str, blob: str, account: str = "") -> bytes | None:
        """Return a blob's bytes, None when it is not there."""
        at = self.file(account or self._azure.settings.storage, container, blob)
        return at.read_bytes() if at.is_file() else None

    def url(self, container: str, blob: str, may: str = "r") -> str:
        """Return an address with a signature that lets its bearer at one blob."""
        host = f"{self._azure.settings.storage}.blob.core.windows.net"
        return f"https://{host}/{container}/{blob}?sv=2023-11-03&sr=b&sp={may}&se=2099-01-01T00%3A00%3A00Z&sig=signed"

    def put_block(self, at: Path, name: str, content: bytes) -> None:
        """Keep a block until its list comes."""
        self._blocks[str(at), name] = content

    def block(self, at: Path, name: str) -> bytes:
        """Return a block that was put."""
        return self._blocks.pop((str(at), name))


def _refused() -> Answer:
    text = b"<?xml version='1.0'?><Error><Code>AuthenticationFailed</Code><Message>No signature.</Message></Error>"
    return Answer(403, text, {"x-ms-error-code": "AuthenticationFailed", "content-type": "application/xml"})


def _absent() -> Answer:
    text = b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code><Message>The blob does not exist.</Message></Error>"
    return Answer(404, text, {"x-ms-error-code": "BlobNotFound", "content-type": "application/xml"})


def _headers(at: Path, content: bytes) -> dict[str, str]:
    changed = datetime.fromtimestamp(at.stat().st_mtime, UTC)
    return {
        "etag": f'"0x{hashlib.md5(content).hexdigest()[:15].upper()}"',
        "last-modified": format_datetime(changed, usegmt=True),
        "content-type": "application/octet-stream",
        "x-ms-blob-type": "BlockBlob",
        "x-ms-version": "2023-11-03",
    }


def _at(azure: Azure, request: Request, container: str, blob: str) -> Path:
    return azure.accounts.file(request.host.partition(".")[0], container, blob)


@route("PUT", "/{container}/{blob:path}", host=HOST)
def put(azure: Azure, request: Request, container: str, blob: str) -> Answer:
    """Take a blob, a block of one, or the list of its blocks."""
    at = _at(azure, request, container, blob)
    part = request.query.get("comp", "")
    if part == "block":
        azure.accounts.put_block(at, request.query["blockid"], request.body)
        return Answer(201, headers=_checked(request.body))
    content = request.body
    if part == "blocklist":
        names = [str(each.text) for each in ElementTree.fromstring(request.body)]
        content = b"".join(azure.accounts.block(at, name) for name in names)
    at.parent.mkdir(parents=True, exist_ok=True)
    at.write_bytes(content)
    return Answer(201, headers=_headers(at, content) | _checked(request.body))


def _checked(content: bytes) -> dict[str, str]:
    return {"content-md5": base64.b64encode(hashlib.md5(content).digest()).decode()}


@route("HEAD", "/{container}/{blob:path}", host=HOST)
def head(azure: Azure, request: Request, container: str, blob: str) -> Answer:
    """Say how large a blob is."""
    at = _at(azure, request, container, blob)
    if not at.is_file():
        return _absent()
    content = at.read_bytes()
    return Answer(200, headers=_headers(at, content) | {"content-length": str(len(content))})


@route("DELETE", "/{container}/{blob:path}", host=HOST)
def delete(azure: Azure, request: Request, container: str, blob: str) -> Answer:
    """Take a blob away."""
    at = _at(azure, request, container, blob)
    if not at.is_file():
        return _absent()
    at.unlink()
    return Answer(202)


@route("GET", "/", host="*.queue.core.windows.net")
def queues(azure: Azure, request: Request) -> Answer:
    """List the queues of an account: there are none."""
    text = b"<?xml version='1.0'?><EnumerationResults><Queues /><NextMarker /></EnumerationResults>"
    return Answer(200, text, {"content-type": "application/xml"})


@route("GET", "/{container}/{blob:path}", host=HOST)
def get(azure: Azure, request: Request, container: str, blob: str) -> Answer:
    """Give a blob, or a range of its bytes."""
    at = _at(azure, request, container, blob)
    if not at.is_file():
        return _absent()
    content = at.read_bytes()
    if request.headers.get("if-match", "*") not in ("*", _headers(at, content)["etag"]):
        return Answer(412, b"", {"x-ms-error-code": "ConditionNotMet"})
    asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("x-ms-range") or request.headers.get("range", ""))
    if not asked:
        return Answer(200, content, _headers(at, content))
    first, last = int(asked[1]), min(int(asked[2] or len(content)), len(content) - 1)
    if first > last:
        return Answer(416, b"", {"x-ms-error-code": "InvalidRange"})
    spot = {"content-range": f"bytes {first}-{last}/{len(content)}"}
    return Answer(206, content[first : last + 1], _headers(at, content) | spot)
