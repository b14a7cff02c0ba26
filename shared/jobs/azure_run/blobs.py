"""The data of a run: exactly the blobs of its data version.

SIGNALBOX_STORAGE is the URL of the account, read as the compute's own identity, or a JSON object that has the URL of
each container with a signature in it that may read and expires.
"""

import json
import os
import time
from pathlib import Path
from typing import Any

from signalbox_job.outcome import JobFailed

WAITS = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)
"""Seconds between attempts: nobody waits for a run to begin, and a storage that is away is not its failure."""

Blob = dict[str, Any]


def fetch(blobs: list[Blob], data: Path) -> None:
    """Copy each blob {"container", "name", "size", "etag"} to its name below `data`.

    Raises `JobFailed` when one is not, or no longer, the one of the data version.
    """
    containers = {name: _container(name) for name in {str(blob["container"]) for blob in blobs}}
    for blob in blobs:
        target = below(data, blob["name"])
        if target.exists():
            raise JobFailed(
                f"two blobs of this data version are called {blob['name']}", "Give one of them another name"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        _patiently(containers[blob["container"]].get_blob_client(blob["name"]), blob, target)


def below(folder: Path, path: str) -> Path:
    """Return `folder/path`, or raise `JobFailed` when that is not within the folder."""
    if not all(part not in ("", ".", "..") and "\0" not in part for part in path.split("/")):
        raise JobFailed(f"{path!r} is not a path within {folder.name}", "Use plain names, separated by /")
    return folder / path


def _container(name: str) -> Any:
    from azure.storage.blob import BlobServiceClient, ContainerClient

    told = _told()
    # How often is decided here: the clients' own retries are long and silent.
    bounds: dict[str, Any] = {"retry_total": 0, "connection_timeout": 20, "read_timeout": 60}
    if told.startswith("{"):
        return ContainerClient.from_container_url(json.loads(told)[name], **bounds)
    if not told:
        raise JobFailed(
            f"this run was not told where container {name} is",
            "Set STORAGE_CONNECTION of the app to the account that holds the data, then release again",
        )
    from azure.identity import DefaultAzureCredential

    return BlobServiceClient(told, DefaultAzureCredential(), **bounds).get_container_client(name)


def _patiently(client: Any, blob: Blob, target: Path) -> None:
    from azure.core.exceptions import AzureError, ClientAuthenticationError

    for wait in (*WAITS, None):
        try:
            return _download(client, blob, target)
        except AzureError as error:
            # A missing role is an answer like any other to the client, and waiting does not give it.
            if isinstance(error, ClientAuthenticationError) or getattr(error, "status_code", None) in (401, 403):
                reason = f"this run may not read container {blob['container']}: {_said(error)}"
                raise JobFailed(reason, _way()) from None
            if wait is None:
                raise JobFailed(
                    f"the storage could not be asked for {blob['name']}: {_said(error)}",
                    "Release again once it answers",
                ) from None
            print(f"the storage cannot be asked for {blob['name']}: {_said(error)}; again in {wait:g} s", flush=True)
        time.sleep(wait)


def _told() -> str:
    return os.environ.get("SIGNALBOX_STORAGE", "")


def _way() -> str:
    """Return what to do when the storage refuses this run."""
    if _told().startswith("{"):
        return (
            "Release again: its signature has expired while it waited, or the key of the account was changed; "
            "then set STORAGE_CONNECTION of the app to the new one first"
        )
    return "Give the identity of the compute target the role Storage Blob Data Reader, then release again"


def _download(client: Any, blob: Blob, target: Path) -> None:
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

    same = {"etag": f'"{blob["etag"]}"', "match_condition": MatchConditions.IfNotModified}
    try:
        with target.open("wb") as file:
            client.download_blob(**same).readinto(file)
    except ResourceNotFoundError:
        raise _gone(blob) from None
    except ResourceModifiedError:
        # Whether it is changed or gone is not told apart by every storage.
        raise _changed(blob) if client.exists() else _gone(blob) from None
    if target.stat().st_size != blob["size"]:
        raise _changed(blob)


def _said(error: Exception) -> str:
    """Return the first line of an error, without the address: its query may hold a signature."""
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return first.partition("?")[0][:300]


def _gone(blob: Blob) -> JobFailed:
    advice = f"put {blob['name']} again: what arrived once stays part of the data until something replaces it"
    return JobFailed(f"{blob['name']} is no longer in container {blob['container']}", advice)


def _changed(blob: Blob) -> JobFailed:
    advice = f"a release with the data as it is now opens by itself, or put {blob['name']} again"
    return JobFailed(f"{blob['name']} in container {blob['container']} has changed since this data version", advice)
