"""Returning: what Event Grid gave up is taken in from its dead letters, so that losing an event costs minutes."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from shared.answers import Answer, Order
from shared.errors import Absent, NotUnderstood, NotYet, SignalboxError, Unavailable
from shared.ports import Outside
from shared.release import facts
from shared.release.notices import Notice
from shared.streams import INBOX, Streams

log = logging.getLogger("signalbox")
AT_ONCE = 50
"""Letters that one look of the patrol takes in."""

Told = Callable[[bytes], Sequence[Notice]]
TakeIn = Callable[[Sequence[Notice]], Awaitable[Answer]]


class Returning(Struct, frozen=True):
    """Reads letters, keeps them as artifacts, and removes them once what they told is recorded."""

    outside: Outside
    streams: Streams

    async def take_in_letters(self, told: Told, take_in: TakeIn) -> list[Order]:
        """Take in what waits; a letter that cannot be taken in now stays for the next look."""
        orders: list[Order] = []
        try:
            waiting = await self.outside.letters.waiting(AT_ONCE)
        except SignalboxError as error:
            log.warning("no letter can be taken in now: error=%r", error)
            return orders
        for name, content in waiting:
            try:
                orders += await self._one(name, content, told, take_in)
            except SignalboxError as error:
                log.warning("letter=%r cannot be taken in now: error=%r", name, error)
                # What is away is so for the letters after this one too; what is broken or has its turn later is not.
                if isinstance(error, Unavailable) and not isinstance(error, NotYet):
                    break
        return orders

    async def _one(self, name: str, content: bytes, told: Told, take_in: TakeIn) -> list[Order]:
        kept = await self.outside.artifacts.put(content)
        orders: list[Order] = []
        became: facts.Became = "recorded"
        reason = "an event that was not delivered came back from its dead letter"
        try:
            for notice in told(content):
                try:
                    orders += (await take_in([notice])).orders
                except Absent as error:
                    # It came again for as long as Event Grid sends it; a letter that stayed would stay for ever.
                    became, reason = "refused", f"{reason}, and it is waited for no longer: {error}"
        except NotUnderstood as error:
            became, reason = "refused", f"{reason}, and cannot be used: {error}"
        await self.streams.add(INBOX, [facts.CameIn("dead-letter", name, became, reason, kept)])
        await self.outside.letters.forget(name)
        return orders
