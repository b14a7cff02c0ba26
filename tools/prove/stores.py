"""The backends' own stores, read as they lie on disk: what really exists, whatever the ledger says."""

import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from shared.release import chain, facts

ML = "Microsoft.MachineLearningServices."
Event = dict[str, Any]


def rows(path: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query on a SQLite file that others are writing; nothing when the file is absent."""
    if not path.exists():
        return []
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=30.0)) as database:
        return database.execute(query, values).fetchall()


def busy(state: Path) -> str:
    """Say what still moves: a message, a delivery, a job, a build, a service that starts; empty at rest."""
    messages = rows(state / "queues.db", "select count(*) from messages where queue = 'steps'")
    waiting = rows(state / "grid.db", "select count(*) from deliveries where state = 'waiting'")
    moving = [f"{count[0][0]} {what}" for count, what in ((messages, "messages"), (waiting, "deliveries")) if count]
    moving = [one for one in moving if not one.startswith("0 ")]
    return ", ".join(moving + [f"{folder.name} runs" for folder in _working(state)])


def _working(state: Path) -> Iterator[Path]:
    for pattern in ("jobs/*/spec.json", "builds/*/*/spec.json", "services/*/spec.json"):
        for spec in state.glob(pattern):
            if not (spec.parent / "status.json").exists():
                yield spec.parent


# --- the topic


def events(state: Path) -> list[Event]:
    """Return every event that was ever published, oldest first, as a subscriber gets it."""
    return [json.loads(body) for (body,) in rows(state / "grid.db", "select body from events order by seq")]


def undelivered(state: Path, kind: str, mentions: str) -> list[Event]:
    """Return published events of a type that nobody is subscribed to and that mention something."""
    query = (
        "select body from events e where type like ? and body like ?"
        " and not exists (select 1 from deliveries d where d.event = e.seq) order by seq"
    )
    return [json.loads(body) for (body,) in rows(state / "grid.db", query, f"%.{kind}", f"%{mentions}%")]


def ends_of_runs(state: Path, release: str) -> Counter[str]:
    """Return how many ends of each run of a release were told to the topic."""
    told = [event for event in events(state) if event["eventType"].startswith(f"{ML}Run")]
    return Counter(event["data"]["runId"] for event in told if event["data"]["runId"].startswith(release))


# --- jobs, versions, images, services


def runs(state: Path, release: str) -> dict[str, str]:
    """Return the runs of a release with how they ended."""
    found = {folder.name: folder / "status.json" for folder in sorted((state / "jobs").glob(f"{release}-*"))}
    return {name: json.loads(at.read_text())["status"] if at.exists() else "running" for name, at in found.items()}


def versions(state: Path, release: str) -> list[int]:
    """Return the model versions that a release made."""
    return [number for (number,) in rows(state / "registry.db", "select number from versions where release=?", release)]


def images(state: Path, project: str, release: str) -> list[str]:
    """Return the manifest digests that a release tagged."""
    index = state / "images" / project / "index.json"
    entries = json.loads(index.read_text())["manifests"] if index.exists() else []
    tag = "org.opencontainers.image.ref.name"
    return [entry["digest"] for entry in entries if entry.get("annotations", {}).get(tag) == release]


def slots(state: Path, release: str) -> list[str]:
    """Return the environments in which a release has a service slot."""
    return sorted(
        one.name.removeprefix(f"{release}-") for one in (state / "services").glob(f"{release}-*") if one.is_dir()
    )


def services(state: Path, release: str) -> dict[str, list[int]]:
    """Return the process ids of the masters that serve a release now, by environment."""
    found: dict[str, list[int]] = {}
    for pid, where, session, _ in _processes():
        # The master leads the session that the service was started in; its workers have the same folder.
        if pid == session and where.parent == state / "services" and where.name.startswith(f"{release}-"):
            found.setdefault(where.name.removeprefix(f"{release}-"), []).append(pid)
    return found


def working_in(folder: Path) -> list[str]:
    """Return the command lines of all processes whose working folder is below a folder."""
    return [command for _, where, _, command in _processes() if where.is_relative_to(folder)]


def _processes() -> Iterator[tuple[int, Path, int, str]]:
    """Yield process id, working folder, session and command line of every process that still runs."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = Path(os.readlink(process / "cwd"))
            fields = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            command = (process / "cmdline").read_text("utf-8", "replace").replace("\0", " ").strip()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        if fields[0] not in "ZX":
            yield int(process.name), where, int(fields[3]), command


# --- the ledger


def ledger(state: Path) -> dict[str, chain.Stream]:
    """Return every stream, its chain verified; raises `Broken` naming the line that does not fit."""
    pieces: dict[str, list[bytes]] = {}
    for name, piece in rows(state / "ledger.db", "select stream, bytes from rows order by stream, start"):
        pieces.setdefault(name, []).append(piece)
    return {name: chain.decode(name, b"".join(parts)) for name, parts in pieces.items()}


def facts_of(state: Path, release: str) -> tuple[facts.Fact, ...]:
    """Return the facts of a release in order."""
    return ledger(state)[f"release/{release}"].facts


def length(state: Path) -> int:
    """Return how many bytes all streams have together, without the log of who read what."""
    query = "select coalesce(sum(length(bytes)), 0) from rows where stream not like 'access/%'"
    return int(rows(state / "ledger.db", query)[0][0])
