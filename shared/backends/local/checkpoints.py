"""Checkpoints in a folder: on another disk, or one that another machine gathers."""

import asyncio
import os
import tempfile
from pathlib import Path

from shared.backends.local.durable import sync_folder
from shared.errors import NotFound, Unavailable


class FolderCheckpoints:
    """`Checkpoints` as files that nobody changes any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def names(self) -> list[str]:
        """List what is there, sorted."""
        return await asyncio.to_thread(self._names)

    async def get(self, name: str) -> bytes:
        """Return one; `NotFound` when it is not there."""
        try:
            return await asyncio.to_thread((self._folder / name).read_bytes)
        except FileNotFoundError:
            raise NotFound(f"there is no {name} in {self._folder}") from None

    async def put(self, name: str, content: bytes) -> bool:
        """Create one; False when the name is taken."""
        return await asyncio.to_thread(self._put, name, content)

    def _names(self) -> list[str]:
        try:
            return sorted(path.name for path in self._folder.iterdir() if not path.name.startswith("."))
        except FileNotFoundError:
            return []

    def _put(self, name: str, content: bytes) -> bool:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fchmod(handle, 0o400)
                    os.fsync(handle)
                # A link is made only where there is none: of two that write at once, one is first.
                os.link(temporary, self._folder / name)
            finally:
                os.unlink(temporary)
            sync_folder(self._folder)
        except FileExistsError:
            return False
        except OSError as error:
            raise Unavailable(f"the checkpoints in {self._folder} cannot be written: {error}") from error
        return True
