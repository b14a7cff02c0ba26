"""Blobs in the containers of a storage account: the same endpoint and the same announcements as for files."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobProperties

from shared.backends.blobs.account import OURS, Account, make, repeated
from tools.local.blobs import Blob

# No subscription of anybody is about these, and they hold a blob for each stream and mark.
_UNSEEN = (f"{OURS}ledger", f"{OURS}marks", f"{OURS}artifacts")


class Containers:
    """The place of blobs that are in one storage account."""

    def __init__(self, connection: str) -> None:
        self._account = Account(connection)

    def keep(self, draft: Path, parts: Sequence[str]) -> Blob:
        """Upload the file `draft`; a container is made with its first blob."""
        container, path = parts[0], "/".join(parts[1:])
        client = self._account.data(container).get_blob_client(path)

        def upload() -> Mapping[str, Any]:
            with draft.open("rb") as file:
                return client.upload_blob(file, overwrite=True)

        try:
            told = repeated(path, upload)
        except ResourceNotFoundError:
            make(self._account.data(container))
            told = repeated(path, upload)
        return _blob(container, path, told["last_modified"], draft.stat().st_size, told["etag"])

    def read(self, parts: Sequence[str], whole: bool) -> tuple[Blob, Iterator[bytes] | None]:
        """Return a blob and, if `whole`, its bytes piece by piece."""
        container, path = parts[0], "/".join(parts[1:])
        client = self._account.data(container).get_blob_client(path)
        try:
            if not whole:
                return _seen(container, path, repeated(path, client.get_blob_properties)), None
            found = repeated(path, client.download_blob)
        except ResourceNotFoundError:
            raise FileNotFoundError(path) from None
        return _seen(container, path, found.properties), found.chunks()

    def blobs(self) -> Iterator[Blob]:
        """Return every blob of every container but those of the ledger, its marks and the artifacts."""
        for container in self._account.containers():
            if container not in _UNSEEN:
                yield from self._below(container)

    def _below(self, container: str) -> Iterator[Blob]:
        try:
            found = repeated(container, lambda: list(self._account.data(container).list_blobs()))
        except ResourceNotFoundError:
            return
        yield from (_seen(container, one.name, one) for one in found)


def _seen(container: str, path: str, found: BlobProperties) -> Blob:
    return _blob(container, path, found.last_modified, found.size, found.etag or "")


def _blob(container: str, path: str, written: datetime, size: int, etag: str) -> Blob:
    # A listing gives it without quotes.
    return Blob(container, path, int(written.timestamp() * 1_000_000_000), size, f'"{etag.strip(chr(34))}"')
