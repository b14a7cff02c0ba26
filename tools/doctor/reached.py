"""What an app must reach, each asked once and for a bounded time: `python -m tools.doctor.reached`.

Runs in a process of its own whose environment holds the settings, so that everything is asked as the app would ask it.
Prints one JSON line a finding.
"""

import json
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import msgspec

from shared import settings
from shared.errors import SignalboxError
from shared.settings import Settings
from tools.doctor import subscribing
from tools.doctor.finding import Finding

if TYPE_CHECKING:
    from shared.backends.azure.workspace import Azure

SECONDS = 5.0
ARM = "https://management.azure.com"
GRID = "https://eventgrid.azure.net"
IN_AZURE = ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")
SENDER = "EventGrid Data Sender"
CONTRIBUTORS = {"blobs": "Storage Blob Data Contributor", "queues": "Storage Queue Data Contributor"}


def examine(read: Settings, folder: Path, app: str, group: str) -> Iterator[Finding]:
    """Ask everything that the settings name; what an SDK writes goes to `folder`."""
    azure = identified(read, folder) if read.azure else None
    can_sign_in = azure is None
    if azure is not None:
        found = identity(azure)
        yield found
        can_sign_in = found.ok and not found.found.startswith(UNSEEN)
    if read.storage:
        yield blobs(read)
    if host := os.environ.get("AzureWebJobsStorage", ""):  # noqa: SIM112
        yield queues(host)
    if azure is not None and can_sign_in:
        yield from workspace(azure, read, app, group)
    if read.topic_endpoint:
        yield topic(read, azure if can_sign_in else None)


def identified(read: Settings, folder: Path) -> "Azure":
    """Return the way to Azure that the app has."""
    from shared.backends.azure.scope import Scope
    from shared.backends.azure.workspace import Azure

    assert read.azure is not None
    return Azure(Scope(**{**msgspec.structs.asdict(read.azure), "state": folder}))


UNSEEN = "not asked from here: "


def identity(azure: "Azure") -> Finding:
    """Ask for a token, as the app would."""
    scope = azure.scope
    who = f"service principal {scope.client}" if scope.secret else "the app's managed identity"
    who = f"user-assigned identity {scope.client}" if scope.client and not scope.secret else who
    if not scope.secret and not any(os.environ.get(name) for name in IN_AZURE):
        return Finding(
            "identity", f"{UNSEEN}{who} is known only where the app runs; az functionapp identity show names it"
        )
    try:
        azure.ask("a token", lambda: azure.tokens().of(ARM))
    except SignalboxError as error:
        return wrong("identity", error, f"{who}: ")
    return Finding("identity", f"{who} is given a token")


def blobs(read: Settings) -> Finding:
    """Ask the account of ledger and artifacts for something that is not there, to be read and to be deleted."""
    from azure.core.exceptions import ResourceNotFoundError

    from shared.backends.blobs import Account
    from shared.backends.blobs.account import once

    what, where = "a look at its blobs", named(read.storage)

    def ask() -> None:
        blob = Account(read.storage).container("doctor").get_blob_client("is-not-there")
        for call in (blob.get_blob_properties, blob.delete_blob):
            try:
                once(what, call)
            except ResourceNotFoundError:
                continue

    return asked("storage", f"{where} may be read and written", ask, role_on_account("blobs", read.storage))


def queues(connection: str) -> Finding:
    """Ask the account of the host for its queues."""
    from azure.core.exceptions import AzureError
    from azure.storage.queue import QueueServiceClient

    from shared.errors import Unavailable

    def ask() -> None:
        bounds = {"retry_total": 0, "connection_timeout": SECONDS, "read_timeout": SECONDS}
        try:
            with QueueServiceClient.from_connection_string(connection, **bounds) as client:
                next(iter(client.list_queues(results_per_page=1)), None)
        except ValueError as error:
            raise Unavailable(f"AzureWebJobsStorage is no connection string: {error}") from error
        except AzureError as error:
            raise Unavailable(f"its queues could not be listed: {first(error.message)}") from error

    advice = f"see that AzureWebJobsStorage is right; {role_on_account('queues', connection)}"
    return asked("queues", f"{named(connection)} carries the orders", ask, advice)


def workspace(azure: "Azure", read: Settings, app: str, group: str) -> Iterator[Finding]:
    """Ask for the workspace, and which of its events the functions are told of."""
    scope = azure.scope
    try:
        place = azure.now(f"the workspace {scope.workspace}", subscribing.resources)
    except SignalboxError as error:
        yield wrong("workspace", error)
        return
    yield Finding("workspace", f"{scope.workspace} in {place.location} answers")
    yield from computes(azure)
    account = named(read.storage) if read.storage else ""
    yield from subscribing.examine(azure, place, account, read.topic_endpoint, app, group)


def computes(azure: "Azure") -> Iterator[Finding]:
    """Look at the cluster of jobs, which the first release makes, and at the one that production is served on."""
    from shared.backends.azure import compute

    scope = azure.scope
    try:
        jobs = compute.find(azure, scope.compute)
        aks = compute.find(azure, scope.aks) if scope.aks else None
    except SignalboxError as error:
        yield wrong("compute", error)
        return
    if jobs is None:
        yield Finding("compute", f"{scope.compute} is not there yet: the first release makes it, of {scope.vm_size}")
    elif jobs.state in compute.BROKEN:
        yield Finding("compute", f"{scope.compute} is {jobs.state}: {jobs.reason}", compute.advice(scope, jobs))
    else:
        yield Finding("compute", f"{scope.compute} is {jobs.state}")
    if aks is not None:
        broken = f"see {scope.aks} in the workspace's compute" if not aks.is_ready else ""
        yield Finding("compute", f"{scope.aks} is {aks.state}, for production", broken)
    else:
        what = f"{scope.aks} is not attached to {scope.workspace}" if scope.aks else "AZUREML_AKS is not set"
        do = "attach an AKS cluster to the workspace (in its Compute page, or by azureml-core's AksCompute.attach)"
        do = f"{do} and set AZUREML_AKS to its name"
        yield Finding("compute", f"{what}, so nothing goes to production", do)


def topic(read: Settings, azure: "Azure | None") -> Finding:
    """Send the topic what is no event: it is refused, but only from somebody who may send at all."""
    headers = {"aeg-sas-key": read.topic_key} if read.topic_key else {}
    place = urlsplit(read.topic_endpoint).netloc
    if not headers and azure is None:
        return Finding("topic", f"{UNSEEN}{place} is written to by the app's managed identity")

    def ask() -> None:
        from shared.errors import Blocked, Unavailable

        signed = headers or {"Authorization": f"Bearer {azure.ask('a token', lambda: azure.tokens().of(GRID))}"}  # type: ignore[union-attr]
        url = f"{read.topic_endpoint}?api-version=2018-01-01"
        try:
            answer = httpx.post(url, json=[{}], headers=signed, timeout=SECONDS)
        except httpx.HTTPError as error:
            raise Unavailable(f"nothing answers at {place}: {error or type(error).__name__}") from error
        if answer.status_code in (401, 403):
            raise Blocked(f"it takes no events of ours: it answers {answer.status_code}")
        if answer.status_code == 404 or answer.status_code >= 500:
            raise Unavailable(f"{place} answers {answer.status_code}")

    role = f"az role assignment create --assignee IDENTITY --role '{SENDER}' --scope TOPIC-ID"
    advice = "see TOPIC_ENDPOINT and TOPIC_KEY" if headers else f"see TOPIC_ENDPOINT, or give the app its role: {role}"
    return asked("topic", f"{place} takes events of ours", ask, advice)


def asked(about: str, good: str, ask: Callable[[], object], advice: str) -> Finding:
    """Ask once; what is refused, or not answered, is told with what to do."""
    try:
        ask()
    except SignalboxError as error:
        return Finding(about, wrong(about, error).found, advice)
    return Finding(about, good)


def role_on_account(kind: str, connection: str) -> str:
    """Return the line that gives an identity its role on a storage account."""
    if not connection.startswith("https://"):
        line = f"az storage account show-connection-string --name {named(connection)}"
        return f"take the account's connection string anew: {line}"
    account = f"$(az storage account show --name {named(connection)} --query id --output tsv)"
    return f'az role assignment create --assignee IDENTITY --role "{CONTRIBUTORS[kind]}" --scope "{account}"'


def named(connection: str) -> str:
    """Return the name of a storage account, from its connection string or URL."""
    if found := re.search(r"AccountName=([^;]+)|Endpoint=https://([^.;]+)\.", connection):
        return found[1] or found[2]
    return (urlsplit(connection).hostname or "Azurite").split(".")[0]


def one_line(error: SignalboxError) -> str:
    """Return what an error says, in one line."""
    return " ".join(str(error).split())


def first(text: object) -> str:
    """Return the first line of what an SDK says: the rest may be the whole request."""
    return (str(text).strip().splitlines() or ["no reason"])[0]


def wrong(about: str, error: SignalboxError, before: str = "") -> Finding:
    """Return what an error says, and apart from it what is to be done: its advice, or what its last semicolon parts."""
    said, _, last = one_line(error).rpartition("; ")
    advice = str(getattr(error, "advice", ""))
    found = one_line(error) if advice or not said else said
    return Finding(about, f"{before}{found}", advice or (last if said else "see the message"))


def main() -> None:
    """Print every finding as a JSON line."""
    app, group = sys.argv[1:3]
    with tempfile.TemporaryDirectory(prefix="signalbox-doctor-") as folder:
        for one in examine(settings.read(), Path(folder), app, group):
            print(json.dumps(asdict(one)), flush=True)


if __name__ == "__main__":
    main()
