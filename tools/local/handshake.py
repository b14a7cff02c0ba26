"""Asks a webhook whether it wants our events before it gets any, as Event Grid does in both schemas."""

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tools.local.dead_letters import stamp
from tools.local.envelope import ORIGIN
from tools.local.keys import same
from tools.local.subscriptions import CLOUD, Subscription, Subscriptions
from tools.local.topic import Topic
from tools.local.topic_store import TopicStore

log = logging.getLogger("grid")
AGAIN, BY_HAND = 10.0, 300.0
_LOOK = 1.0
_PATIENCE = aiohttp.ClientTimeout(total=30)


@dataclass(frozen=True)
class Asked:
    """An endpoint that was asked: with which code, when again, and whether it may answer by opening its address."""

    code: str
    again: float
    by_hand: bool


class Handshakes:
    """The endpoints that said yes, and those that are being asked; `scale` multiplies the waits."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        store: TopicStore,
        topic: Topic,
        url: str,
        scale: float = 1.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._subscriptions = subscriptions
        self._store = store
        self._topic = topic
        self._url = url
        self._scale = scale
        self._now = now
        self._validated = dict(store.validated())
        self._asked: dict[str, Asked] = {}

    def is_open(self, one: Subscription) -> bool:
        """Whether events may go to the subscription; a function of the host needs no handshake."""
        return not one.endpoint or _key(one) in self._validated

    def pause(self, one: Subscription) -> float:
        """The seconds that the endpoint wants between two requests, 0 for none."""
        rate = self._validated.get(_key(one), 0.0)
        return 60.0 / rate if rate else 0.0

    async def keep_going(self, session: aiohttp.ClientSession) -> None:
        """Ask every endpoint that has not answered, until cancelled."""
        while True:
            await asyncio.gather(*(self._ask(session, one) for one in self._subscriptions.all() if self._is_due(one)))
            await asyncio.sleep(min(_LOOK, AGAIN * self._scale))

    def _is_due(self, one: Subscription) -> bool:
        asked = self._asked.get(_key(one))
        return not self.is_open(one) and (asked is None or asked.again <= self._now())

    async def confirm(self, request: Request) -> Response:
        """Somebody opened a validation address: 200 if it is one we gave and its five minutes are not over."""
        for one in self._subscriptions.all():
            asked = self._asked.get(_key(one))
            if asked and asked.by_hand and same(request.query_params.get("id", ""), asked.code):
                await self._accept(one, 0.0)
                return PlainTextResponse(f"The subscription {one.name} is validated.")
        return PlainTextResponse("This validation address is not, or no longer, known.", 404)

    async def _ask(self, session: aiohttp.ClientSession, one: Subscription) -> None:
        code = secrets.token_urlsafe(24)
        # Known before the request: the endpoint may open the address while it is being asked.
        self._asked[_key(one)] = Asked(code, self._now() + BY_HAND * self._scale, by_hand=one.schema != CLOUD)
        try:
            said = await (_options(session, one) if one.schema == CLOUD else self._post(session, one, code))
        except (aiohttp.ClientError, TimeoutError, ValueError, RecursionError) as error:
            said = f"{type(error).__name__}"
        if isinstance(said, float):
            await self._accept(one, said)
        elif said and not self.is_open(one):
            self._asked[_key(one)] = Asked(code, self._now() + AGAIN * self._scale, by_hand=False)
            log.warning("subscription %s is not validated: its endpoint answered %s; it is asked again", one.name, said)

    async def _accept(self, one: Subscription, rate: float) -> None:
        await self._topic.do(self._store.keep_validated, _key(one), rate)
        self._validated[_key(one)] = rate
        self._asked.pop(_key(one), None)
        log.info("subscription %s is validated", one.name)

    async def _post(self, session: aiohttp.ClientSession, one: Subscription, code: str) -> float | str:
        """0.0 for yes, what was wrong for no, and empty for an endpoint that must open the address itself."""
        headers = {"aeg-event-type": "SubscriptionValidation", "aeg-subscription-name": one.name.upper()}
        event = self._event(code)
        async with session.post(one.endpoint, json=[event], headers=headers, timeout=_PATIENCE) as answer:
            text = await answer.text()
        if answer.status != 200:
            return f"{answer.status}, not 200"
        content = json.loads(text) if text.strip() else {}
        given = content.get("validationResponse") if isinstance(content, dict) else None
        if given is None:
            return ""
        return 0.0 if given == code else "another validationResponse than the validationCode"

    def _event(self, code: str) -> Mapping[str, Any]:
        return {
            "id": secrets.token_hex(16),
            "topic": "/subscriptions/local",
            "subject": "",
            "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
            "eventTime": stamp(self._now()),
            "data": {"validationCode": code, "validationUrl": f"{self._url}/validate?id={code}"},
            "metadataVersion": "1",
            "dataVersion": "1",
        }


async def _options(session: aiohttp.ClientSession, one: Subscription) -> float | str:
    """The requests a minute that the endpoint allows, 0.0 for any, or what was wrong: the status says nothing."""
    async with session.options(one.endpoint, headers={"WebHook-Request-Origin": ORIGIN}, timeout=_PATIENCE) as answer:
        allowed, rate = (answer.headers.get(f"WebHook-Allowed-{name}", "") for name in ("Origin", "Rate"))
    if allowed not in (ORIGIN, "*"):
        return f"WebHook-Allowed-Origin {allowed!r}"
    return float(rate) if rate.isdigit() else 0.0


def _key(one: Subscription) -> str:
    return json.dumps([one.name, one.endpoint, one.schema])
