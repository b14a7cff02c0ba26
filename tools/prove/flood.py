"""Many requests at once over HTTP: sent with so many in flight, answered with status, seconds and body."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

PATIENCE = aiohttp.ClientTimeout(total=120)


@dataclass(frozen=True)
class Asking:
    """One request."""

    url: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    method: str = "POST"


@dataclass(frozen=True)
class Told:
    """Its answer, and the seconds from the request to the end of the answer."""

    status: int
    seconds: float
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The answer as JSON."""
        return dict(json.loads(self.body))


def flood(asked: Sequence[Asking], in_flight: int) -> list[Told]:
    """Send all of it and return the answers in the order of the requests."""
    return asyncio.run(_flood(asked, in_flight))


async def _flood(asked: Sequence[Asking], in_flight: int) -> list[Told]:
    answers: dict[int, Told] = {}
    left = iter(enumerate(asked))
    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector, timeout=PATIENCE) as session:

        async def one_after_the_other() -> None:
            for number, one in left:
                began = time.monotonic()
                async with session.request(one.method, one.url, data=one.body, headers=one.headers) as answer:
                    body = await answer.read()
                answers[number] = Told(answer.status, time.monotonic() - began, body)

        await asyncio.gather(*(one_after_the_other() for _ in range(in_flight)))
    return [answers[number] for number in range(len(asked))]


def quantile(seconds: Iterable[float], share: float) -> float:
    """Return the seconds within which a share of the answers came."""
    ordered = sorted(seconds)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def times(told: Sequence[Told]) -> str:
    """Return the quantiles of the answers' times in words."""
    seconds = [one.seconds for one in told]
    quantiles = (f"p{share * 100:g} {quantile(seconds, share) * 1000:.0f} ms" for share in (0.5, 0.95, 0.99))
    return ", ".join([*quantiles, f"longest {max(seconds) * 1000:.0f} ms"])


def statuses(told: Sequence[Told]) -> dict[int, int]:
    """Return how often each status was answered."""
    return dict(sorted(Counter(one.status for one in told).items()))
