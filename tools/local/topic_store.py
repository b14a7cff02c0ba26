"""Events and their deliveries on disk: accepted once, delivered at least once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local.database import open_database, transaction

_SCHEMA = """
CREATE TABLE IF NOT EXISTS events (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, subject TEXT NOT NULL, body TEXT NOT NULL,
  accepted REAL NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
  seq INTEGER PRIMARY KEY, event INTEGER NOT NULL REFERENCES events, subscription TEXT NOT NULL,
  function TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'waiting', outcome TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS by_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS by_event ON deliveries (event);
"""
_KEEP = 14 * 24 * 3600.0


@dataclass(frozen=True)
class Event:
    """An accepted event; `body` is what a subscriber gets."""

    id: str
    type: str
    subject: str
    body: Mapping[str, Any]

    @property
    def is_cloud(self) -> bool:
        """Whether it is in the CloudEvents 1.0 schema."""
        return "specversion" in self.body


@dataclass(frozen=True)
class Due:
    """One event on its way to one subscription; `due` and `accepted` are seconds since 1970."""

    seq: int
    subscription: str
    function: str
    attempts: int
    due: float
    accepted: float
    event: Event


class TopicStore:
    """The topic's SQLite file; each call is one transaction."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def accept(self, events: Sequence[tuple[Event, Sequence[tuple[str, str]]]], now: float) -> None:
        """Keep every event with its deliveries (subscription, function), or none of them."""
        with transaction(self._db) as db:
            for event, wanted in events:
                row = (event.id, event.type, event.subject, json.dumps(event.body), now)
                seq = db.execute("INSERT INTO events (id,type,subject,body,accepted) VALUES (?,?,?,?,?)", row).lastrowid
                db.executemany(
                    "INSERT INTO deliveries (event,subscription,function,due) VALUES (?,?,?,?)",
                    [(seq, subscription, function, now) for subscription, function in wanted],
                )

    def waiting(self, most: int) -> Sequence[Due]:
        """The next `most` deliveries that are not over, soonest first; some may lie ahead."""
        rows = self._db.execute(
            "SELECT d.seq, d.subscription, d.function, d.attempts, d.due, e.accepted, e.id, e.type, e.subject, e.body"
            " FROM deliveries d JOIN events e ON e.seq=d.event WHERE d.state='waiting' ORDER BY d.due, d.seq LIMIT ?",
            (most,),
        ).fetchall()
        return [_due(dict(row)) for row in rows]

    def end(self, seq: int, attempts: int, state: str, outcome: str) -> None:
        """A delivery is over: `state` is delivered or dead."""
        self._change("UPDATE deliveries SET attempts=?, state=?, outcome=? WHERE seq=?", attempts, state, outcome, seq)

    def again(self, seq: int, attempts: int, due: float, outcome: str) -> None:
        """A delivery failed and is tried again at `due`."""
        self._change("UPDATE deliveries SET attempts=?, due=?, outcome=? WHERE seq=?", attempts, due, outcome, seq)

    def wake_all(self, now: float) -> None:
        """Everything that waits is due now; for a start after the topic was away."""
        self._change("UPDATE deliveries SET due=? WHERE state='waiting'", now)

    def forget_old(self, now: float) -> None:
        """Drop events of which nothing waits and that are older than two weeks."""
        with transaction(self._db) as db:
            old = (
                "SELECT seq FROM events e WHERE accepted<? AND NOT EXISTS"
                " (SELECT 1 FROM deliveries d WHERE d.event=e.seq AND d.state='waiting')"
            )
            db.execute(f"DELETE FROM deliveries WHERE event IN ({old})", (now - _KEEP,))
            db.execute(
                "DELETE FROM events WHERE accepted<? AND seq NOT IN (SELECT event FROM deliveries)", (now - _KEEP,)
            )

    def shown(self, most: int = 1000) -> Sequence[Mapping[str, Any]]:
        """The last `most` deliveries, oldest first; an event that nobody subscribed to has no subscription."""
        rows = self._db.execute(
            "SELECT e.id, e.type, e.subject, d.subscription, d.function, d.attempts, d.state, d.outcome, d.due"
            " FROM events e LEFT JOIN deliveries d ON d.event=e.seq ORDER BY e.seq DESC, d.seq DESC LIMIT ?",
            (most,),
        ).fetchall()
        return [dict(row) for row in reversed(rows)]

    def _change(self, sql: str, *values: Any) -> None:
        with transaction(self._db) as db:
            db.execute(sql, values)


def _due(row: Mapping[str, Any]) -> Due:
    event = Event(row["id"], row["type"], row["subject"], json.loads(row["body"]))
    return Due(row["seq"], row["subscription"], row["function"], row["attempts"], row["due"], row["accepted"], event)
