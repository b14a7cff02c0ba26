"""Queues in SQLite by a clock of ours: leases, delays, and what a reader does at its limits."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path

import azure.functions as func
import pytest

from tools.local.host_json import HostSettings
from tools.local.index import Function, index
from tools.local.invoke import Invoker
from tools.local.queue_store import Message, QueueStore
from tools.local.queues import Queues, TooLong


@pytest.fixture
def store(tmp_path: Path) -> QueueStore:
    return QueueStore(tmp_path / "queues.db")


def take_one(store: QueueStore, now: float, lease: float = 60.0) -> Message:
    (message,) = store.take("work", 16, lease, now)
    return message


def test_a_leased_message_is_hidden_until_its_lease_ends(store: QueueStore) -> None:
    store.put([("work", "a")], 0.0)
    take_one(store, 0.0)
    assert store.take("work", 16, 60.0, 59.9) == []
    assert take_one(store, 60.0).dequeues == 2


def test_a_renewed_lease_lasts_longer(store: QueueStore) -> None:
    store.put([("work", "a")], 0.0)
    store.renew(take_one(store, 0.0), 60.0, 50.0)
    assert store.take("work", 16, 60.0, 109.0) == []
    assert store.next_visible("work", 0.0) == 110.0


def test_a_lease_that_was_lost_changes_nothing_any_more(store: QueueStore) -> None:
    store.put([("work", "a")], 0.0)
    lost, held = take_one(store, 0.0), take_one(store, 60.0)
    store.delete(lost)
    store.release(lost, 0.0, 61.0)
    store.poison(lost, 61.0)
    assert store.take("work", 16, 60.0, 62.0) == []
    store.delete(held)
    assert store.count("work") == 0


def test_what_a_dead_host_held_is_visible_at_once_but_a_delay_is_kept(store: QueueStore, tmp_path: Path) -> None:
    store.put([("work", "held"), ("work", "delayed")], 0.0)
    held, delayed = store.take("work", 16, 600.0, 0.0)
    store.release(delayed, 300.0, 0.0)
    store.close()
    again = QueueStore(tmp_path / "queues.db")
    assert again.free_all(10.0) == 1
    assert [one.body for one in again.take("work", 16, 600.0, 10.0)] == [held.body]
    assert [one.body for one in again.take("work", 16, 600.0, 300.0)] == ["delayed"]


def test_a_message_expires_after_a_week(store: QueueStore) -> None:
    store.put([("work", "a")], 0.0)
    assert store.take("work", 16, 60.0, 7 * 24 * 3600.0) == []


def test_all_messages_of_a_call_are_put_or_none(store: QueueStore) -> None:
    with pytest.raises(ValueError, match="unpack"):
        store.put([("work", "a"), ("work",)], 0.0)  # type: ignore[list-item]
    assert store.count("work") == 0


def queue_function(work: Callable[[str, int], Awaitable[None]]) -> Function:
    app = func.FunctionApp()

    @app.queue_trigger(arg_name="msg", queue_name="work", connection="c")
    async def worker(msg: func.QueueMessage) -> None:
        await work(msg.get_body().decode(), msg.dequeue_count or 0)

    return index(app.get_functions())[0]


async def eventually(ready: Callable[[], bool]) -> None:
    while not ready():  # noqa: ASYNC110 - the store is changed by another thread, which has no event for us
        await asyncio.sleep(0.001)


async def several_looks(queues: Queues) -> None:
    """Let a reader that wants more take it: its calls and ours go through one thread, in order."""
    for _ in range(5):
        await queues.put([("other", "x")])
        await asyncio.sleep(0)


async def reading(
    store: QueueStore,
    settings: HostSettings,
    work: Callable[[str, int], Awaitable[None]],
    story: Callable[[Queues], Awaitable[None]],
    now: Callable[[], float],
) -> None:
    """Play `story` while a reader feeds `work`."""
    queues = Queues(store, settings, now)
    reader = asyncio.ensure_future(queues.read(queue_function(work), Invoker(queues.put, None, print)))
    async with asyncio.timeout(20):
        await story(queues)
    reader.cancel()


def test_a_reader_takes_no_more_at_once_than_its_settings_allow(store: QueueStore) -> None:
    gate = asyncio.Semaphore(0)
    busy: set[str] = set()

    async def work(body: str, _: int) -> None:
        busy.add(body)
        await gate.acquire()
        busy.remove(body)

    async def story(queues: Queues) -> None:
        await queues.put([("work", str(number)) for number in range(20)])
        await eventually(lambda: len(busy) == 4)
        await several_looks(queues)
        assert len(busy) == 4
        gate.release()
        gate.release()
        await eventually(lambda: len(busy) == 6)
        await several_looks(queues)
        assert len(busy) == 6

    clock = itertools.count()
    settings = HostSettings(batch_size=4, new_batch_threshold=2)
    asyncio.run(reading(store, settings, work, story, lambda: float(next(clock))))


def test_a_failed_message_waits_for_the_visibility_timeout(store: QueueStore) -> None:
    tries: list[tuple[int, float]] = []
    now, second = [1000.0], asyncio.Event()

    async def work(_: str, dequeue: int) -> None:
        tries.append((dequeue, now[0]))
        if dequeue == 1:
            raise RuntimeError("not yet")
        second.set()

    async def story(queues: Queues) -> None:
        await queues.put([("work", "a")])
        await eventually(lambda: store.next_visible("work", 0.0) == 1030.0)
        now[0] = 1030.0
        await queues.put([("work", "b")])
        await second.wait()

    asyncio.run(reading(store, HostSettings(visibility_timeout=30.0), work, story, lambda: now[0]))
    assert (1, 1000.0) in tries
    assert (2, 1030.0) in tries


def test_a_message_over_the_limit_is_refused_and_none_of_its_call_is_put(store: QueueStore) -> None:
    async def put() -> None:
        await Queues(store, HostSettings(message_bytes=10), lambda: 0.0).put([("work", "fits"), ("work", "x" * 11)])

    with pytest.raises(TooLong, match="11 bytes; 10 are allowed"):
        asyncio.run(put())
    assert store.count("work") == 0
