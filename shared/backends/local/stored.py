"""What jobs and builds read of what is stored: code and data, from files, or from blobs where STORAGE says so."""

import functools
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from shared.backends.local import trees
from shared.backends.local.artifacts import FileArtifacts
from shared.errors import StepFailed, Unavailable
from shared.ports import Blob

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

    from shared.backends.blobs import Account

T = TypeVar("T")

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts: nobody waits for a job to begin, and a storage that is away is not its failure."""


def artifact(state: Path, digest: str) -> bytes:
    """Return the bytes of an artifact."""
    account = _account()
    if account is None:
        return FileArtifacts(state).get_now(digest)
    from shared.backends.blobs import BlobArtifacts

    return _patiently(lambda: BlobArtifacts(account).get_now(digest))


def fetch(state: Path, blob: Blob, data: Path) -> None:
    """Copy one blob into `data`; `StepFailed` when it is not, or no longer, the one of the data version."""
    target = trees.below(data, blob.name)
    if target.exists():
        raise StepFailed(f"two blobs of this data version are called {blob.name}", "give one of them another name")
    account = _account()
    if account is None:
        _copy(state, blob, target)
    else:
        client = account.data(blob.container).get_blob_client(blob.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _patiently(lambda: _download(client, blob, target))


def etag(found: os.stat_result) -> str:
    """Return the ETag of a blob kept as a file; the local blob endpoint uses the same formula."""
    return hashlib.sha256(f"{found.st_mtime_ns}-{found.st_size}".encode()).hexdigest()[:16]


def _account() -> "Account | None":
    if os.environ.get("STORAGE", "local") != "blobs":
        return None
    # The second name is Azure's own.
    return _reached(os.environ.get("STORAGE_CONNECTION") or os.environ.get("AzureWebJobsStorage", ""))  # noqa: SIM112


@functools.cache
def _reached(connection: str) -> "Account":
    from shared.backends.blobs import Account

    return Account(connection)


def _copy(state: Path, blob: Blob, target: Path) -> None:
    source = trees.below(state / "data", f"{blob.container}/{blob.name}")
    if not source.is_file():
        raise _gone(blob)
    trees.copy(source, target)
    # Looked at after the copy: a change during it is seen too.
    found = source.stat()
    if (found.st_size, etag(found)) != (blob.size, blob.etag) or target.stat().st_size != blob.size:
        raise _changed(blob)


def _download(client: "BlobClient", blob: Blob, target: Path) -> None:
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

    from shared.backends.blobs.account import once

    same = MatchConditions.IfNotModified

    def download() -> None:
        with target.open("wb") as file:
            client.download_blob(etag=f'"{blob.etag}"', match_condition=same).readinto(file)

    try:
        once(f"{blob.container}/{blob.name}", download)
    except ResourceNotFoundError:
        raise _gone(blob) from None
    except ResourceModifiedError:
        # Whether it is changed or gone is not told apart by every storage.
        raise _changed(blob) if once(blob.name, client.exists) else _gone(blob) from None
    if target.stat().st_size != blob.size:
        raise _changed(blob)


def _gone(blob: Blob) -> StepFailed:
    advice = f"put {blob.name} again: what arrived once stays part of the data until something replaces it"
    return StepFailed(f"{blob.name} is no longer in container {blob.container}", advice)


def _changed(blob: Blob) -> StepFailed:
    advice = f"a release with the data as it is now opens by itself, or put {blob.name} again"
    return StepFailed(f"{blob.name} in container {blob.container} has changed since this data version", advice)


def _patiently(call: Callable[[], T]) -> T:
    for wait in WAITS:
        try:
            return call()
        except Unavailable as error:
            print(f"{error}; again in {wait:g} s", flush=True)
            time.sleep(wait)
    return call()
