"""Announces blobs as BlobCreated, each version once it is whole."""

import asyncio
import logging
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from shared.errors import Unavailable
from tools.local.blobs import Blob
from tools.local.database import open_database, transaction

log = logging.getLogger("grid")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS announced_versions (
  container TEXT, path TEXT, etag TEXT NOT NULL, PRIMARY KEY (container, path));
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
        rows = self._db.execute("SELECT container, path, etag FROM announced_versions")
        self._known = {(row["container"], row["path"]): str(row["etag"]) for row in rows}

    def has(self, blob: Blob) -> bool:
        """Whether this very version was announced."""
        return self._known.get((blob.container, blob.path)) == blob.etag

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
        rows = [(one.container, one.path, one.etag) for one in blobs]
        with transaction(self._db) as db:
            db.executemany("INSERT OR REPLACE INTO announced_versions VALUES (?,?,?)", rows)
        self._known.update({(container, path): etag for container, path, etag in rows})

    def forget_all_but(self, blobs: Sequence[Blob]) -> None:
        """Forget what is gone, so that it is announced when it comes back."""
        gone = set(self._known) - {(one.container, one.path) for one in blobs}
        if gone:
            with transaction(self._db) as db:
                db.executemany("DELETE FROM announced_versions WHERE container=? AND path=?", sorted(gone))
            for place in gone:
                del self._known[place]


class Watcher:
    """Looks at all blobs every second, and at once after a PUT; less often where a look takes long."""

    def __init__(
        self, blobs: Callable[[], Iterable[Blob]], announced: Announced, publish: Publish, base_url: str
    ) -> None:
        self._blobs = blobs
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
            began = time.monotonic()
            await asyncio.to_thread(self.look)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(1.0, 4 * (time.monotonic() - began)))

    def look(self) -> None:
        """Announce what is new or changed and whole: it came by PUT, or is as it was at the last look.

        A storage account shows only what is whole.
        """
        try:
            seen = list(self._blobs())
        except Unavailable as error:
            log.warning("nobody can see now what data there are: %s", error)
            return
        self._announced.forget_all_but(seen)
        unknown = [one for one in seen if not self._announced.has(one)]
        ready = [one for one in unknown if one.told or one in self._whole or one in self._last]
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
