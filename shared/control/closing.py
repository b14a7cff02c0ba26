"""Closing an ended release, and letting the stable address follow its stream."""

from msgspec import Struct

from shared.answers import Order
from shared.control.governing import Governing
from shared.errors import Moved, Unavailable
from shared.ports import Outside
from shared.release import chain, environment, facts, line, state
from shared.release.ids import run_name, slot_name
from shared.streams import Streams, environment_stream, project_stream, release_stream


class Closing(Struct, frozen=True):
    """Cleans up after an ending; every part may be repeated, and the mark goes last."""

    outside: Outside
    streams: Streams
    governing: Governing

    async def close(self, release: str) -> list[Order]:
        """Stop what still runs for an ended release, vacate its slots, and take its mark away."""
        known = state.fold((await self.streams.recall(release_stream(release))).facts)
        if known.ended is None:
            known = state.fold((await self.streams.read(release_stream(release))).facts)
        if known.opened is None or known.ended is None:
            return []
        project = known.opened.project
        # By their computed names: a job may have been started by a worker that died before it said so.
        for step in line.JOBS:
            for turn in range(1, line.round_of(known, step) + 1):
                await self.outside.jobs.cancel(run_name(release, step, turn))
        await self._vacate(project, "staging", slot_name(release, "staging"))
        due = await self._keep_two(project, release)
        await self._record(project, facts.ReleaseClosed(release, known.ended.how))
        due += await self.governing.turns(project)
        await self.outside.ledger.unmark(f"open/{release}")
        return due

    async def _record(self, project: str, closed: facts.ReleaseClosed) -> None:
        """Record the close once: an event that comes late closes again, and must not grow a stream that never ends."""

        def missing(stream: chain.Stream) -> bool:
            return closed.release not in self.streams.project_of(stream).closed

        stream = await self.streams.recall(project_stream(project))
        if missing(stream):
            await self.streams.add_while(missing, stream, closed)

    async def _vacate(self, project: str, which: str, slot: str) -> None:
        def claimed(stream: chain.Stream) -> bool:
            return slot in environment.fold(stream.facts).slots

        await self.outside.hosting.stop(slot)
        stream = await self.streams.recall(environment_stream(project, which))
        if not claimed(stream):
            # By another process, perhaps.
            stream = await self.streams.read(stream.name)
        if claimed(stream):
            await self.streams.add_while(claimed, stream, facts.SlotVacated(slot))

    async def _keep_two(self, project: str, release: str) -> list[Order]:
        """Stop the production slots that are neither live nor the one a roll back goes to; return what mends a mistake.

        That they are left is proved after they were stopped: a slot that is recorded as vacated is looked at no more.
        """
        stream = await self.streams.read(environment_stream(project, "production"))
        production, ours = environment.fold(stream.facts), slot_name(release, "production")
        kept = {decided.slot for decided in (production.live, production.before) if decided}
        # Those that were live and stopped are many after some years, and each is a question to the outside.
        left = {decided.slot for decided in production.history} - kept - production.vacated
        stopped = sorted(left | ({ours} - kept))
        for slot in stopped:
            await self.outside.hosting.stop(slot)
        try:
            if left:
                await self.streams.append(stream, [facts.SlotVacated(slot) for slot in sorted(left)])
            elif stopped:
                await self.streams.still(stream)
        except Moved:
            # Production was rolled back meanwhile, perhaps to what was just stopped: that is started again.
            # What is still left is stopped once more by the next close.
            return [Order("converge", project=project, environment="production")]
        return []

    async def converge(self, project: str, which: str) -> list[Order]:
        """Make the stable address answer from the head of its stream; raises `Unavailable` until it does."""
        live = (await self.streams.environment(project, which)).live
        if live is None:
            return []
        service = await self.outside.hosting.find(live.slot)
        if service is None or service.status in ("stopped", "failed"):
            await self.outside.hosting.deploy(live.slot, project, which, live.release, live.image)
        if service is None or service.status != "answering":
            raise Unavailable(f"slot {live.slot} does not answer yet")
        await self.outside.hosting.point(project, which, live.slot, live.release, live.generation)
        seen = await self.outside.hosting.seen(project, which)
        if seen is None or seen.generation != live.generation:
            raise Unavailable(f"the stable address of {project} {which} does not answer from {live.slot} yet")
        row = facts.LiveSeen(live.generation, live.release)
        await self.streams.add(environment_stream(project, which), [row])
        return []
