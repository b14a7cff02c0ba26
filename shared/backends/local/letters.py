"""Dead letters as files, where the local topic puts them."""

import asyncio
from pathlib import Path

from shared.backends.local import trees


class FileLetters:
    """`Letters` in `<state>/data/signalbox-dead-letter`."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "data" / "signalbox-dead-letter"

    async def waiting(self, most: int) -> list[tuple[str, bytes]]:
        """Return names and contents of at most `most` letters, sorted by name."""
        return await asyncio.to_thread(self._waiting, most)

    async def forget(self, name: str) -> None:
        """Remove a letter."""
        await asyncio.to_thread(trees.below(self._folder, name).unlink, missing_ok=True)

    def _waiting(self, most: int) -> list[tuple[str, bytes]]:
        names = sorted(path.relative_to(self._folder).as_posix() for path in self._folder.rglob("*.json"))
        return [(name, (self._folder / name).read_bytes()) for name in names[:most]]
