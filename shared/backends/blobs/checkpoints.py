"""Checkpoints in a container, which a policy may forbid anybody to change."""

from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from shared.backends.blobs.account import Account, make, repeated
from shared.errors import NotFound

CONTAINER = "signalbox-checkpoints"


class BlobCheckpoints:
    """`Checkpoints` as block blobs, made on condition that they are not there."""

    def __init__(self, account: Account, container: str = CONTAINER) -> None:
        self._account = account
        self._container = account.data(container)

    @staticmethod
    def named(place: str, **options: Any) -> "BlobCheckpoints":
        """Return the place that a connection string or a URL names; a URL may end in the container's name."""
        if not place.startswith(("https://", "http://")):
            return BlobCheckpoints(Account(place, **options))
        parts = urlsplit(place)
        account = Account(f"{parts.scheme}://{parts.netloc}", **options)
        return BlobCheckpoints(account, parts.path.strip("/") or CONTAINER)

    async def names(self) -> list[str]:
        """List what is there, sorted."""
        return sorted(await self._account.do(self._names))

    async def get(self, name: str) -> bytes:
        """Return one; `NotFound` when it is not there."""
        return await self._account.do(self._get, name)

    async def put(self, name: str, content: bytes) -> bool:
        """Create one; False when the name is taken by something else."""
        return await self._account.do(self._put, name, content)

    def _names(self) -> list[str]:
        try:
            return repeated("the list of checkpoints", lambda: list(self._container.list_blob_names()))
        except ResourceNotFoundError:
            return []

    def _get(self, name: str) -> bytes:
        try:
            return repeated(name, lambda: self._container.get_blob_client(name).download_blob().readall())
        except ResourceNotFoundError:
            raise NotFound(f"there is no {name} in {self._container.container_name}") from None

    def _put(self, name: str, content: bytes) -> bool:
        blob = self._container.get_blob_client(name)
        try:
            try:
                repeated(name, lambda: blob.upload_blob(content, overwrite=False))
            except ResourceNotFoundError:
                make(self._container)
                repeated(name, lambda: blob.upload_blob(content, overwrite=False))
        except (ResourceExistsError, ResourceModifiedError):
            # Ours, if an answer was lost: no two checkpoints are alike.
            return self._get(name) == content
        return True
