"""Queue messages on disk: put, take under a lease, release, delete, poison."""

import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from tools.local.database import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS messages (
  id TEXT PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT NULL, inserted REAL NOT NULL, expires REAL,
  visible REAL NOT NULL, dequeues INTEGER NOT NULL DEFAULT 0, receipt TEXT);
CREATE INDEX IF NOT EXISTS by_queue ON messages (queue, visible);
"""
WEEK = 7 * 24 * 3600.0


@dataclass(frozen=True)
class Message:
    """A message under lease; times are seconds since 1970, `expires` None means never."""

    id: str
    queue: str
    body: str
    inserted: float
    expires: float | None
    visible: float
    dequeues: int
    receipt: str


class Store(Protocol):
    """Where the messages of queues are kept; times are seconds since 1970. Raises Unavailable when it is away."""

    lease: float

    def put(self, messages: Sequence[tuple[str, str]], now: float) -> None:
        """Add messages (queue, body), visible at once."""

    def take(self, queue: str, most: int, lease: float, now: float) -> Sequence[Message]:
        """Lease up to `most` visible messages for `lease` seconds."""

    def renew(self, message: Message, lease: float, now: float) -> Message:
        """Keep a lease; what is returned is the message to go on with."""

    def release(self, message: Message, delay: float, now: float) -> None:
        """Give a message back; it is visible again after `delay` seconds."""

    def delete(self, message: Message) -> None:
        """Take a message away for good."""

    def poison(self, message: Message, now: float) -> None:
        """Move a message to the poison queue of its queue."""

    def free_all(self, now: float) -> int:
        """Make visible what a host leased that is gone, if that can be known."""

    def next_visible(self, queue: str, now: float) -> float | None:
        """When to look again, None when nothing comes by itself."""


class QueueStore:
    """The queues in one SQLite file; each call is one transaction. Times are seconds since 1970."""

    lease = 600.0
    """As long as the real host's; what a host leased that is gone is free at once with `free_all`."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def put(self, messages: Sequence[tuple[str, str]], now: float) -> None:
        """Add all of `messages` (queue, body), visible at once, or none of them."""
        rows = [(str(uuid.uuid4()), queue, body, now, now + WEEK, now) for queue, body in messages]
        with transaction(self._db) as db:
            db.executemany("INSERT INTO messages (id,queue,body,inserted,expires,visible) VALUES (?,?,?,?,?,?)", rows)

    def take(self, queue: str, most: int, lease: float, now: float) -> Sequence[Message]:
        """Lease up to `most` visible messages of `queue` for `lease` seconds, oldest first."""
        with transaction(self._db) as db:
            db.execute("DELETE FROM messages WHERE queue=? AND expires<=?", (queue, now))
            rows = db.execute(
                "SELECT id FROM messages WHERE queue=? AND visible<=? ORDER BY visible, rowid LIMIT ?",
                (queue, now, most),
            ).fetchall()
            return [self._lease(db, row["id"], now + lease) for row in rows]

    @staticmethod
    def _lease(db: sqlite3.Connection, message: str, until: float) -> Message:
        row = db.execute(
            "UPDATE messages SET visible=?, dequeues=dequeues+1, receipt=? WHERE id=? RETURNING *",
            (until, str(uuid.uuid4()), message),
        ).fetchone()
        return Message(**dict(row))

    def renew(self, message: Message, lease: float, now: float) -> Message:
        """Keep the lease of `message` for `lease` seconds from now; what is returned is the one to go on with."""
        ours = self._change("UPDATE messages SET visible=? WHERE id=? AND receipt=?", (now + lease,), message)
        return replace(message, visible=now + lease) if ours else message

    def release(self, message: Message, delay: float, now: float) -> None:
        """Give `message` back; it is visible again after `delay` seconds."""
        self._change("UPDATE messages SET visible=?, receipt=NULL WHERE id=? AND receipt=?", (now + delay,), message)

    def delete(self, message: Message) -> None:
        """The work is done; `message` does not come again."""
        self._change("DELETE FROM messages WHERE id=? AND receipt=?", (), message)

    def poison(self, message: Message, now: float) -> None:
        """Move `message` to its poison queue, where it never expires."""
        sql = (
            "UPDATE messages SET queue=queue||'-poison', visible=?, inserted=?, expires=NULL, dequeues=0, receipt=NULL"
            " WHERE id=? AND receipt=?"
        )
        self._change(sql, (now, now), message)

    def free_all(self, now: float) -> int:
        """Make visible what a host leased that is gone; the number of messages. Delayed ones keep their time."""
        with transaction(self._db) as db:
            sql = "UPDATE messages SET visible=?, receipt=NULL WHERE receipt IS NOT NULL"
            return db.execute(sql, (now,)).rowcount

    def next_visible(self, queue: str, now: float) -> float | None:
        """When the next message of `queue` becomes visible, or None for an empty queue."""
        row = self._db.execute("SELECT MIN(visible) AS at FROM messages WHERE queue=?", (queue,)).fetchone()
        return None if row["at"] is None else float(row["at"])

    def count(self, queue: str) -> int:
        """How many messages `queue` holds, leased and delayed ones included."""
        return int(self._db.execute("SELECT COUNT(*) FROM messages WHERE queue=?", (queue,)).fetchone()[0])

    def _change(self, sql: str, values: tuple[float, ...], message: Message) -> bool:
        """Change a message; False when its lease is not ours any more."""
        with transaction(self._db) as db:
            return db.execute(sql, (*values, message.id, message.receipt)).rowcount == 1
