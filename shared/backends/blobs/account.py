"""One storage account: how it is reached, how long it is asked, and what its answers mean."""

import asyncio
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from azure.core.exceptions import AzureError, HttpResponseError, ResourceExistsError
from azure.storage.blob import BlobServiceClient, ContainerClient, StorageErrorCode

from shared.errors import Misconfigured, Unavailable

T = TypeVar("T")

OURS = "signalbox-"
"""How the names of our own containers begin; all others hold data."""

WAITS = (0.1, 0.3, 0.8)
"""Seconds between attempts; the SDK's own would take a function past the time Event Grid waits for its answer."""

PATIENCE = 10.0
"""Seconds after which nothing is tried again."""

AT_ONCE = 10
"""Calls at a time: the SDK keeps as many connections."""

ANSWERS = {404, 409, 412, 416}
"""Not there, there already, changed, out of range: answers that a caller goes by."""

NOT_NOW = {408, 429}


class Unanswered(Unavailable):
    """The account was asked and gave no answer: what was asked may or may not have happened."""


class Account:
    """A storage account, reached by a connection string, or by its URL as whoever this app runs as.

    The SDK's retries are off: it cannot know which of our calls may be made twice.
    `options` go to the SDK's client.
    """

    def __init__(self, connection: str, prefix: str = OURS, **options: Any) -> None:
        self._prefix = prefix
        self._client = _client(connection, options)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="blobs")

    async def do(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call that blocks in a thread of this account.

        When nobody waits for it any more, what has not begun never does, and what has asks nothing more:
        a silent account keeps each of these threads for one attempt, and no more of them than there are.
        """
        given_up = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, _for, given_up, call, *arguments)
        except asyncio.CancelledError:
            given_up.set()
            raise

    def container(self, name: str) -> ContainerClient:
        """Return a container of ours, which may not exist yet."""
        return self._client.get_container_client(f"{self._prefix}{name}")

    def data(self, container: str) -> ContainerClient:
        """Return a container of somebody's data."""
        return self._client.get_container_client(container)

    def containers(self) -> list[str]:
        """Return the names of all containers, ours too."""
        return repeated("the list of containers", lambda: [found.name for found in self._client.list_containers()])


_caller = threading.local()


def _for(given_up: threading.Event, call: Callable[..., T], *arguments: Any) -> T:
    _caller.given_up = given_up
    return call(*arguments)


def _nobody_waits() -> bool:
    given_up: threading.Event | None = getattr(_caller, "given_up", None)
    return given_up is not None and given_up.is_set()


def _client(connection: str, options: dict[str, Any]) -> BlobServiceClient:
    settled = {"retry_total": 0, "connection_timeout": 3, "read_timeout": 8, **options}
    try:
        if connection.startswith(("https://", "http://")):
            from azure.identity import DefaultAzureCredential

            return BlobServiceClient(connection, credential=DefaultAzureCredential(), **settled)
        return BlobServiceClient.from_connection_string(connection, **settled)
    except ValueError as error:
        raise Misconfigured(f"STORAGE_CONNECTION is neither a connection string nor a URL: {error}") from None


class Patience:
    """How often, and how long, one call goes on: short waits of growing length that differ between writers."""

    def __init__(self) -> None:
        self._until = time.monotonic() + PATIENCE
        self._waits = iter(WAITS)
        self._contended = 0

    def wait(self, error: Unanswered) -> None:
        """Wait before the next attempt; raises `error` when there is none."""
        wait = next(self._waits, None)
        if wait is None or time.monotonic() > self._until:
            raise error
        time.sleep(wait * random.uniform(0.7, 1.3))

    def contend(self, name: str) -> None:
        """Make room for the writer who came first; raises `Unavailable` when others always did."""
        self._contended += 1
        if time.monotonic() > self._until:
            raise Unavailable(f"{name} is written by so many at once that it had no room in {PATIENCE:.0f} s")
        time.sleep(random.uniform(0, min(0.005 * self._contended, 0.1)))


def once(what: str, call: Callable[[], T]) -> T:
    """Ask once: `Unanswered` without an answer, `Unavailable` when it is refused.

    `ANSWERS` come as the SDK's `HttpResponseError`.
    """
    if _nobody_waits():
        raise Unavailable(f"{what} was given up: whoever asked for it waits no more")
    try:
        return call()
    except HttpResponseError as error:
        status = error.status_code or 0
        if status in ANSWERS:
            raise
        if not 400 <= status < 500 or status in NOT_NOW:
            raise Unanswered(f"the storage could not be asked for {what}: {said(error)}") from error
        advice = "see that STORAGE_CONNECTION is right and may read and write blobs"
        raise Unavailable(f"the storage refused {what} ({said(error)}); {advice}") from error
    except AzureError as error:
        raise Unanswered(f"the storage could not be asked for {what}: {said(error)}") from error


def repeated(what: str, call: Callable[[], T]) -> T:
    """Ask until there is an answer, for what may be asked twice; `Unavailable` when there is none."""
    patience = Patience()
    while True:
        try:
            return once(what, call)
        except Unanswered as error:
            patience.wait(error)


def said(error: AzureError) -> str:
    """Return what an error says, in one line."""
    code = getattr(error, "error_code", None)
    first = str(error).strip().splitlines() or [type(error).__name__]
    return f"{getattr(code, 'value', code)}: {first[0]}" if code else first[0]


def make(container: ContainerClient) -> None:
    """Create a container unless it is there."""
    try:
        repeated(f"the container {container.container_name}", container.create_container)
    except ResourceExistsError as error:
        if getattr(error, "error_code", "") == StorageErrorCode.CONTAINER_BEING_DELETED:
            raise Unavailable(f"the container {container.container_name} is being deleted: {said(error)}") from error
