"""The ledger of one machine: streams and marks in one SQLite file."""

import asyncio
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.backends.local.durable import locked
from shared.errors import Conflict, Unavailable

OPENING_SECONDS = 30.0

SCHEMA = """
create table if not exists rows (stream text, start integer, bytes blob not null, primary key (stream, start))
    without rowid;
create table if not exists marks (name text primary key, content blob not null) without rowid;
"""


class SqliteLedger:
    """`Ledger` in `<state>/ledger.db`; safe across threads and processes, durable when a call returns."""

    def __init__(self, state: Path) -> None:
        self._path = state / "ledger.db"
        self._lock = threading.Lock()
        self._open: sqlite3.Connection | None = None

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes from position `start` to the end."""
        return await asyncio.to_thread(self._read, stream, start)

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append in one transaction and return the new length; `Conflict` when `at` is not the length."""
        return await asyncio.to_thread(self._append, stream, lines, at)

    async def streams(self, prefix: str) -> list[str]:
        """List the names of streams, sorted."""
        return await asyncio.to_thread(self._streams, prefix)

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark if it is absent."""
        return await asyncio.to_thread(self._mark, name, content)

    async def unmark(self, name: str) -> None:
        """Remove a mark."""
        await asyncio.to_thread(self._unmark, name)

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List marks with their contents, sorted by name."""
        return await asyncio.to_thread(self._marks, prefix)

    def _read(self, stream: str, start: int) -> bytes:
        with self._connection() as connection:
            return _tail(connection, stream, start)

    def _append(self, stream: str, lines: bytes, at: int | None) -> int:
        with self._connection(write=True) as connection:
            length = _length(connection, stream)
            if at is not None and at != length:
                raise Conflict(f"{stream} is {length} bytes long, not {at}: something else was recorded first")
            if lines:
                connection.execute("insert into rows values (?, ?, ?)", (stream, length, lines))
            return length + len(lines)

    def _streams(self, prefix: str) -> list[str]:
        with self._connection() as connection:
            rows = connection.execute("select distinct stream from rows order by stream").fetchall()
        return [name for (name,) in rows if name.startswith(prefix)]

    def _mark(self, name: str, content: bytes) -> bool:
        with self._connection(write=True) as connection:
            return connection.execute("insert or ignore into marks values (?, ?)", (name, content)).rowcount == 1

    def _unmark(self, name: str) -> None:
        with self._connection(write=True) as connection:
            connection.execute("delete from marks where name = ?", (name,))

    def _marks(self, prefix: str) -> list[tuple[str, bytes]]:
        with self._connection() as connection:
            rows = connection.execute("select name, content from marks order by name").fetchall()
        return [(name, bytes(content)) for name, content in rows if name.startswith(prefix)]

    @contextmanager
    def _connection(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        """Lend the one connection: opening and closing it for each call would checkpoint the log each time."""
        with self._lock:
            try:
                connection = self._open = self._open or _connect(self._path)
                if not write:
                    yield connection
                    return
                connection.execute("begin immediate")
                with connection:
                    yield connection
            except sqlite3.OperationalError as error:
                raise Unavailable(f"the ledger {self._path.name} could not be used: {error}") from error


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    # Two processes that open a new file at once: SQLite does not wait for the switch to WAL, it says "locked".
    with locked(path.with_suffix(".opening"), OPENING_SECONDS):
        connection.execute("pragma journal_mode = wal")
        connection.executescript(SCHEMA)
    connection.execute("pragma synchronous = full")
    path.chmod(0o600)
    return connection


def _length(connection: sqlite3.Connection, stream: str) -> int:
    query = "select start + length(bytes) from rows where stream = ? order by start desc limit 1"
    row = connection.execute(query, (stream,)).fetchone()
    return int(row[0]) if row else 0


def _tail(connection: sqlite3.Connection, stream: str, start: int) -> bytes:
    # A position may lie within an appended piece, as it may within a block of an append blob.
    query = """
        select start, bytes from rows where stream = :stream and start >= coalesce(
            (select max(start) from rows where stream = :stream and start <= :start), 0) order by start"""
    rows = connection.execute(query, {"stream": stream, "start": start}).fetchall()
    return b"".join(piece for _, piece in rows)[start - rows[0][0] :] if rows else b""
