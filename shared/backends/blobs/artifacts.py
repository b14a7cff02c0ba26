"""The artifacts on block blobs: one each, named by its SHA-256."""

import hashlib
import re
import threading

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient

from shared.backends.blobs.account import Account, make, repeated
from shared.errors import NotFound, Unavailable

REMEMBERED = 32 * 1024 * 1024
"""Bytes of artifacts that a process remembers, the newest: every job of a release is given the same code."""


class BlobArtifacts:
    """`Artifacts` in the container `signalbox-artifacts`, as `sha256/<first two>/<hex>`.

    What was read or stored is remembered, up to so many bytes: its name says what it is, so it never changes.
    """

    def __init__(self, account: Account, remembers: int = REMEMBERED) -> None:
        self._account, self._most = account, remembers
        self._container = account.container("artifacts")
        self._remembered: dict[str, bytes] = {}
        self._turn = threading.Lock()

    async def put(self, content: bytes) -> str:
        """Store and return `sha256:<64 hex>`."""
        return await self._account.do(self.put_now, content)

    async def get(self, digest: str) -> bytes:
        """Return the bytes; `NotFound` when absent, `Unavailable` when the stored blob was changed."""
        return await self._account.do(self.get_now, digest)

    def put_now(self, content: bytes) -> str:
        """`put` for callers that are in a thread or a process of their own."""
        name = hashlib.sha256(content).hexdigest()
        blob, digest = self._blob(name), f"sha256:{name}"
        try:
            try:
                repeated(digest, lambda: blob.upload_blob(content, overwrite=False))
            except ResourceNotFoundError:
                make(self._container)
                repeated(digest, lambda: blob.upload_blob(content, overwrite=False))
        except (ResourceExistsError, ResourceModifiedError):
            _heal(blob, digest, content)
        self._remember(digest, content)
        return digest

    def get_now(self, digest: str) -> bytes:
        """`get` for callers that are in a thread or a process of their own."""
        if (known := self._remembered.get(digest)) is not None:
            return known
        if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
            raise NotFound(f"{digest!r} is not the name of an artifact; one looks like sha256:<64 hex digits>")
        name = digest.removeprefix("sha256:")
        try:
            content = repeated(digest, lambda: self._blob(name).download_blob().readall())
        except ResourceNotFoundError:
            raise NotFound(f"there is no artifact {digest}") from None
        except ResourceModifiedError as error:
            raise Unavailable(f"{digest} was put right while it was read; it is read again") from error
        if hashlib.sha256(content).hexdigest() != name:
            raise Unavailable(f"the stored bytes of {digest} were changed; restore that blob from a backup")
        self._remember(digest, content)
        return content

    def _remember(self, digest: str, content: bytes) -> None:
        # One that is larger would push out all the others, each time, and stay no more than they.
        if len(content) > self._most:
            return
        with self._turn:
            self._remembered[digest] = content
            while sum(map(len, self._remembered.values())) > self._most:
                del self._remembered[next(iter(self._remembered))]

    def _blob(self, name: str) -> BlobClient:
        return self._container.get_blob_client(f"sha256/{name[:2]}/{name}")


def _heal(blob: BlobClient, digest: str, content: bytes) -> None:
    """Put a damaged blob right, so that storing again heals it."""
    found = repeated(digest, blob.download_blob)
    if repeated(digest, found.readall) == content:
        return
    etag, same = found.properties.etag, MatchConditions.IfNotModified
    try:
        repeated(digest, lambda: blob.upload_blob(content, overwrite=True, etag=etag, match_condition=same))
    except ResourceModifiedError:
        # Somebody else put it right at the same time.
        return
