"""Events and their deliveries on disk: accepted once, delivered at least once."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
CREATE TABLE IF NOT EXISTS letters (delivery INTEGER PRIMARY KEY, reason TEXT NOT NULL, tried REAL NOT NULL);
CREATE TABLE IF NOT EXISTS validated (endpoint TEXT PRIMARY KEY, rate REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_due ON deliveries (state, due);
CREATE INDEX IF NOT EXISTS by_event ON deliveries (event);
"""
_KEEP = 14 * 24 * 3600.0
_DUE = (
    "SELECT d.seq, d.subscription, d.function, d.attempts, d.due, d.outcome, e.accepted, e.id, e.body,"
    " coalesce(l.reason, '') AS reason, coalesce(l.tried, 0) AS tried"
    " FROM deliveries d JOIN events e ON e.seq=d.event LEFT JOIN letters l ON l.delivery=d.seq"
)


@dataclass(frozen=True)
class Event:
    """An accepted event; `body` is what a subscriber gets."""

    id: str
    type: str
    subject: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Due:
    """One event on its way to one subscription; moments are seconds since 1970.

    One that was given up has a `reason` until its dead letter is written, and knows when it was tried last.
    """

    seq: int
    subscription: str
    function: str
    attempts: int
    due: float
    outcome: str
    accepted: float
    id: str
    text: str
    reason: str = ""
    tried: float = 0.0

    @cached_property
    def body(self) -> Mapping[str, Any]:
        """The event as it was published."""
        return dict(json.loads(self.text))


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
        query = f"{_DUE} WHERE d.state='waiting' ORDER BY d.due, d.seq LIMIT ?"
        return [_due(row) for row in self._db.execute(query, (most,))]

    def companions(self, due: Due, most: int, now: float) -> Sequence[Due]:
        """Up to `most` other events that may go to the subscription of `due` in one request with it."""
        query = (
            f"{_DUE} WHERE d.state='waiting' AND l.delivery IS NULL AND d.due<=?"
            " AND d.subscription=? AND d.function=? AND d.seq<>? ORDER BY d.due, d.seq LIMIT ?"
        )
        values = (now, due.subscription, due.function, due.seq, most)
        return [_due(row) for row in self._db.execute(query, values)]

    def end(self, over: Sequence[Due], state: str) -> None:
        """Deliveries are over: `state` is delivered, dead (a letter was written) or dropped."""
        rows = [(one.attempts, state, one.outcome, one.seq) for one in over]
        with transaction(self._db) as db:
            db.executemany("UPDATE deliveries SET attempts=?, state=?, outcome=? WHERE seq=?", rows)
            db.executemany("DELETE FROM letters WHERE delivery=?", [(one.seq,) for one in over])

    def again(self, failed: Sequence[Due]) -> None:
        """Deliveries failed and are tried again, or their letters written, when they are due."""
        rows = [(one.attempts, one.due, one.outcome, one.seq) for one in failed]
        letters = [(one.seq, one.reason, one.tried) for one in failed if one.reason]
        with transaction(self._db) as db:
            db.executemany("UPDATE deliveries SET attempts=?, due=?, outcome=? WHERE seq=?", rows)
            db.executemany("INSERT OR REPLACE INTO letters VALUES (?,?,?)", letters)

    def wake_all(self, now: float) -> None:
        """Everything that waits is due now; for a start after the topic was away."""
        with transaction(self._db) as db:
            db.execute("UPDATE deliveries SET due=? WHERE state='waiting'", (now,))

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
        """The last `most` deliveries, oldest first; an event that nobody subscribed to has no subscription.

        Their states: waiting, dying (given up, its letter not written yet), delivered, dead and dropped.
        """
        rows = self._db.execute(
            "SELECT e.id, e.type, e.subject, d.subscription, d.function, d.attempts, d.outcome, d.due,"
            " CASE WHEN l.delivery IS NULL THEN d.state ELSE 'dying' END AS state FROM events e"
            " LEFT JOIN deliveries d ON d.event=e.seq LEFT JOIN letters l ON l.delivery=d.seq"
            " ORDER BY e.seq DESC, d.seq DESC LIMIT ?",
            (most,),
        ).fetchall()
        return [dict(row) for row in reversed(rows)]

    def validated(self) -> Mapping[str, float]:
        """The endpoints that answered the handshake, with the requests a minute they allow (0: any)."""
        return {row["endpoint"]: row["rate"] for row in self._db.execute("SELECT endpoint, rate FROM validated")}

    def keep_validated(self, endpoint: str, rate: float) -> None:
        """Remember that an endpoint answered the handshake."""
        with transaction(self._db) as db:
            db.execute("INSERT OR REPLACE INTO validated VALUES (?,?)", (endpoint, rate))


def _due(row: sqlite3.Row) -> Due:
    found = dict(row)
    text = found.pop("body")
    return Due(**found, text=text)
