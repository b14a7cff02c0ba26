"""Dead letters as files, where the local topic puts them."""

import asyncio
from contextlib import suppress
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
        found = (path for path in self._folder.rglob("*.json") if path.is_file() and not path.is_symlink())
        names = sorted(path.relative_to(self._folder).as_posix() for path in found)
        waiting: list[tuple[str, bytes]] = []
        # What is no text could be recorded nowhere.
        for name in [each for each in names if each.isprintable()][:most]:
            with suppress(FileNotFoundError):
                waiting.append((name, (self._folder / name).read_bytes()))
        return waiting
