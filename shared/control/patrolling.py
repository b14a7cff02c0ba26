"""The patrol: the same loop with no notice, over the open marks; losing every event costs minutes, not releases."""

import logging
from collections.abc import Awaitable, MutableMapping

from msgspec import Struct

from shared.answers import Order
from shared.control.emergency import Emergency
from shared.control.governing import Governing
from shared.control.heads import Heads
from shared.control.opening import Opening
from shared.control.reminding import Reminding
from shared.control.ruling import Ruling
from shared.control.working import again
from shared.errors import Moved, SignalboxError
from shared.ports import Outside
from shared.release import chain, facts, line, project, state
from shared.streams import Streams, project_stream, release_stream

log = logging.getLogger("signalbox")


class Patrolling(Struct, frozen=True):
    """Orders again what every open release stands at, and what no event told about."""

    outside: Outside
    streams: Streams
    opening: Opening
    governing: Governing
    emergency: Emergency
    reminding: Reminding
    ruling: Ruling
    heads: Heads

    async def patrol(self) -> list[Order]:
        """Return orders for every open release, for heads that were never pushed to us, and for addresses that lag."""
        orders: list[Order] = []
        marks = await self.outside.ledger.marks("open/")
        known: dict[str, state.State] = {}
        for name, content in marks:
            orders += await _looked(name, self._open(name.removeprefix("open/"), content, known))
        marked = {name.removeprefix("open/") for name, _ in marks}
        for name in self.outside.projects:
            orders += await _looked(name, self._unmarked(name, marked))
            orders += await _looked(name, self.emergency.look(name))
            orders += await _looked(name, self.ruling.look(name))
            orders += await _looked(name, self._address(name))
            orders += await _looked(name, self.governing.turns(name))
        orders += await self.heads.look()
        # Last, for what is due waits for nobody to be told.
        for name, open in known.items():
            await _looked(name, self._remind(open))
        return orders

    async def _remind(self, known: state.State) -> list[Order]:
        await self.reminding.look(known)
        return []

    async def _open(self, release: str, content: bytes, found: MutableMapping[str, state.State]) -> list[Order]:
        stream = await self.streams.read(release_stream(release))
        if not stream.records:
            return await self._unbegun(release, content)
        known = state.fold(stream.facts)
        due = line.due(known)
        if due:
            try:
                await self.streams.append(stream, due)
            except Moved:
                return []
            for fact in due:
                state.learn(known, fact)
        found[release] = known
        return again(known)

    async def _unbegun(self, release: str, content: bytes) -> list[Order]:
        """Begin a release from its number; whoever can write a mark makes no release, so the mark only names one."""
        opened = chain.decode(f"open/{release}", content).facts[0]
        name = opened.project if isinstance(opened, facts.ReleaseOpened) else ""
        known = await self.streams.project(name) if name in self.outside.projects else None
        if known is None or release not in known.numbered:
            log.error("release=%r has a mark and no number in project=%r: nothing begins", release, name)
            return []
        begun = await self.opening.again(name, release)
        return [begun.order] if begun.order else []

    async def _unmarked(self, name: str, marked: set[str]) -> list[Order]:
        """Begin what has its number and no mark: its ingest ended in between, and its sender may never come again."""
        stream = await self.streams.read(project_stream(name))
        known = self.streams.project_of(stream)
        begun = [
            await self.opening.start(name, project.before(stream.facts, release), numbered)
            for release, numbered in known.numbered.items()
            if release not in marked and release not in known.closed
        ]
        return [release.order for release in begun if release.order]

    async def _address(self, name: str) -> list[Order]:
        production = await self.streams.environment(name, "production")
        live = production.live
        if live is None:
            return []
        seen = await self.outside.hosting.seen(name, "production")
        late = seen is None or seen.generation != live.generation or production.seen < live.generation
        return [Order("converge", project=name, environment="production")] if late else []

    async def give_up(self, order: Order) -> None:
        """Log an order that ended in the poison queue; the patrol orders its step again, so nothing is lost.

        What is parked is parked by the attempts it used up, never by an outside service that was away for minutes.
        """
        log.error("release=%r step=%r its order failed at every delivery; the patrol orders it again", *_names(order))


async def _looked(about: str, look: Awaitable[list[Order]]) -> list[Order]:
    """Return what one look finds; one that fails is made again in a minute, and keeps nobody else from theirs."""
    try:
        return await look
    except SignalboxError as error:
        log.warning("about=%r the patrol cannot look at it: error=%r", about, error)
        return []


def _names(order: Order) -> tuple[str, str]:
    return order.release or f"{order.project}/{order.environment}", order.step
