"""The topic endpoint: takes events as Event Grid does and answers once they are on disk."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tools.local.keys import same
from tools.local.subscriptions import Subscription, Subscriptions
from tools.local.topic_store import Event, TopicStore

T = TypeVar("T")
LIMIT = 1024 * 1024
_GRID = ("id", "subject", "eventType", "eventTime")
_CLOUD = ("id", "source", "type")
_RESOURCE = "/subscriptions/local/resourceGroups/local/providers/Microsoft.EventGrid/topics"


class NotAnEvent(ValueError):
    """The body is not what a topic takes; the message says what is missing."""


class Topic:
    """One store behind the endpoint `/topics/{name}/api/events`; `accepted` is set when there is work."""

    def __init__(
        self,
        store: TopicStore,
        subscriptions: Subscriptions,
        key: str,
        is_open: Callable[[Subscription], bool],
        copies: int = 1,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Events go to the subscriptions that are open, `copies` times each: Event Grid promises at least once."""
        self._store = store
        self._subscriptions = subscriptions
        self._key = key
        self._is_open = is_open
        self._copies = copies
        self._now = now
        # One thread: SQLite's commit waits for the disk and must not hold up the loop.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="topic")
        self.accepted = asyncio.Event()

    async def do(self, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call of the store in its thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)

    async def publish(self, request: Request) -> Response:
        """200 once every event is on disk; 401 without the key, 400 and 413 for what is not a batch of events."""
        if not same(request.headers.get("aeg-sas-key", ""), self._key):
            return _refused(401, "Unauthorized", "The header aeg-sas-key does not hold the topic's key.")
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > LIMIT:
                return _refused(413, "PayloadTooLarge", f"A batch may have {LIMIT} bytes.")
        try:
            events = read_events(bytes(body), f"{_RESOURCE}/{request.path_params['name']}")
        except NotAnEvent as error:
            return _refused(400, "BadRequest", str(error))
        await self.do(self._store.accept, [(event, self._wanted(event)) for event in events], self._now())
        self.accepted.set()
        return Response(status_code=200)

    def _wanted(self, event: Event) -> Sequence[tuple[str, str]]:
        known = self._subscriptions.of(event.type, event.subject)
        return [(one.name, one.target) for one in known if self._is_open(one) for _ in range(self._copies)]

    async def deliveries(self, request: Request) -> Response:
        """What was taken in and what became of it, for people who look for a missing event."""
        if not same(request.headers.get("aeg-sas-key", ""), self._key):
            return _refused(401, "Unauthorized", "The header aeg-sas-key does not hold the topic's key.")
        return JSONResponse(list(await self.do(self._store.shown)))


def read_events(body: bytes, topic: str) -> Sequence[Event]:
    """The events of a request body, in either schema; raises NotAnEvent."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotAnEvent(f"The body is not JSON: {error}.") from error
    return [_event(raw, topic) for raw in (content if isinstance(content, list) else [content])]


def _event(raw: Any, topic: str) -> Event:
    if not isinstance(raw, dict):
        raise NotAnEvent("Every event must be a JSON object.")
    cloud = "specversion" in raw
    missing = [name for name in (_CLOUD if cloud else _GRID) if not isinstance(raw.get(name), str) or not raw[name]]
    if missing:
        raise NotAnEvent(f"The event {raw.get('id')!r} has no {', '.join(missing)}.")
    if cloud:
        return Event(raw["id"], raw["type"], str(raw.get("subject") or ""), raw)
    return Event(raw["id"], raw["eventType"], raw["subject"], _completed(raw, topic))


def _completed(raw: Mapping[str, Any], topic: str) -> Mapping[str, Any]:
    return {**raw, "topic": raw.get("topic") or topic, "metadataVersion": raw.get("metadataVersion") or "1"}


def _refused(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)
