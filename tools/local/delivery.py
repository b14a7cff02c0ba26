"""Delivers events to functions: at least once, unordered, on Event Grid's schedule."""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp

from tools.local.files import write_json
from tools.local.topic import Topic
from tools.local.topic_store import Due, TopicStore

log = logging.getLogger("grid")
# Event Grid's documented waits; after the last one it tries every twelve hours.
SCHEDULE = (10, 30, 60, 300, 600, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
MOST_ATTEMPTS = 30
NEVER_AGAIN = {400, 401, 403, 413}
_AT_ONCE = 16
_PATIENCE = aiohttp.ClientTimeout(total=30)
_HOST_AWAY = 1.0


@dataclass(frozen=True)
class Target:
    """Where the host listens, and the system key that its webhook asks for."""

    host_url: str
    system_key: str


class Courier:
    """Takes what is due from the store and brings it to the host, several at a time."""

    def __init__(
        self,
        topic: Topic,
        store: TopicStore,
        target: Target,
        dead_letters: Path,
        scale: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._topic = topic
        self._store = store
        self._target = target
        self._dead_letters = dead_letters
        self._scale = scale
        self._now = now
        self._busy: dict[int, asyncio.Task[None]] = {}

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
        rows = await self._topic.do(self._store.waiting, _AT_ONCE + len(self._busy) + 1)
        for due in rows:
            if due.seq in self._busy:
                continue
            if len(self._busy) >= _AT_ONCE:
                return None
            if due.due > self._now():
                return due.due
            task = asyncio.ensure_future(self._deliver(session, due))
            self._busy[due.seq] = task
            task.add_done_callback(partial(self._done, due.seq))
        return None

    def _done(self, seq: int, task: asyncio.Task[None]) -> None:
        del self._busy[seq]
        self._topic.accepted.set()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a delivery could not be recorded and is made again: %r", error)

    async def _deliver(self, session: aiohttp.ClientSession, due: Due) -> None:
        try:
            status, outcome = await self._post(session, due)
        except aiohttp.ClientConnectorError:
            # The host is away (starting, being restarted): nobody said no, so no attempt is used up.
            await self._topic.do(self._store.again, due.seq, due.attempts, self._now() + _HOST_AWAY, "host is away")
            return
        attempts = due.attempts + 1
        if status in (200, 201, 202, 203, 204):
            await self._topic.do(self._store.end, due.seq, attempts, "delivered", outcome)
        elif status in NEVER_AGAIN:
            await self._bury(due, attempts, f"UndeliverableDueToHttp{outcome}", outcome)
        elif attempts >= MOST_ATTEMPTS:
            await self._bury(due, attempts, "MaxDeliveryAttemptsExceeded", outcome)
        else:
            wait = SCHEDULE[min(attempts, len(SCHEDULE)) - 1] * self._scale
            log.warning("event %s to %s: %s; again in %g s", due.event.id, due.function, outcome, wait)
            await self._topic.do(self._store.again, due.seq, attempts, self._now() + wait, outcome)

    async def _post(self, session: aiohttp.ClientSession, due: Due) -> tuple[int, str]:
        url = f"{self._target.host_url}/runtime/webhooks/EventGrid"
        cloud = due.event.is_cloud
        headers = {
            "Content-Type": f"application/{'cloudevents+json' if cloud else 'json'}; charset=utf-8",
            "x-functions-key": self._target.system_key,
            "aeg-event-type": "Notification",
            "aeg-subscription-name": due.subscription.upper(),
            "aeg-delivery-count": str(due.attempts),
            "aeg-metadata-version": str(due.event.body.get("specversion" if cloud else "metadataVersion", "1")),
            "aeg-data-version": str(due.event.body.get("dataVersion", "")),
        }
        body = json.dumps(due.event.body if cloud else [due.event.body]).encode()
        query = {"functionName": due.function}
        try:
            async with session.post(url, params=query, data=body, headers=headers, timeout=_PATIENCE) as answer:
                await answer.read()
                return answer.status, _name(answer.status)
        except TimeoutError:
            return 0, "TimedOut"
        except aiohttp.ClientConnectorError:
            raise
        except aiohttp.ClientError as error:
            return 0, type(error).__name__

    async def _bury(self, due: Due, attempts: int, reason: str, outcome: str) -> None:
        log.error("event %s to %s is dead after %d attempts: %s", due.event.id, due.function, attempts, outcome)
        path = self._dead_letters / due.subscription.upper() / f"{_day(self._now())}" / f"{uuid.uuid4()}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        about = {
            "deadLetterReason": reason,
            "deliveryAttempts": attempts,
            "lastDeliveryOutcome": outcome,
            "publishTime": _stamp(due.accepted),
            "lastDeliveryAttemptTime": _stamp(self._now()),
        }
        if due.event.is_cloud:
            about = {name.lower(): value for name, value in about.items()}
        # The letter first: a crash between the two writes it twice, never not at all.
        await self._topic.do(write_json, path, [{**due.event.body, **about}])
        await self._topic.do(self._store.end, due.seq, attempts, "dead", outcome)


def _name(status: int) -> str:
    try:
        return HTTPStatus(status).phrase.replace(" ", "").replace("-", "")
    except ValueError:
        return str(status)


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _day(at: float) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    return f"{moment.year}/{moment.month}/{moment.day}/{moment.hour}"
