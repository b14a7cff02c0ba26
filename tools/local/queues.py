"""Reads queues for queue functions: leases, retries, poison, and no polling within one process."""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar

from azure.functions.meta import Datum

from shared.errors import Unavailable
from tools.local.host_json import HostSettings
from tools.local.index import Function
from tools.local.invoke import InvocationFailed, Invoker
from tools.local.queue_store import Message, Store

log = logging.getLogger("host")
T = TypeVar("T")
_AWAY = 1.0
_HIDDEN = 600.0


class TooLong(ValueError):
    """A message that a storage queue would refuse."""


class Held:
    """A message whose function runs: `message` is the one that carries the lease now."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.changing = asyncio.Lock()


class Queues:
    """The queues of one host: `put` is durable when it returns and wakes the reader of its queue."""

    def __init__(self, store: Store, settings: HostSettings, now: Callable[[], float]) -> None:
        self._store = store
        self._settings = settings
        self._now = now
        # One thread: SQLite's commit waits for the disk and must not hold up the loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="queues")
        self._wake: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def _do(self, call: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def free_all(self) -> None:
        """Give back what a host that is gone was working on."""
        freed = await self._do(self._store.free_all, self._now())
        if freed:
            log.warning("%d queue messages were being worked on when the last host ended; they come again", freed)

    async def put(self, messages: Sequence[tuple[str, str]]) -> None:
        """Add all of `messages` (queue, body) in one transaction; TooLong if one is over the limit."""
        for queue, body in messages:
            size = len(body.encode())
            if size > self._settings.message_bytes:
                raise TooLong(f"A message for {queue} has {size} bytes; {self._settings.message_bytes} are allowed.")
        await self._do(self._store.put, messages, self._now())
        for queue, _ in messages:
            self._wake[queue].set()

    async def read(self, function: Function, invoker: Invoker) -> None:
        """Feed `function` from its queue until cancelled; up to batchSize + newBatchThreshold at once."""
        queue, busy = str(function.trigger["queueName"]), set[asyncio.Task[None]]()
        wake = self._wake[queue]
        while True:
            wake.clear()
            if len(busy) > self._settings.new_batch_threshold:
                await wake.wait()
                continue
            batch = await self._taken(queue)
            for message in batch:
                task = asyncio.ensure_future(self._work(function, invoker, message))
                busy.add(task)
                task.add_done_callback(busy.discard)
                task.add_done_callback(lambda _: wake.set())
            if not batch:
                await self._until_something(queue, wake)

    async def _taken(self, queue: str) -> Sequence[Message]:
        most = self._settings.batch_size
        try:
            return await self._do(self._store.take, queue, most, self._store.lease, self._now())
        except Unavailable as error:
            log.warning("queue %s is not read now: %s", queue, error)
            await asyncio.sleep(_AWAY)
            return []

    async def _until_something(self, queue: str, wake: asyncio.Event) -> None:
        due = await self._do(self._store.next_visible, queue, self._now())
        wait = None if due is None else max(0.01, min(60.0, due - self._now()))
        try:
            await asyncio.wait_for(wake.wait(), wait)
        except TimeoutError:
            return

    async def _work(self, function: Function, invoker: Invoker, message: Message) -> None:
        held = Held(message)
        lease = asyncio.ensure_future(self._keep(held))
        try:
            await invoker.run(function, Datum(message.body, "string"), metadata(message))
        except InvocationFailed:
            await self._finish(held, lease, self._give_back)
        else:
            await self._finish(held, lease, self._done)

    async def _finish(self, held: Held, lease: asyncio.Future[None], how: Callable[[Message], Awaitable[None]]) -> None:
        """End the lease first: a renewal under way gives the message another receipt."""
        async with held.changing:
            lease.cancel()
            try:
                await how(held.message)
            except Unavailable as error:
                log.warning("message %s comes again when its lease ends: %s", held.message.id, error)

    async def _keep(self, held: Held) -> None:
        while True:
            await asyncio.sleep(self._store.lease / 2)
            async with held.changing:
                try:
                    held.message = await self._do(self._store.renew, held.message, self._store.lease, self._now())
                except Unavailable as error:
                    log.warning("the lease of message %s was not renewed: %s", held.message.id, error)

    async def _done(self, message: Message) -> None:
        await self._do(self._store.delete, message)

    async def _give_back(self, message: Message) -> None:
        if message.dequeues < self._settings.max_dequeue_count:
            await self._do(self._store.release, message, self._settings.visibility_timeout, self._now())
        elif not message.queue.endswith("-poison"):
            log.error("message %s failed %d times; moved to %s-poison", message.id, message.dequeues, message.queue)
            await self._do(self._store.poison, message, self._now())
            self._wake[f"{message.queue}-poison"].set()
        else:
            # A poison queue has no poison queue: as on the real host the message stays hidden for the time of a lease.
            await self._do(self._store.release, message, _HIDDEN, self._now())


def metadata(message: Message) -> Mapping[str, Datum]:
    """The trigger metadata of a queue message, as the worker hands it to the converters."""
    return {
        "Id": Datum(message.id, "string"),
        "DequeueCount": Datum(message.dequeues, "int"),
        "InsertionTime": Datum(_stamp(message.inserted), "string"),
        "ExpirationTime": Datum(_stamp(message.expires), "string"),
        "NextVisibleTime": Datum(_stamp(message.visible), "string"),
        "PopReceipt": Datum(message.receipt, "string"),
    }


def by_hand(body: Any) -> tuple[Datum, Mapping[str, Datum]]:
    """What a queue function gets when it is started through the admin endpoint."""
    text = body if isinstance(body, str) else json.dumps(body)
    return Datum(text, "string"), {"DequeueCount": Datum(1, "int")}


def _stamp(at: float | None) -> str:
    moment = datetime.max.replace(tzinfo=UTC) if at is None else datetime.fromtimestamp(at, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")
