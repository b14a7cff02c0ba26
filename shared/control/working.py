"""Working on an order: look first, act only when there is nothing to find, record, and say what is due next."""

import asyncio
from collections.abc import MutableMapping, Sequence

from msgspec import Struct

from shared.answers import Order
from shared.errors import Blocked, Conflict, Moved, StepFailed, Unavailable
from shared.ports import Outside
from shared.release import chain, facts, line, state
from shared.release.config import Project
from shared.release.environment import EnvironmentState
from shared.release.facts import Fact
from shared.release.project import ProjectState
from shared.steps import ASKS_PRODUCTION, ASKS_PROJECT, LOOKS
from shared.steps.check import PAST_GIVING_WAY, giving_way, overtaken
from shared.steps.fencing import live_after_all
from shared.steps.turn import Ended, Pending, Turn, Wanted
from shared.streams import Streams, project_stream, release_stream

ATTEMPTS = 5
"""How often a step may try to make one thing before people are asked to look."""


class Working(Struct, frozen=True):
    """Does one step of one release at a time; `locks` keep one process from racing with itself."""

    outside: Outside
    streams: Streams
    locks: MutableMapping[str, asyncio.Lock]

    async def work(self, order: Order, attempt: str) -> list[Order]:
        """Do the step of this order if the release stands there; return the orders that are due now."""
        async with self.locks.setdefault(order.release, asyncio.Lock()):
            looks, named = 1, attempt
            while True:
                try:
                    return await self._work(order, named)
                except Moved:
                    # Each look is an attempt of its own: one that was put off before must not hide it.
                    looks += 1
                    named = f"{attempt}.{looks}"

    async def _work(self, order: Order, attempt: str) -> list[Order]:
        # What is recalled may have grown: each way from here ends by an append at its position, or asks for the rest.
        stream = await self.streams.recall(release_stream(order.release))
        known = state.fold(stream.facts)
        if known.opened is None:
            return []
        if known.ended is not None:
            return [Order("close", order.release)]
        standing = line.standing(known)
        if known.parked is not None:
            await self.streams.still(stream)
            return await self._set_aside(known)
        if standing is None:
            return await self.record(stream, known, [])
        turn_now = line.round_of(known, standing)
        if order.step not in (standing, "look") or order.round not in (0, turn_now):
            await self.streams.still(stream)
            # The order that this one led to may have been lost with the process that recorded it.
            return again(known)
        return await self._look(stream, known, Order(standing, order.release, turn_now), attempt)

    async def _look(self, stream: chain.Stream, known: state.State, order: Order, attempt: str) -> list[Order]:
        try:
            turn = await self._turn(known, order.step)
            if newer := overtaken(turn):
                return await self.record(stream, known, [newer])
            look = LOOKS.get(order.step)
            if look is None:
                raise Unavailable(f"this version of the app does not know the step {order.step}; deploy one that does")
            found = await look(turn)
        except (StepFailed, Conflict, Unavailable) as error:
            # What is not there any more may be gone because the release went on, and this process does not know it.
            await self.streams.still(stream)
            return await self._not_done(order, error)
        # The looks that its beginning asked for may have been lost with the process that began it.
        looks = [Order("look", other, 0) for other in giving_way(turn)]
        match found:
            case Ended(facts=outcome):
                return looks + await self._ended(stream, known, outcome)
            case Pending(name=name, waits_for=event):
                return looks + await self._pending(stream, known, order, name, event)
            case Wanted():
                try:
                    return await self._make(stream, known, order, found, attempt)
                except (StepFailed, Conflict, Unavailable) as error:
                    return await self._not_done(order, error)

    async def _not_done(self, order: Order, error: StepFailed | Conflict | Unavailable) -> list[Order]:
        """Record why a step was not done when that is its outcome, or when people must know; else raise it again."""
        match error:
            case StepFailed():
                fact = facts.StepFailed(order.step, order.round, error.reason, error.advice, error.log)
                return await self._failed(order.release, fact)
            case Blocked():
                await self._note(order.release, facts.Blocked(order.step, order.round, str(error)))
                raise error
            case Moved() | Unavailable():
                raise error
            case Conflict():
                advice = "Somebody else made it: look at it, then open a new release"
                fact = facts.StepFailed(order.step, order.round, str(error), advice)
                return await self._failed(order.release, fact)

    async def _turn(self, known: state.State, step: str) -> Turn:
        opened = known.release
        entry = self.outside.projects.get(opened.project)
        if entry is None:
            reason = f"project {opened.project} is no longer in projects.toml"
            raise StepFailed(reason, "Put it back, or cancel the release")
        return Turn(
            outside=self.outside,
            streams=self.streams,
            state=known,
            step=step,
            round=line.round_of(known, step),
            project=entry,
            known=await self._project(entry, opened.project, step),
            environment=await self._production(opened.project, step),
            now=self.outside.clock(),
        )

    async def _project(self, entry: Project, name: str, step: str) -> ProjectState:
        """Return what is known of the project now; only where a release may give way does every step go by it."""
        asks = step in ASKS_PROJECT or (entry.on_newer == "cancel" and step not in PAST_GIVING_WAY)
        # What the outside CI says after people agreed still counts, until the release is live.
        asks = asks or (step == "promote" and bool(entry.outside_ci))
        return await self.streams.project(name) if asks else ProjectState()

    async def _production(self, name: str, step: str) -> EnvironmentState | None:
        """Return what is known of production now; the steps that compare nothing with it need not know."""
        return await self.streams.environment(name, "production") if step in ASKS_PRODUCTION else None

    async def _ended(self, stream: chain.Stream, known: state.State, outcome: tuple[Fact, ...]) -> list[Order]:
        opened = known.release
        if any(isinstance(fact, facts.Checked) for fact in outcome):
            passed = facts.CommitPassed(opened.release, opened.number, opened.commit)
            await self.streams.add(project_stream(opened.project), [passed])
        return await self.record(stream, known, outcome)

    async def _pending(
        self, stream: chain.Stream, known: state.State, order: Order, name: str, event: str
    ) -> list[Order]:
        if name not in known.submitted:
            await self.streams.append(stream, [facts.Submitted(order.step, order.round, name, event)])
        else:
            await self.streams.still(stream)
        return self._after(known, order.step)

    def _after(self, known: state.State, step: str) -> list[Order]:
        """Once people are asked, the training is over: what waited for its end has its turn."""
        return [Order("govern", project=known.release.project)] if step == "ask" else []

    async def _make(
        self, stream: chain.Stream, known: state.State, order: Order, wanted: Wanted, attempt: str
    ) -> list[Order]:
        tried = known.tried(wanted.name)
        if attempt not in tried and len(tried) >= ATTEMPTS:
            reason = f"{len(tried)} attempts at {wanted.name} gave no outcome"
            await self.record(stream, known, [facts.Parked(order.step, order.round, reason)])
            return await self._set_aside(known)
        started = facts.StepStarted(order.step, order.round, wanted.name, attempt)
        await self.streams.append(stream, [*wanted.facts, started])
        try:
            others = await wanted.act() or ()
        except (Unavailable, Moved) as error:
            put_off = facts.PutOff(order.step, order.round, wanted.name, attempt, str(error))
            await self._note(order.release, put_off)
            raise
        submitted = facts.Submitted(order.step, order.round, wanted.name, wanted.waits_for)
        if await self._note(order.release, submitted):
            # It was closed while this was being made: what is there now has to be stopped too.
            return [Order("close", order.release)]
        if wanted.look_again:
            return await self._work(order, attempt)
        return [Order("look", other, 0) for other in others] + self._after(known, order.step)

    async def _set_aside(self, known: state.State) -> list[Order]:
        """Let nothing wait for a parked release."""
        opened = known.release
        if opened.release not in (await self.streams.project(opened.project)).aside:
            await self.streams.add(project_stream(opened.project), [facts.ReleaseParked(opened.release)])
        return [Order("govern", project=opened.project)]

    async def _note(self, release: str, fact: facts.Submitted | facts.PutOff | facts.Blocked) -> bool:
        """Record what became of a try, unless its outcome was quicker; return whether the release has ended."""
        while True:
            stream = await self.streams.recall(release_stream(release))
            known = state.fold(stream.facts)
            over = known.ended is not None or (fact.step, fact.round) in known.outcomes
            # What blocks a step is told once, not at every look of the patrol.
            told = fact == known.blocked.get((fact.step, fact.round))
            needless = over or told or (isinstance(fact, facts.Submitted) and fact.name in known.submitted)
            try:
                if needless:
                    await self.streams.still(stream)
                else:
                    await self.streams.append(stream, [fact])
            except Moved:
                continue
            return known.ended is not None

    async def _failed(self, release: str, fact: facts.StepFailed) -> list[Order]:
        stream = await self.streams.read(release_stream(release))
        known = state.fold(stream.facts)
        if fact.step == "promote" and await live_after_all(self.streams, known):
            raise Moved(f"{release} is live after all")
        return await self.record(stream, known, [fact])

    async def record(self, stream: chain.Stream, known: state.State, learnt: Sequence[Fact]) -> list[Order]:
        """Append what was learnt and what is due because of it in one piece; return the orders."""
        for fact in learnt:
            state.learn(known, fact)
        due = [] if any(isinstance(fact, facts.ReleaseEnded) for fact in learnt) else line.due(known)
        if learnt or due:
            await self.streams.append(stream, [*learnt, *due])
        else:
            await self.streams.still(stream)
        for fact in due:
            state.learn(known, fact)
        return orders(known, due)


def orders(known: state.State, due: Sequence[Fact]) -> list[Order]:
    """Return the queue messages that facts call for: a step that was ordered, or the close of what has ended."""
    release = known.release.release
    if known.ended is not None:
        return [Order("close", release)]
    return [Order(fact.step, release, fact.round) for fact in due if isinstance(fact, facts.StepOrdered)]


def again(known: state.State) -> list[Order]:
    """Return the order for the step a release stands at: a repeat is how lost messages heal."""
    standing = line.standing(known)
    if known.opened is None or (standing is None and known.ended is None):
        return []
    if standing is None:
        return [Order("close", known.release.release)]
    return [] if known.parked else [Order(standing, known.release.release, line.round_of(known, standing))]
