"""Governing: what data, drift and schedules want of a project is one pending request, answered when it is worth it."""

from msgspec import Struct

from shared.answers import Order
from shared.control.opening import Opened, Opening
from shared.errors import Moved
from shared.ports import Outside
from shared.release import chain, facts, governor, project, state
from shared.streams import Streams, project_stream, release_stream


class Ruling(Struct, frozen=True):
    """What the governor decided: a release it opened, or why nothing was opened; neither when nothing is wanted."""

    opened: Opened | None = None
    waits: facts.Governed | None = None

    @property
    def orders(self) -> list[Order]:
        """The work that is due because of it."""
        return [self.opened.order] if self.opened and self.opened.order else []


class Governing(Struct, frozen=True):
    """Decides by one conditional append in the project's stream."""

    outside: Outside
    streams: Streams
    opening: Opening

    async def govern(self, name: str, read: chain.Stream | None = None) -> Ruling:
        """Decide about all that is wanted of a project now; `read` is its stream when the caller has just read it."""
        async with self.opening.alone(name):
            while True:
                try:
                    return await self._govern(name, read or await self.streams.read(project_stream(name)))
                except Moved:
                    read = None

    async def look(self, name: str) -> list[Order]:
        """Return what is due without anybody asking: what is wanted and may begin now, and what never quite began.

        Nothing delivers a timer's look again when the process dies over it, so the next look ends what it began.
        """
        stream = await self.streams.read(project_stream(name))
        orders: list[Order] = []
        for numbered in self.streams.project_of(stream).running:
            known = state.fold((await self.streams.read(release_stream(numbered.release))).facts)
            # What is blocked waits for people; that it is asked again each minute is enough for its host.
            if not known.submitted and not known.attempts and not known.blocked:
                begun = await self.opening.start(name, project.before(stream.facts, numbered.release), numbered)
                orders += [begun.order] if begun.order else []
        return orders + (await self.govern(name, stream)).orders

    async def turns(self, name: str) -> list[Order]:
        """Return what is due when a release of the project is through: its successor's turn, and what is wanted."""
        entry = self.outside.projects.get(name)
        if entry is None:
            return []
        orders = await self.look(name)
        if entry.on_newer == "queue":
            running = (await self.streams.project(name)).running
            orders += [Order("look", numbered.release) for numbered in running[:1]]
        return orders

    async def _govern(self, name: str, stream: chain.Stream) -> Ruling:
        known, now = self.streams.project_of(stream), int(self.outside.clock().timestamp())
        match governor.choose(known, self.outside.projects[name], now):
            case None:
                return Ruling()
            case governor.Start() as start:
                asked = self.opening.numbered(name, known, start.commit, start.ask, start.cause, "", start.reason)
                await self.streams.append(stream, [asked])
                return Ruling(opened=await self.opening.start(name, known, asked))
            case facts.Governed() as decided:
                # The same reason again is no news: a storm of blobs leaves one row.
                if decided.decision != "waits" or known.waits is None or known.waits.why != decided.why:
                    await self.streams.append(stream, [decided])
                return Ruling(waits=decided)
