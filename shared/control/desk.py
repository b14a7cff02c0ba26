"""The desk: every notice, order and look of the patrol comes across it."""

import asyncio
import logging
from collections.abc import Callable, MutableMapping, Sequence
from typing import TypeVar
from weakref import WeakValueDictionary

import msgspec
from msgspec import Struct

from shared.answers import Answer, Order
from shared.control.adopting import Adopting
from shared.control.building import Building
from shared.control.checkpointing import Checkpointing
from shared.control.closing import Closing
from shared.control.deciding import Deciding
from shared.control.edge import within
from shared.control.emergency import Emergency
from shared.control.governing import Governing
from shared.control.heads import Heads
from shared.control.hearing import Hearing
from shared.control.looking import Looking
from shared.control.opening import Opened, Opening
from shared.control.patrolling import Patrolling
from shared.control.reading import Reading
from shared.control.reminding import Reminding
from shared.control.replaying import Replaying
from shared.control.returning import Returning, Told
from shared.control.ruling import Ruling
from shared.control.scheduling import Scheduling
from shared.control.speaking import SpeaksFor
from shared.control.telling import Outgoing
from shared.control.triggers import Triggers
from shared.control.working import Working
from shared.errors import NotUnderstood, SignalboxError
from shared.ports import Outside
from shared.release import facts, notices
from shared.release.notices import Notice
from shared.streams import INBOX, Streams

log = logging.getLogger("signalbox")
_Asked = TypeVar("_Asked", notices.CancelAsked, notices.ResumeAsked, notices.RerunAsked)


class Control(Struct, frozen=True):
    """The release controller over one outside; build it with `Control.over`."""

    outside: Outside
    streams: Streams
    triggers: Triggers
    governing: Governing
    scheduling: Scheduling
    hearing: Hearing
    building: Building
    working: Working
    closing: Closing
    deciding: Deciding
    ruling: Ruling
    emergency: Emergency
    patrolling: Patrolling
    reading: Reading
    looking: Looking
    returning: Returning
    replaying: Replaying
    checkpointing: Checkpointing
    outgoing: Outgoing
    heard: dict[str, str]
    """When each function last heard an event, since this process started."""
    turned_away: dict[str, str]
    """When somebody we do not trust was last turned away, by reason, since this process started: the ledger is not
    theirs to fill."""
    event_seconds: float

    @staticmethod
    def over(
        outside: Outside,
        event_seconds: float,
        branch_minutes: float,
        locks: MutableMapping[str, asyncio.Lock] | None = None,
    ) -> "Control":
        """Return the controller of everything that `outside` reaches; `locks` are those of the process.

        An event that is not recorded within `event_seconds` is given back: Event Grid waits for 30 and then sends it
        again beside the one that is still worked on.
        The head of a branch is compared with what was taken in every `branch_minutes`.
        """
        streams = Streams(outside.ledger, outside.clock, outside.sign)
        locks = WeakValueDictionary() if locks is None else locks
        opening = Opening(outside, streams, locks)
        adopting = Adopting(outside, streams, opening)
        governing = Governing(outside, streams, opening)
        reading = Reading(outside, streams)
        emergency, ruling = Emergency(outside, streams), Ruling(outside, streams)
        return Control(
            outside=outside,
            streams=streams,
            triggers=Triggers(outside, streams, opening, governing, adopting),
            governing=governing,
            scheduling=Scheduling(outside, streams),
            hearing=Hearing(streams, adopting),
            building=Building(outside, streams),
            working=Working(outside, streams, locks),
            closing=Closing(outside, streams, governing),
            deciding=Deciding(outside, streams, emergency),
            ruling=ruling,
            emergency=emergency,
            patrolling=Patrolling(
                outside=outside,
                streams=streams,
                opening=opening,
                governing=governing,
                emergency=emergency,
                reminding=Reminding(outside, streams),
                ruling=ruling,
                heads=Heads(outside, streams, opening, branch_minutes, {}),
            ),
            reading=reading,
            looking=Looking(reading),
            returning=Returning(outside, streams),
            replaying=Replaying(outside, streams, opening),
            checkpointing=Checkpointing(outside.ledger, outside.checkpoints, streams, outside.prover),
            outgoing=Outgoing(outside, streams, locks),
            heard={},
            turned_away={},
            event_seconds=event_seconds,
        )

    @property
    def proof(self) -> dict[str, bool]:
        """What makes the ledger prove itself: signatures, and checkpoints in a second place."""
        return {"signed": self.outside.sign is not None, "checkpoints": self.outside.checkpoints is not None}

    async def take_in(self, told: Sequence[Notice], speaks_for: SpeaksFor | None = None) -> Answer:
        """Record notices and return what is due; `speaks_for` limits a sender to the projects whose secret it knows."""
        opened: list[Opened] = []
        recorded: list[str] = []
        orders: list[Order] = []
        for notice in told:
            match notice:
                case notices.DecisionGiven(decision="break-glass"):
                    return await self.emergency.break_glass(notice)
                case notices.DecisionGiven(decision="confirm"):
                    answer = await self.emergency.confirm(notice)
                    return await self._telling(answer, Order("", notice.release))
                case notices.DecisionGiven(decision="approve" | "reject" as decision):
                    return await self.deciding.decide(notice, decision)
                case notices.CancelAsked():
                    return await self.deciding.cancel(await self._named(notice))
                case notices.ResumeAsked():
                    return await self.deciding.resume(await self._named(notice))
                case notices.RerunAsked():
                    new, _ = await self.triggers.pull(await self._named(notice), speaks_for)
                    opened += new
                case notices.EnvironmentAsked(project=project, by=by, how=how):
                    await self.ruling.allow(project, by, how, "operator")
                    answer = await self.deciding.govern(notice)
                    # A roll back is told at once, and not only when the address answers from where it went.
                    return await self._telling(answer, Order("", "", 1, notice.project, notice.environment))
                case notices.PolicyAccepted():
                    return await self.ruling.accept(notice)
                case notices.RunHeard() | notices.ModelHeard() | notices.ImageHeard() | notices.ServiceHeard():
                    orders += await self.hearing.hear(notice)
                case notices.BuildHeard():
                    looks, said = await self.building.hear(notice, speaks_for)
                    orders += looks
                    recorded += said
                case _:
                    if isinstance(notice, notices.OpenAsked):
                        await self.ruling.allow(notice.project, notice.by, notice.how, "operator")
                    new, said = await self.triggers.pull(notice, speaks_for)
                    opened += new
                    recorded += said
        orders += [release.order for release in opened if release.order]
        return Answer(202, {"releases": [new.plain() for new in opened], "recorded": recorded}, tuple(orders))

    async def _telling(self, answer: Answer, about: Order) -> Answer:
        return msgspec.structs.replace(answer, orders=(*answer.orders, *await self.outgoing.after(about)))

    async def _named(self, notice: _Asked) -> _Asked:
        """Return what an operator asks of a release with its id: people say an alias, a number or a version."""
        opened = (await self.reading.release(notice.release)).state.release
        await self.ruling.allow(opened.project, notice.by, notice.how, "operator")
        return msgspec.structs.replace(notice, release=opened.release)

    def turn_away(self, reason: str) -> None:
        """Remember that somebody we do not trust came, for health to tell."""
        self.turned_away[reason] = self.outside.clock().isoformat(timespec="seconds")

    async def replay(self, asked: notices.ReplayAsked, told: Told) -> Answer:
        """Take in again what a row told; `told` reads what came back from a dead letter."""
        about = asked.row.rpartition(":")[0]
        # What is nobody's may be anybody's once it is taken in again.
        for name in [about] if about in self.outside.projects else self.outside.projects:
            await self.ruling.allow(name, asked.by, asked.how, "operator")
        return await self.replaying.replay(asked, told, self.take_in)

    async def take_in_event(self, read: Callable[[], Sequence[Notice]], function: str) -> Answer:
        """Record what an event says; one that can never be used is kept with its reason and acknowledged."""
        self.heard[function] = self.outside.clock().isoformat(timespec="seconds")
        return await within(self.event_seconds, self._take_in_event(read, function))

    async def _take_in_event(self, read: Callable[[], Sequence[Notice]], function: str) -> Answer:
        try:
            told = read()
        except NotUnderstood as error:
            await self.streams.add(INBOX, [facts.CameIn(function, "event", "refused", str(error))])
            return Answer()
        return await self.take_in(told)

    async def work(self, message: str, attempt: str) -> Answer:
        """Work on one queue message; `attempt` names this delivery, so that a repeat of it is not counted twice."""
        try:
            order = msgspec.json.decode(message, type=Order)
        except msgspec.MsgspecError as error:
            raise NotUnderstood(f"the order cannot be read ({error}): {message[:200]}") from error
        return await self._telling(Answer(orders=tuple(await self._work(order, attempt))), order)

    async def _work(self, order: Order, attempt: str) -> list[Order]:
        match order.step:
            case "close":
                return await self.closing.close(order.release)
            case "converge":
                return await self.closing.converge(order.project, order.environment)
            case "govern":
                return await self.governing.turns(order.project)
            case "tell":
                await self.outgoing.tell(order)
                return []
            case _:
                return await self.working.work(order, attempt)

    async def patrol(self, told: Told) -> Answer:
        """Look at everything open, and at dead letters, which `told` reads; return the orders that heal."""
        returned = await self.returning.take_in_letters(told, self.take_in)
        due = await self.patrolling.patrol()
        telling = [tell for order in due if order.step == "tell" for tell in await self.outgoing.after(order)]
        return Answer(orders=(*returned, *(order for order in due if order.step != "tell"), *telling))

    async def time_passed(self) -> Answer:
        """Let schedules come due, and look again at what waits for quiet, a cool-down or a budget."""
        orders: list[Order] = []
        for name in self.outside.projects:
            try:
                await self.scheduling.come_due(name)
                orders += await self.governing.look(name)
            except SignalboxError as error:
                log.warning("project=%r what is wanted of it cannot be looked at: error=%r", name, error)
        return Answer(orders=tuple(orders))

    async def give_up(self, message: str) -> None:
        """Take an order out of the poison queue; one that cannot be read was never ours."""
        try:
            order = msgspec.json.decode(message, type=Order)
        except msgspec.MsgspecError as error:
            log.error("message=%r in the poison queue cannot be read: error=%r", message[:200], error)
            return
        if order.step == "tell":
            await self.outgoing.tell(order, last=True)
        else:
            await self.patrolling.give_up(order)
