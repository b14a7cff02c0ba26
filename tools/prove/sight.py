"""A running stack as its files show it, looked at from outside some hundred times a second."""

import json
import sqlite3
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from shared.backends.local import works
from shared.backends.local.processes import is_alive


@dataclass(frozen=True)
class Written:
    """A fact as it stands in a stream; `at` in seconds since 1970."""

    kind: str
    at: float
    data: dict[str, Any]


class Database:
    """One SQLite file that others write; read only, opened when it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: sqlite3.Connection | None = None

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query; nothing while the file or the table is not there."""
        if self._open is None and self._path.exists():
            self._open = sqlite3.connect(f"{self._path.as_uri()}?mode=ro", uri=True, timeout=30.0)
        if self._open is None:
            return []
        with suppress(sqlite3.OperationalError):
            return self._open.execute(query, values).fetchall()
        return []

    def close(self) -> None:
        """Close the file."""
        if self._open is not None:
            self._open.close()


class Sight:
    """The stores of one state folder; a stream is read on from where it was read to."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self._ledger = Database(state / "ledger.db")
        self._queues = Database(state / "queues.db")
        self._grid = Database(state / "grid.db")
        self._registry = Database(state / "registry.db")
        self._read: dict[str, list[Written]] = defaultdict(list)
        self._position: dict[str, int] = defaultdict(int)

    def close(self) -> None:
        """Close the files."""
        for database in (self._ledger, self._queues, self._grid, self._registry):
            database.close()

    def stream(self, name: str) -> list[Written]:
        """Return the facts of a stream, in order."""
        query = "select bytes from rows where stream = ? and start >= ? order by start"
        for (piece,) in self._ledger.rows(query, name, self._position[name]):
            self._position[name] += len(piece)
            for line in bytes(piece).splitlines():
                read = json.loads(line)
                at = datetime.fromisoformat(read["at"]).timestamp()
                self._read[name].append(Written(read["kind"], at, read["data"]))
        return self._read[name]

    def message(self, release: str, step: str) -> Literal["waits", "taken"] | None:
        """Say how the queue message of a step stands."""
        query = "select receipt from messages where queue = 'steps' and body like ? and body like ?"
        found = self._queues.rows(query, f'%"{release}"%', f'%"{step}"%')
        if not found:
            return None
        return "taken" if any(receipt for (receipt,) in found) else "waits"

    def messages(self) -> int:
        """Return how many messages there are at all."""
        found = self._queues.rows("select count(*) from messages where queue = 'steps'")
        return int(found[0][0]) if found else 0

    def delivered(self, run: str) -> bool:
        """Say whether the end of a run was brought to the app."""
        query = (
            "select 1 from deliveries d join events e on e.seq = d.event"
            " where e.subject like ? and d.state = 'delivered' limit 1"
        )
        return bool(self._grid.rows(query, f"%/runs/{run}"))

    def registered(self, release: str) -> bool:
        """Say whether the model registry has a version of a release."""
        return bool(self._registry.rows("select 1 from versions where release = ?", release))

    @staticmethod
    def works(folder: Path) -> bool:
        """Say whether a job, a build or the start of a service is at work."""
        worker = works.worker_of(folder)
        return worker is not None and is_alive(worker.who) and not Sight.ended(folder)

    @staticmethod
    def ended(folder: Path) -> bool:
        """Say whether it left word of its end."""
        return (folder / "status.json").exists()


@dataclass
class Target:
    """One release that is followed; its id is known once its commit has a number."""

    sight: Sight
    project: str
    commit: str
    known: str = ""

    @property
    def release(self) -> str:
        """The id of the release, empty until it has its number."""
        if not self.known:
            lines = self.sight.stream(self.of_project())
            numbered = (line.data for line in lines if line.kind == "ReleaseNumbered")
            self.known = next((str(data["release"]) for data in numbered if data["commit"] == self.commit), "")
        return self.known

    def own(self) -> str:
        """Return the name of the release's stream."""
        return f"release/{self.release}"

    def of_project(self) -> str:
        """Return the name of the project's stream."""
        return f"project/{self.project}"

    def staging(self) -> str:
        """Return the name of the staging stream."""
        return f"environment/{self.project}/staging"

    def production(self) -> str:
        """Return the name of the production stream."""
        return f"environment/{self.project}/production"

    def folder(self, *names: str) -> Path:
        """Return a folder of the state; `{release}` in a name is the release."""
        return self.sight.state.joinpath(*(name.format(release=self.release) for name in names))

    def last(self) -> Written | None:
        """Return the newest fact of the release."""
        lines = self.sight.stream(self.own())
        return lines[-1] if lines else None
