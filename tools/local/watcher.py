"""Announces files under STATE/data as BlobCreated, each version once it is whole."""

import asyncio
import logging
import os
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from tools.local.blobs import UNFINISHED, Blob
from tools.local.database import open_database, transaction

log = logging.getLogger("grid")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS announced (
  container TEXT, path TEXT, mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (container, path));
CREATE TABLE IF NOT EXISTS sequencer (value INTEGER NOT NULL);
"""
_ACCOUNT = "/subscriptions/local/resourceGroups/local/providers/Microsoft.Storage/storageAccounts/local"
_BATCH = 50


class NotPublished(Exception):
    """The topic did not take the events; they are sent again."""


class Publish(Protocol):
    """Sends events to the topic; raises NotPublished."""

    def __call__(self, events: Sequence[Any]) -> None:
        """Return once all of `events` are on disk."""


class Announced:
    """What was announced, in the topic's SQLite file."""

    def __init__(self, path: Path) -> None:
        self._db = open_database(path, _SCHEMA)
        rows = self._db.execute("SELECT container, path, mtime_ns, size FROM announced")
        self._known = {(row["container"], row["path"]): Blob(*row) for row in rows}

    def has(self, blob: Blob) -> bool:
        """Whether this very version was announced."""
        return self._known.get((blob.container, blob.path)) == blob

    def next_sequencer(self) -> int:
        """A number that only grows, over restarts too."""
        with transaction(self._db) as db:
            row = db.execute("SELECT value FROM sequencer").fetchone()
            value = int(row["value"]) + 1 if row else 1
            db.execute("DELETE FROM sequencer")
            db.execute("INSERT INTO sequencer VALUES (?)", (value,))
        return value

    def keep(self, blobs: Sequence[Blob]) -> None:
        """Remember that `blobs` were announced."""
        rows = [(one.container, one.path, one.mtime_ns, one.size) for one in blobs]
        with transaction(self._db) as db:
            db.executemany("INSERT OR REPLACE INTO announced VALUES (?,?,?,?)", rows)
        self._known.update({(one.container, one.path): one for one in blobs})

    def forget_all_but(self, blobs: Sequence[Blob]) -> None:
        """Forget what is gone, so that it is announced when it comes back."""
        gone = set(self._known) - {(one.container, one.path) for one in blobs}
        if gone:
            with transaction(self._db) as db:
                db.executemany("DELETE FROM announced WHERE container=? AND path=?", sorted(gone))
            for place in gone:
                del self._known[place]


class Watcher:
    """Looks at the data folder every second, and at once after a PUT."""

    def __init__(self, data: Path, announced: Announced, publish: Publish, base_url: str) -> None:
        self._data = data
        self._announced = announced
        self._publish = publish
        self._base_url = base_url
        self._last = set[Blob]()
        self._whole = set[Blob]()
        self._wake = asyncio.Event()

    def stored(self, blob: Blob) -> None:
        """A blob came by PUT: it is whole, announce it at once."""
        self._whole.add(blob)
        self._wake.set()

    async def keep_going(self) -> None:
        """Look until cancelled."""
        while True:
            self._wake.clear()
            await asyncio.to_thread(self.look)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), 1.0)

    def look(self) -> None:
        """Announce what is new or changed and whole: it came by PUT, or is as it was at the last look."""
        seen = list(blobs_in(self._data))
        self._announced.forget_all_but(seen)
        unknown = [one for one in seen if not self._announced.has(one)]
        ready = [one for one in unknown if one in self._whole or one in self._last]
        self._last = set(unknown)
        for start in range(0, len(ready), _BATCH):
            batch = ready[start : start + _BATCH]
            try:
                self._publish([created(one, self._announced.next_sequencer(), self._base_url) for one in batch])
            except NotPublished as error:
                log.warning("new data is not announced yet: %s", error)
                return
            self._announced.keep(batch)
            self._whole.difference_update(batch)


def blobs_in(data: Path) -> Iterator[Blob]:
    """Every regular file below a container folder; hidden, unfinished and linked ones are left out."""
    for container in _entries(data):
        if container.is_dir(follow_symlinks=False):
            yield from _below(container.path, container.name, "")


def _below(folder: str, container: str, prefix: str) -> Iterator[Blob]:
    for entry in _entries(Path(folder)):
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, container, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(UNFINISHED):
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                yield Blob(container, prefix + entry.name, found.st_mtime_ns, found.st_size)


def _entries(folder: Path) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def created(blob: Blob, sequencer: int, base_url: str) -> dict[str, Any]:
    """A BlobCreated event as Blob Storage raises it; the same version always has the same id."""
    name = f"{blob.container}/{blob.path}/{blob.etag}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        "topic": _ACCOUNT,
        "subject": f"/blobServices/default/containers/{blob.container}/blobs/{blob.path}",
        "eventType": "Microsoft.Storage.BlobCreated",
        "eventTime": datetime.now(UTC).isoformat(),
        "dataVersion": "",
        "data": {
            "api": "PutBlob",
            "requestId": str(uuid.uuid4()),
            "eTag": blob.etag,
            "contentType": blob.content_type,
            "contentLength": blob.size,
            "blobType": "BlockBlob",
            "url": base_url + blob.address,
            "sequencer": f"{sequencer:032d}",
        },
    }
