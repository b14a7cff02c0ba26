"""Ledger and artifacts that end with the process: for tests and trials."""

import hashlib
import threading

from shared.errors import Conflict, NotFound


class MemoryLedger:
    """`Ledger` in two dictionaries; safe across threads."""

    def __init__(self) -> None:
        self._streams: dict[str, bytes] = {}
        self._marks: dict[str, bytes] = {}
        self._lock = threading.Lock()

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes from position `start` to the end."""
        with self._lock:
            return self._streams.get(stream, b"")[start:]

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append and return the new length; `Conflict` when `at` is not the length."""
        with self._lock:
            present = self._streams.get(stream, b"")
            if at is not None and at != len(present):
                raise Conflict(f"{stream} is {len(present)} bytes long, not {at}: something else was recorded first")
            if lines:
                self._streams[stream] = present + lines
            return len(present) + len(lines)

    async def rewrite(self, stream: str, content: bytes, at: int) -> None:
        """Put other bytes in place of a whole stream, for a redaction; `Conflict` unless it is `at` bytes long."""
        await self.append(stream, b"", at)
        self.put_back(stream, content)

    def put_back(self, stream: str, content: bytes) -> None:
        """Let a stream be what a backup holds, or what somebody made of it."""
        with self._lock:
            self._streams[stream] = content

    async def streams(self, prefix: str) -> list[str]:
        """List the names of streams, sorted."""
        with self._lock:
            return sorted(name for name in self._streams if name.startswith(prefix))

    async def lengths(self, prefix: str) -> dict[str, int]:
        """Return the length of every stream whose name begins with `prefix`."""
        with self._lock:
            return {name: len(held) for name, held in sorted(self._streams.items()) if name.startswith(prefix)}

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark if it is absent."""
        with self._lock:
            absent = name not in self._marks
            self._marks.setdefault(name, content)
            return absent

    async def unmark(self, name: str) -> None:
        """Remove a mark."""
        with self._lock:
            self._marks.pop(name, None)

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List marks with their contents, sorted by name."""
        with self._lock:
            return sorted(item for item in self._marks.items() if item[0].startswith(prefix))


class MemoryCheckpoints:
    """`Checkpoints` in a dictionary."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    async def names(self) -> list[str]:
        """List what is there, sorted."""
        return sorted(self.kept)

    async def get(self, name: str) -> bytes:
        """Return one; `NotFound` when it is not there."""
        try:
            return self.kept[name]
        except KeyError:
            raise NotFound(f"there is no {name}") from None

    async def put(self, name: str, content: bytes) -> bool:
        """Create one; False when the name is taken."""
        return self.kept.setdefault(name, content) is content


class MemoryLetters:
    """`Letters` in a dictionary; whoever plays Event Grid puts them there."""

    def __init__(self) -> None:
        self.letters: dict[str, bytes] = {}

    async def waiting(self, most: int) -> list[tuple[str, bytes]]:
        """Return names and contents of at most `most` letters, sorted by name."""
        return sorted(self.letters.items())[:most]

    async def forget(self, name: str) -> None:
        """Remove a letter."""
        self.letters.pop(name, None)


class MemoryArtifacts:
    """`Artifacts` in a dictionary."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    async def put(self, content: bytes) -> str:
        """Store and return `sha256:<64 hex>`."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.contents[digest] = content
        return digest

    async def get(self, digest: str) -> bytes:
        """Return the bytes; `NotFound` when absent."""
        try:
            return self.contents[digest]
        except KeyError:
            raise NotFound(f"there is no artifact {digest}") from None
