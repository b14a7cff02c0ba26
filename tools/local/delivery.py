"""Delivers events to their subscribers: at least once, unordered, on Event Grid's schedule."""

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus

import aiohttp

from shared.errors import Unavailable
from tools.local.blobs import Blobs
from tools.local.dead_letters import letter, letter_path
from tools.local.envelope import envelope, in_schema, is_cloud
from tools.local.handshake import Handshakes
from tools.local.subscriptions import Subscription, Subscriptions
from tools.local.topic import Topic
from tools.local.topic_store import Due, TopicStore

log = logging.getLogger("grid")
# Event Grid's documented waits; after the last one it tries every twelve hours.
SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
NEVER_AGAIN = {400, 401, 403, 413}
# Event Grid waits this long before it writes a dead letter.
LETTER_AFTER = 300
# And it tries to write one this long.
LETTERS_FOR = 4 * 3600
_DELIVERED = {200, 201, 202, 203, 204}
_AT_ONCE = 16
_PATIENCE = aiohttp.ClientTimeout(total=30)
_HOST_AWAY = 1.0


@dataclass(frozen=True)
class Target:
    """Where the host listens, and the system key that its webhook asks for."""

    host_url: str
    system_key: str


class Courier:
    """Takes what is due from the store and brings it to its subscriber, several at a time.

    `scale` multiplies the waits between attempts, the time to live, and the wait before a dead letter.
    """

    def __init__(
        self,
        topic: Topic,
        store: TopicStore,
        subscriptions: Subscriptions,
        handshakes: Handshakes,
        target: Target,
        blobs: Blobs,
        scale: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._topic = topic
        self._store = store
        self._subscriptions = subscriptions
        self._handshakes = handshakes
        self._target = target
        self._blobs = blobs
        self._scale = scale
        self._now = now
        self._busy = set[int]()
        self._tasks = set[asyncio.Task[None]]()
        self._not_before = dict[str, float]()

    async def keep_going(self, session: aiohttp.ClientSession) -> None:
        """Deliver until cancelled."""
        await self._topic.do(self._store.forget_old, self._now())
        await self._topic.do(self._store.wake_all, self._now())
        while True:
            self._topic.accepted.clear()
            soonest = await self._start(session)
            wait = None if soonest is None else max(0.005, min(60.0, soonest - self._now()))
            with suppress(TimeoutError):
                await asyncio.wait_for(self._topic.accepted.wait(), wait)

    async def _start(self, session: aiohttp.ClientSession) -> float | None:
        """Start what is due; when the next one is, or None to be woken."""
        later = list[float]()
        for due in await self._topic.do(self._store.waiting, _AT_ONCE + len(self._busy) + 1):
            if due.seq in self._busy:
                continue
            if len(self._tasks) >= _AT_ONCE:
                return None
            at = max(due.due, self._not_before.get(due.subscription, 0.0))
            if at > self._now():
                later.append(at)
                continue
            batch = await self._batch(due)
            self._busy |= {one.seq for one in batch}
            task = asyncio.ensure_future(self._deliver(session, batch))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, batch))
        return min(later, default=None)

    def _terms(self, due: Due) -> Subscription:
        """The subscription of a delivery; what was accepted is delivered when it is gone from the file too."""
        known = self._subscriptions.named(due.subscription)
        if known is not None and known.target == due.function:
            return known
        is_webhook = "://" in due.function
        return Subscription(due.subscription, "" if is_webhook else due.function, endpoint=due.function * is_webhook)

    async def _batch(self, due: Due) -> Sequence[Due]:
        """What goes in one request with `due`: no wait for more, never above the number, above the size only alone."""
        terms = self._terms(due)
        pause = self._handshakes.pause(terms)
        if pause:
            self._not_before[due.subscription] = self._now() + pause
        if terms.max_events == 1 or due.reason:
            return [due]
        found = await self._topic.do(self._store.companions, due, terms.max_events - 1 + len(self._busy), self._now())
        return filled(terms, due, [one for one in found if one.seq not in self._busy])

    def _done(self, batch: Sequence[Due], task: asyncio.Task[None]) -> None:
        self._busy -= {one.seq for one in batch}
        self._tasks.discard(task)
        self._topic.accepted.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a delivery could not be recorded and is made again: %r", error)

    async def _deliver(self, session: aiohttp.ClientSession, batch: Sequence[Due]) -> None:
        terms = self._terms(batch[0])
        if batch[0].reason:
            await self._bury(terms, batch[0])
            return
        oldest = self._now() - terms.ttl_minutes * 60 * self._scale
        fresh = [one for one in batch if one.accepted > oldest]
        for one in batch:
            if one.accepted <= oldest:
                await self._give_up(terms, one, "TimeToLiveExceeded")
        if fresh:
            await self._attempt(session, terms, fresh)

    async def _attempt(self, session: aiohttp.ClientSession, terms: Subscription, batch: Sequence[Due]) -> None:
        try:
            status, outcome = await self._post(session, terms, batch)
        except aiohttp.ClientConnectorError:
            if not terms.endpoint:
                # The host is away (starting, being restarted): nobody said no, so no attempt is used up.
                away = [replace(one, due=self._now() + _HOST_AWAY, outcome="host is away") for one in batch]
                await self._topic.do(self._store.again, away)
                return
            status, outcome = 0, "ConnectionRefused"
        tried = [
            replace(one, attempts=one.attempts + 1, outcome=outcome, tried=self._now(), due=self._next(one.attempts))
            for one in batch
        ]
        if status in _DELIVERED:
            await self._topic.do(self._store.end, tried, "delivered")
            return
        if status in NEVER_AGAIN:
            again, over = list[Due](), {one.seq: f"UndeliverableDueToHttp{outcome}" for one in tried}
        else:
            over = {one.seq: "MaxDeliveryAttemptsExceeded" for one in tried if one.attempts >= terms.max_attempts}
            again = [one for one in tried if one.seq not in over]
        for one in again:
            log.warning("event %s to %s: %s; again in %g s", one.id, one.function, outcome, one.due - self._now())
        if again:
            await self._topic.do(self._store.again, again)
        for one in tried:
            if one.seq in over:
                await self._give_up(terms, one, over[one.seq])

    def _next(self, attempts: int) -> float:
        return self._now() + SCHEDULE[min(attempts, len(SCHEDULE) - 1)] * self._scale

    async def _post(self, session: aiohttp.ClientSession, terms: Subscription, batch: Sequence[Due]) -> tuple[int, str]:
        request = envelope(terms, [in_schema(terms, one.body) for one in batch], batch[0].attempts)
        url, query, headers = terms.endpoint, {}, dict(request.headers)
        if not url:
            url = f"{self._target.host_url}/runtime/webhooks/EventGrid"
            query, headers["x-functions-key"] = {"functionName": terms.function}, self._target.system_key
        try:
            async with session.post(
                url, params=query, data=request.body, headers=headers, timeout=_PATIENCE, allow_redirects=False
            ) as answer:
                await answer.read()
                return answer.status, _name(answer.status)
        except TimeoutError:
            return 0, "TimedOut"
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ClientError as error:
            return 0, type(error).__name__

    async def _give_up(self, terms: Subscription, due: Due, reason: str) -> None:
        log.error("event %s to %s is given up after %d attempts: %s", due.id, due.function, due.attempts, reason)
        if not terms.dead_letter:
            await self._topic.do(self._store.end, [due], "dropped")
            return
        later = self._now() + LETTER_AFTER * self._scale
        await self._topic.do(self._store.again, [replace(due, reason=reason, due=later)])

    async def _bury(self, terms: Subscription, due: Due) -> None:
        # The letter first: a crash between the two writes it twice, never not at all.
        body = letter(due, in_schema(terms, due.body))
        try:
            await self._blobs.put(terms.dead_letter, letter_path(terms.name, self._now()), body)
        except (OSError, Unavailable) as error:
            await self._put_off(due, error)
        else:
            await self._topic.do(self._store.end, [due], "dead")

    async def _put_off(self, due: Due, error: OSError | Unavailable) -> None:
        log.error("the dead letter of event %s could not be written: %s", due.id, error)
        if self._now() > due.tried + LETTERS_FOR * self._scale:
            await self._topic.do(self._store.end, [due], "dropped")
        else:
            await self._topic.do(self._store.again, [replace(due, due=self._now() + LETTER_AFTER * self._scale)])


def filled(terms: Subscription, due: Due, companions: Sequence[Due]) -> Sequence[Due]:
    """`due` and as many of `companions` as one request may hold; all of one schema."""
    batch, size = [due], len(due.text)
    for one in companions:
        size += len(one.text)
        if len(batch) == terms.max_events or size > terms.preferred_kilobytes * 1024:
            break
        if is_cloud(one.body) == is_cloud(due.body):
            batch.append(one)
    return batch


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")
    except ValueError:
        return str(status)
