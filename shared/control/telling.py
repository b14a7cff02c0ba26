"""Telling outside what becomes of releases: beside the line, which never waits for it and never ends by it."""

import asyncio
import logging
from collections.abc import MutableMapping, Sequence

from msgspec import Struct

from shared.answers import Order
from shared.control import addressed
from shared.errors import Blocked, SignalboxError, Unavailable
from shared.ports import Outside
from shared.release import chain, facts, state, telling
from shared.release.facts import Fact
from shared.release.telling import Telling
from shared.streams import Streams, environment_stream, release_stream, told_stream

log = logging.getLogger("signalbox")
TARGETS = told_stream("targets")
"""What nothing reaches now, of all projects, in a stream of its own: who looks at health reads no release."""


class Outgoing(Struct, frozen=True):
    """What is derived and not yet told is told; what cannot be is tried again by the queue, and then given up."""

    outside: Outside
    streams: Streams
    locks: MutableMapping[str, asyncio.Lock]

    async def after(self, order: Order) -> list[Order]:
        """Return the order to tell, when there is something to tell after this one was worked on.

        It goes by what this process remembers: what that does not hold, the next order of the release finds.
        """
        if not self._tells() or not (order.release or order.environment):
            return []
        about = Order("tell", order.release, project=order.project, environment=order.environment)
        try:
            told = await self.streams.recall(told_stream(_about(about)))
            due = telling.due(self._wanted(await self.streams.recall(_source(about)), about), told.facts)
        except SignalboxError as error:
            log.warning("about=%r what is to be told of it cannot be read: error=%r", _about(about), error)
            return []
        return [about] if due else []

    async def tell(self, about: Order, last: bool = False) -> None:
        """Tell all that is due about a release, or about an environment; raises `Unavailable` for what was not taken.

        With `last` that is given up. So is what no repeat would help, and what goes where nothing arrives now.
        """
        async with self.locks.setdefault(f"tell/{_about(about)}", asyncio.Lock()):
            while True:
                source = await self.streams.read(_source(about))
                if missed := await self._round(source, about, last):
                    raise Unavailable("; ".join(dict.fromkeys(missed)))
                if (await self.streams.read(source.name)).position == source.position:
                    # What became of it meanwhile is told too, so that what is told last is what is so now.
                    return

    async def _round(self, source: chain.Stream, about: Order, last: bool) -> list[str]:
        """Tell all that is due as far as `source` goes, and return why some of it has to be tried again."""
        told = await self.streams.read(told_stream(_about(about)))
        before = await self._lost()
        lost = dict(before)
        failed: dict[tuple[str, str], Unavailable] = {}
        again: list[str] = []
        for one in telling.due(self._wanted(source, about), told.facts):
            # Of the mail server, one may be refused and another not.
            place = (one.target, one.who if one.target == addressed.MAIL else "")
            # Where one thing did not arrive the others are not tried now: each would wait as long.
            if place not in failed:
                try:
                    await self._say(one, source.facts, about)
                except Unavailable as error:
                    failed[place] = error
            if place not in failed:
                await self._arrived(told.name, one, lost)
            elif last or one.target in before or isinstance(failed[place], Blocked):
                await self._give_up(told.name, one, str(failed[place]), lost)
            else:
                again.append(f"{one.target}: {failed[place]}")
        return again

    async def _say(self, one: Telling, known: Sequence[Fact], about: Order) -> None:
        if one.target == addressed.MAIL:
            await self.outside.channels.mail(one.who, one.subject, one.text)
        elif one.subject:
            await self.outside.channels.send(one.target, one.subject, one.text)
        else:
            opened = state.fold(known).release
            page = self._page(about)
            await self.outside.statuses.post(opened.project, opened.commit, one.what, one.state, one.text, page)

    async def _arrived(self, name: str, one: Telling, lost: dict[str, str]) -> None:
        await self.streams.add(name, [facts.Told(one.what, one.target, one.said, one.who)])
        if lost.pop(one.target, None) is not None:
            await self.streams.add(TARGETS, [facts.TargetBack(one.target)])

    async def _give_up(self, name: str, one: Telling, reason: str, lost: dict[str, str]) -> None:
        log.error("about=%r target=%r could not be told %r: error=%r", name, one.target, one.what, reason)
        await self.streams.add(name, [facts.NotTold(one.what, one.target, one.said, reason, one.who)])
        if lost.get(one.target) != reason:
            lost[one.target] = reason
            await self.streams.add(TARGETS, [facts.TargetLost(one.target, reason)])

    async def untold(self) -> dict[str, str]:
        """Return who cannot be told anything now, each with the reason, as anybody may see it."""
        return {addressed.shown(self.outside, target): reason for target, reason in (await self._lost()).items()}

    async def _lost(self) -> dict[str, str]:
        return telling.lost((await self.streams.read(TARGETS)).facts) if self._tells() else {}

    def _tells(self) -> bool:
        return self.outside.channels.mails or any(entry.tell for entry in self.outside.projects.values())

    def _page(self, about: Order) -> str:
        pages = f"{self.outside.public_url}/api/pages"
        return f"{pages}/releases/{about.release}" if about.release else pages

    def _wanted(self, source: chain.Stream, about: Order) -> list[Telling]:
        if about.release:
            return addressed.of_release(self.outside, source.facts, self._page(about))
        return addressed.of_production(self.outside, about.project, source.facts, self._page(about))


def _about(order: Order) -> str:
    return order.release or f"{order.project}/{order.environment}"


def _source(order: Order) -> str:
    return release_stream(order.release) if order.release else environment_stream(order.project, order.environment)
