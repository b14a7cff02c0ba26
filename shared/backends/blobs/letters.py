"""Dead letters as Event Grid writes them into a container."""

import itertools

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from shared.backends.blobs.account import Account, repeated, said
from shared.errors import Conflict


class BlobLetters:
    """`Letters` in the container `signalbox-dead-letter`."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._container = account.container("dead-letter")

    async def waiting(self, most: int) -> list[tuple[str, bytes]]:
        """Return names and contents of at most `most` letters, sorted by name."""
        return await self._account.do(self._waiting, most)

    async def forget(self, name: str) -> None:
        """Remove a letter."""
        await self._account.do(self._forget, name)

    def _waiting(self, most: int) -> list[tuple[str, bytes]]:
        try:
            # A listing comes in the order of names, and the container holds what went wrong only.
            names = repeated(
                "the dead letters", lambda: list(itertools.islice(self._container.list_blob_names(), most))
            )
        except ResourceNotFoundError:
            return []
        return [(name, content) for name in names if (content := self._read(name)) is not None]

    def _read(self, name: str) -> bytes | None:
        try:
            return repeated(name, lambda: self._container.download_blob(name).readall())
        except HttpResponseError:
            # It is gone, or the account gives it to nobody now, as one that was moved to the archive.
            return None

    def _forget(self, name: str) -> None:
        try:
            repeated(name, lambda: self._container.delete_blob(name))
        except ResourceNotFoundError:
            return
        except HttpResponseError as error:
            what = f"the dead letter {name} is taken in and cannot be removed ({said(error)})"
            raise Conflict(f"{what}: lift its lease, or the policy that forbids it, and remove it") from error
