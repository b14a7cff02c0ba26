"""The ledger of one machine: streams and marks in one SQLite file."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from shared.backends.local.durable import locked
from shared.errors import Conflict, SignalboxError, Unavailable

_T = TypeVar("_T")

OPENING_SECONDS = 30.0

SCHEMA = """
create table if not exists rows (stream text, start integer, bytes blob not null, primary key (stream, start))
    without rowid;
create table if not exists marks (name text primary key, content blob not null) without rowid;
"""


Change = Callable[[sqlite3.Connection], int]


@dataclass
class _Asked:
    """A change that waits for its commit; `done` once it has its result or its error."""

    change: Change
    done: bool = False
    result: int = 0
    error: SignalboxError | None = None


class SqliteLedger:
    """`Ledger` in `<state>/ledger.db`; safe across threads and processes, durable when a call returns.

    A commit waits for the disk, so whatever was asked meanwhile is written by the next one, together.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / "ledger.db"
        self._waiting: deque[_Asked] = deque()
        # A thread for each of the two, so that a read waits for no commit, nor for anybody else's long work.
        self._writer, self._reader = (ThreadPoolExecutor(1, f"ledger-{kind}") for kind in ("writer", "reader"))
        self._open: dict[str, sqlite3.Connection] = {}

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes from position `start` to the end."""
        return await self._read(lambda connection: _tail(connection, stream, start))

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append in one transaction and return the new length; `Conflict` when `at` is not the length."""
        return await self._write(lambda connection: _append(connection, stream, lines, at))

    async def rewrite(self, stream: str, content: bytes, at: int) -> None:
        """Put other bytes in place of a whole stream, for a redaction; `Conflict` unless it is `at` bytes long."""
        await self._write(lambda connection: _rewrite(connection, stream, content, at))
        # What stood there is still in the log, until that is written into the file and cut.
        await asyncio.get_running_loop().run_in_executor(self._writer, self._cut_log)

    async def streams(self, prefix: str) -> list[str]:
        """List the names of streams, sorted."""
        rows = await self._rows("select distinct stream from rows order by stream")
        return [name for (name,) in rows if name.startswith(prefix)]

    async def lengths(self, prefix: str) -> dict[str, int]:
        """Return the length of every stream whose name begins with `prefix`."""
        # Of the row that has the largest start, as SQLite promises for a bare column beside max().
        query = "select stream, max(start) + length(bytes) from rows group by stream order by stream"
        return {name: length for name, length in await self._rows(query) if name.startswith(prefix)}

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark if it is absent."""
        query = "insert or ignore into marks values (?, ?)"
        return await self._write(lambda connection: connection.execute(query, (name, content)).rowcount) == 1

    async def unmark(self, name: str) -> None:
        """Remove a mark."""
        query = "delete from marks where name = ?"
        await self._write(lambda connection: connection.execute(query, (name,)).rowcount)

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List marks with their contents, sorted by name."""
        rows = await self._rows("select name, content from marks order by name")
        return [(name, bytes(content)) for name, content in rows if name.startswith(prefix)]

    async def _rows(self, query: str) -> list[tuple[Any, ...]]:
        return await self._read(lambda connection: connection.execute(query).fetchall())

    async def _read(self, look: Callable[[sqlite3.Connection], _T]) -> _T:
        def looked() -> _T:
            with self._usable("reader") as connection:
                return look(connection)

        return await asyncio.get_running_loop().run_in_executor(self._reader, looked)

    async def _write(self, change: Change) -> int:
        asked = _Asked(change)
        self._waiting.append(asked)
        await asyncio.get_running_loop().run_in_executor(self._writer, self._written, asked)
        if asked.error is not None:
            raise asked.error
        return asked.result

    def _written(self, asked: _Asked) -> None:
        # It may have been written together with what was asked before it.
        if not asked.done:
            self._commit()

    def _commit(self) -> None:
        """Write everything that waits, in one transaction; a conflict of one change is its own."""
        together = [self._waiting.popleft() for _ in range(len(self._waiting))]
        for asked in together:
            asked.error = Unavailable(f"the ledger {self._path.name} ended before it was written")
        try:
            with self._usable("writer") as connection:
                connection.execute("begin immediate")
                with connection:
                    found = [_changed(connection, asked.change) for asked in together]
            # Only what was committed is answered.
            for asked, (result, conflict) in zip(together, found, strict=True):
                asked.result, asked.error = result, conflict
        except Unavailable as away:
            for asked in together:
                asked.error = away
        finally:
            for asked in together:
                asked.done = True

    def _cut_log(self) -> None:
        with self._usable("writer") as connection:
            (busy, _, _) = connection.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise Unavailable(
                f"what was redacted stands in the log of {self._path.name} until nobody reads it any more"
            )

    @contextmanager
    def _usable(self, kind: str) -> Iterator[sqlite3.Connection]:
        """Lend a connection that stays open: to close it after each call would checkpoint the log each time."""
        try:
            connection = self._open[kind] = self._open.get(kind) or _connect(self._path)
            yield connection
        except sqlite3.OperationalError as error:
            raise Unavailable(f"the ledger {self._path.name} could not be used: {error}") from error


def _changed(connection: sqlite3.Connection, change: Change) -> tuple[int, Conflict | None]:
    try:
        return change(connection), None
    except Conflict as conflict:
        return 0, conflict


def _append(connection: sqlite3.Connection, stream: str, lines: bytes, at: int | None) -> int:
    length = _length(connection, stream)
    if at is not None and at != length:
        raise Conflict(f"{stream} is {length} bytes long, not {at}: something else was recorded first")
    if lines:
        connection.execute("insert into rows values (?, ?, ?)", (stream, length, lines))
    return length + len(lines)


def _rewrite(connection: sqlite3.Connection, stream: str, content: bytes, at: int) -> int:
    # Nothing is appended by this, and what is not as long as it was is a conflict.
    _append(connection, stream, b"", at)
    connection.execute("delete from rows where stream = ?", (stream,))
    return _append(connection, stream, content, 0)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    connection = sqlite3.connect(path, timeout=30.0, isolation_level=None, check_same_thread=False)
    # Two processes that open a new file at once: SQLite does not wait for the switch to WAL, it says "locked".
    with locked(path.with_suffix(".opening"), OPENING_SECONDS):
        connection.execute("pragma journal_mode = wal")
        connection.executescript(SCHEMA)
    connection.execute("pragma synchronous = full")
    # What a redaction takes out is overwritten with zeros, and not only forgotten.
    connection.execute("pragma secure_delete = on")
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
