"""What every store of queue messages keeps to: SQLite with a clock of ours, a storage account with its own."""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.storage.queue import QueueClient

from tests import storage
from tools.local.host import store_of
from tools.local.host_json import HostSettings, read_host_json
from tools.local.index import index
from tools.local.invoke import Invoker
from tools.local.queue_storage import StorageQueues
from tools.local.queue_store import Message, QueueStore, Store
from tools.local.queues import Queues, metadata

STORES: dict[str, Callable[[Path], Any]] = {
    "sqlite": lambda folder: QueueStore(folder / "queues.db"),
    "azurite": lambda folder: StorageQueues(storage.connection(), "base64", 2.0),
}


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    made = STORES[request.param](tmp_path)
    yield made
    made.close()


@pytest.fixture
def azurite(tmp_path: Path) -> StorageQueues:
    return StorageQueues(storage.connection(), "base64", 2.0)


@pytest.fixture
def work(tmp_path: Path) -> str:
    """A queue of this test's own."""
    return f"{storage.prefix(tmp_path)}work"


def take(store: Store, queue: str, lease: float = 60.0, most: int = 16) -> Sequence[Message]:
    return store.take(queue, most, lease, time.time())


def take_one(store: Store, queue: str, lease: float = 60.0) -> Message:
    (message,) = take(store, queue, lease)
    return message


def bodies(store: Store, queue: str, most: int = 16) -> list[str]:
    return [one.body for one in take(store, queue, most=most)]


def when_visible(store: Store, queue: str) -> Message:
    """Return the one message of `queue` as soon as it is visible again; a deadline ends the waiting."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if found := take(store, queue):
            return found[0]
    raise TimeoutError(queue)


def test_messages_come_in_the_order_they_were_put(store: Any, work: str) -> None:
    for number in range(5):
        store.put([(work, str(number))], time.time())
    store.put([(f"{work}-other", "x")], time.time())
    assert bodies(store, work, most=3) == ["0", "1", "2"]
    assert bodies(store, work) == ["3", "4"]
    assert bodies(store, work) == []


def test_a_queue_that_nobody_wrote_is_empty(store: Any, work: str) -> None:
    assert (bodies(store, work), store.count(work)) == ([], 0)


def test_messages_of_one_call_are_all_put(store: Any, work: str) -> None:
    store.put([(work, "a"), (f"{work}-other", "b"), (work, "c")], time.time())
    assert (bodies(store, work), bodies(store, f"{work}-other")) == (["a", "c"], ["b"])


@pytest.mark.parametrize("body", ['{"step": "check"}', "ä <&> \U0001f6a6 'x'", "x" * 40_000])
def test_a_body_comes_as_it_was_put(store: Any, work: str, body: str) -> None:
    store.put([(work, body)], time.time())
    assert take_one(store, work).body == body


def test_a_message_whose_lease_ended_comes_again_and_counts(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    first = take_one(store, work, lease=1.0)
    assert first.dequeues == 1
    again = when_visible(store, work)
    assert (again.id, again.body, again.dequeues) == (first.id, "a", 2)
    assert again.receipt != first.receipt


def test_a_renewed_lease_lasts_longer_and_carries_the_message_on(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    renewed = store.renew(take_one(store, work, lease=2.0), 60.0, time.time())
    assert renewed.visible > time.time() + 30
    assert bodies(store, work) == []
    renewed = store.renew(renewed, 60.0, time.time())
    store.delete(renewed)
    assert store.count(work) == 0


def test_a_lease_that_was_lost_changes_nothing_any_more(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    lost = take_one(store, work, lease=1.0)
    held = when_visible(store, work)
    store.delete(lost)
    store.release(lost, 0.0, time.time())
    assert store.renew(lost, 60.0, time.time()).receipt == lost.receipt
    assert (bodies(store, work), store.count(work)) == ([], 1)
    store.delete(held)
    store.delete(held)
    assert store.count(work) == 0


def test_a_message_that_is_given_back_comes_again(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    store.release(take_one(store, work), 0.0, time.time())
    again = when_visible(store, work)
    store.release(again, 60.0, time.time())
    assert (again.dequeues, bodies(store, work)) == (2, [])


def test_a_poisoned_message_starts_anew_in_its_poison_queue_and_never_expires(store: Any, work: str) -> None:
    store.put([(work, "ä")], time.time())
    store.poison(take_one(store, work), time.time())
    assert (store.count(work), store.count(f"{work}-poison")) == (0, 1)
    message = take_one(store, f"{work}-poison")
    assert (message.body, message.dequeues, message.expires) == ("ä", 1, None)


def test_a_message_expires_after_a_week(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    expires = take_one(store, work).expires
    assert expires is not None
    assert 6.9 < (expires - time.time()) / 86400 < 7.1


def test_the_metadata_is_read_by_the_converter_of_the_sdk(store: Any, work: str) -> None:
    store.put([(work, "a")], time.time())
    message = take_one(store, work)
    converter = func.meta.get_binding_registry().get("queueTrigger")
    decoded = converter.decode(func.meta.Datum("a", "string"), trigger_metadata=metadata(message))
    assert (decoded.id, decoded.dequeue_count, decoded.pop_receipt) == (message.id, 1, message.receipt)
    assert abs(decoded.insertion_time.timestamp() - time.time()) < 3600


def client(queue: str) -> QueueClient:
    """Return the queue as any client sees it."""
    return QueueClient.from_connection_string(storage.connection(), queue)


@pytest.mark.parametrize(("encoding", "raw"), [("base64", base64.b64encode("ä".encode()).decode()), ("none", "ä")])
def test_on_the_wire_a_message_is_encoded_as_host_json_says(work: str, encoding: str, raw: str) -> None:
    store = StorageQueues(storage.connection(), encoding, 2.0)
    store.put([(work, "ä")], 0.0)
    assert [one.content for one in client(work).peek_messages()] == [raw]
    client(work).send_message(raw)
    assert bodies(store, work) == ["ä", "ä"]


def test_a_message_that_is_not_encoded_goes_to_the_poison_queue_as_it_is(azurite: StorageQueues, work: str) -> None:
    azurite.put([(work, "good")], 0.0)
    client(work).send_message("not { base64 }")
    assert bodies(azurite, work) == ["good"]
    assert azurite.count(work) == 1
    assert [one.content for one in client(f"{work}-poison").peek_messages()] == ["not { base64 }"]


class Losing(RequestsTransport):
    """Loses the answers of the first requests of one kind."""

    def __init__(self, method: str, times: int) -> None:
        super().__init__()
        self._method, self._times = method, times

    def send(self, request: Any, **rest: Any) -> Any:
        answer = super().send(request, **rest)
        if request.method == self._method and self._times:
            self._times -= 1
            raise ServiceResponseError("the answer was lost")
        return answer


@pytest.mark.parametrize(("method", "copies"), [("DELETE", 1), ("POST", 2)])
def test_a_lost_answer_loses_no_message(azurite: StorageQueues, work: str, method: str, copies: int) -> None:
    azurite.put([(f"{work}-first", "makes the account known")], 0.0)
    client(work).create_queue()
    losing = StorageQueues(storage.connection(), "base64", 2.0, transport=Losing(method, 1))
    losing.put([(work, "a")], 0.0)
    messages = take(losing, work)
    # One that was sent twice comes twice, as it may on Azure.
    assert [one.body for one in messages] == ["a"] * copies
    for message in messages:
        losing.delete(message)
    assert azurite.count(work) == 0


def test_a_queue_that_stays_empty_is_asked_less_and_less(azurite: StorageQueues, work: str) -> None:
    waits = []
    for _ in range(8):
        waits.append(round(azurite.next_visible(work, 0.0), 1))
        take(azurite, work)
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0, 2.0]
    azurite.put([(work, "a")], 0.0)
    take(azurite, work)
    assert azurite.next_visible(work, 0.0) == 0.1


def reader_over(store: Store, queue: str, work: Callable[[func.QueueMessage], Awaitable[None]]) -> tuple[Queues, Any]:
    """Return the queues of a host and the coroutine that feeds `work`."""
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name=queue, connection="c")
    async def worker(msg: func.QueueMessage) -> None:
        await work(msg)

    queues = Queues(store, HostSettings(max_dequeue_count=3), time.time)
    return queues, queues.read(index(app.get_functions())[0], Invoker(queues.put, None, print))


def test_a_function_that_fails_is_tried_to_the_cap_and_what_works_is_gone(store: Any, work: str) -> None:
    tries: list[tuple[str, int]] = []

    async def worker(msg: func.QueueMessage) -> None:
        tries.append((msg.get_body().decode(), msg.dequeue_count or 0))
        if msg.get_body() == b"bad":
            raise RuntimeError("never")

    async def story() -> None:
        queues, reading = reader_over(store, work, worker)
        reader = asyncio.ensure_future(reading)
        async with asyncio.timeout(20):
            await queues.put([(work, "bad"), (work, "good")])
            while store.count(f"{work}-poison") != 1 or store.count(work):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        reader.cancel()

    asyncio.run(story())
    assert sorted(tries) == [("bad", 1), ("bad", 2), ("bad", 3), ("good", 1)]


class Impatient:
    """A store with short leases that counts how often they are renewed."""

    lease = 1.0

    def __init__(self, store: Store) -> None:
        self._store = store
        self.renewals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def renew(self, message: Message, lease: float, now: float) -> Message:
        renewed = self._store.renew(message, lease, now)
        self.renewals += 1
        return renewed


def test_a_lease_is_renewed_while_its_function_runs(store: Any, work: str) -> None:
    ended, calls = asyncio.Event(), []

    async def worker(msg: func.QueueMessage) -> None:
        calls.append(msg.dequeue_count)
        await ended.wait()

    async def story() -> None:
        impatient = Impatient(store)
        queues, reading = reader_over(impatient, work, worker)
        reader = asyncio.ensure_future(reading)
        async with asyncio.timeout(20):
            await queues.put([(work, "a")])
            # Three renewals reach beyond the end of the first lease.
            while impatient.renewals < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            ended.set()
            while store.count(work):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        reader.cancel()

    asyncio.run(story())
    assert calls == [1]


def test_the_host_keeps_queues_where_azure_web_jobs_storage_says(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text(
        '{"extensions": {"queues": {"messageEncoding": "none", "maxPollingInterval": "00:00:02"}}}'
    )
    settings = read_host_json(tmp_path)
    assert (settings.message_encoding, settings.longest_wait, settings.message_bytes) == ("none", 2.0, 64 * 1024)
    assert isinstance(store_of(tmp_path, settings, {}), QueueStore)
    assert isinstance(store_of(tmp_path, settings, {"AzureWebJobsStorage": storage.connection()}), StorageQueues)
