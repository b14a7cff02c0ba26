"""Emergencies: one person lets a release into production, and a second must stand behind it, or production is held."""

from typing import Any

from msgspec import Struct

from shared import words
from shared.answers import Answer, Order
from shared.control import judging
from shared.control.reminding import reached
from shared.control.ruling import EVERYWHERE
from shared.control.working import again
from shared.errors import Conflict, Moved, NotAllowed, NotFound
from shared.ports import Outside
from shared.release import chain, environment, facts, ids, line, policy, state, tokens
from shared.release.notices import DecisionGiven, EnvironmentAsked
from shared.release.people import among, same
from shared.steps.bench import Bench
from shared.streams import Streams, environment_stream, project_stream, release_stream

CONFIRM_SECONDS = 24 * 3600
HOLDER = "signalbox"


class Emergency(Struct, frozen=True):
    """The row in the project's stream comes first and is settled last: a broken glass is never forgotten."""

    outside: Outside
    streams: Streams

    async def break_glass(self, given: DecisionGiven) -> Answer:
        """Let exactly this evidence into production without the others; a repeat gives the same answer."""
        while True:
            stream = await self.streams.read(release_stream(given.release))
            known = state.fold(stream.facts)
            turn, asked = judging.question(known, given)
            before, alone = known.glass.get(turn), False
            if before is not None and not same(before.by, given.approver):
                raise Conflict(f"{before.by} broke the glass already; confirm it if you stand behind it")
            if before is not None and _came_to_nothing(known, turn):
                raise Conflict("the glass was broken, and the release ended before it was live: open a new one")
            if before is None:
                bench = await judging.bench(self.outside, self.streams, known, asked)
                judging.is_open(known, asked, bench, self._now())
                alone = _may_break(bench, given)
                await self.streams.add(project_stream(bench.project), [facts.GlassWaits(given.release, turn)])
                confirm_by = self._now() + CONFIRM_SECONDS
                who, why, how = given.approver, given.reason, given.how
                lonely = all(same(each, who) for each in bench.seconds)
                before = facts.GlassBroken(turn, who, why, given.evidence, confirm_by, how, lonely)
                state.learn(known, before)
                try:
                    await self.streams.append(stream, [before])
                except Moved:
                    continue
            message = await self._ask_to_confirm(known, before)
            if alone:
                message += f" {given.approver} made this change, and nobody else may break the glass."
            return Answer(200, _told(given, f"It goes into production now. {message}"), tuple(again(known)))

    async def _ask_to_confirm(self, known: state.State, broken: facts.GlassBroken) -> str:
        """Ask whoever may stand behind it, and say by when; whom nothing reaches is in nobody's way."""
        release, base, deaf = known.release.release, self.outside.public_url, []
        seconds = await self._seconds(known, broken)
        for who in seconds:
            grant = tokens.Grant(release, who, broken.evidence, broken.confirm_by)
            link = f"{base}/api/approvals/{release}?token={tokens.sign(self.outside.approval_key, grant)}"
            letter = words.glass_broken(known, broken, link)
            if not await reached(self.outside, f"{release}-glass-{broken.round}", who, letter):
                deaf.append(who)
        until = f"{words.moment(broken.confirm_by)} UTC"
        if not seconds:
            return f"NOBODY else may confirm that: production is held from {until} on, until the rules name somebody."
        told = f" {', '.join(deaf)} could not be told yet: tell them." if deaf else ""
        return f"Somebody else must confirm that by {until}.{told}"

    async def _seconds(self, known: state.State, broken: facts.GlassBroken) -> tuple[str, ...]:
        """Return who may stand behind a broken glass: whoever might have decided or broken it, and no maker."""
        bench = await judging.bench(self.outside, self.streams, known, known.asked[broken.round])
        return tuple(who for who in bench.seconds if not same(who, broken.by))

    async def confirm(self, given: DecisionGiven) -> Answer:
        """Stand behind a broken glass as the second person; a repeat gives the same answer."""
        while True:
            stream = await self.streams.read(release_stream(given.release))
            known = state.fold(stream.facts)
            broken = _broken(known, given)
            before = known.confirmed.get(broken.round)
            if before is not None and not same(before.by, given.approver):
                raise Conflict(f"{before.by} confirmed it already")
            if before is None:
                if not given.how or not among(given.approver, await self._seconds(known, broken)):
                    raise NotAllowed(f"{given.approver} may not confirm it: a second person must, and no maker")
                if broken.round in known.unconfirmed or self._now() >= broken.confirm_by:
                    raise Conflict("it is too late to confirm it, and production is held: roll back, or lift the hold")
                try:
                    new = facts.GlassConfirmed(broken.round, given.approver, given.reason, given.how)
                    await self.streams.append(stream, [new])
                except Moved:
                    continue
            await self._settle(known, broken.round, "confirmed")
            return Answer(200, _told(given, f"Confirmed: {given.approver} stands behind it beside {broken.by}."))

    async def stand_behind(self, held: facts.Held, asked: EnvironmentAsked) -> None:
        """Record who lifts the hold of an unconfirmed glass as its confirmation; `NotAllowed` for whom it may not be.

        Else the one who broke it would lift it too, and nobody would ever have stood behind it.
        """
        while True:
            stream = await self.streams.read(release_stream(held.release))
            known = state.fold(stream.facts)
            turn = max(known.unconfirmed)
            seconds = await self._seconds(known, known.glass[turn])
            if asked.how not in EVERYWHERE or not among(asked.by, seconds):
                who = ", ".join(seconds) or "nobody"
                may = f"whoever does stands behind that release, and only these may, signed in or with a pass: {who}"
                raise NotAllowed(f"{asked.by} may not lift this hold ({held.reason}): {may}")
            if turn in known.confirmed:
                return
            try:
                await self.streams.append(stream, [facts.GlassConfirmed(turn, asked.by, asked.reason, asked.how)])
            except Moved:
                continue

    async def look(self, name: str) -> list[Order]:
        """Settle what was confirmed; hold production for what was not in time; return what may have to be told."""
        known = self.streams.project_of(await self.streams.recall(project_stream(name)))
        for release, turn in (broken := sorted(known.glass - known.settled)):
            await self._look(await self.streams.read(release_stream(release)), turn)
        return [Order("tell", release) for release, _ in broken]

    async def _look(self, stream: chain.Stream, turn: int) -> None:
        known = state.fold(stream.facts)
        broken = known.glass.get(turn)
        if known.opened is None:
            return
        if _came_to_nothing(known, turn):
            await self._settle(known, turn, "unused")
        elif broken is None:
            # Whoever went to break it was refused, or asked a moment ago.
            if line.standing(known) != "ask":
                await self._settle(known, turn, "unused")
        elif turn in known.confirmed:
            await self._settle(known, turn, "confirmed")
        elif self._now() >= broken.confirm_by and await self._went_live(known):
            # What is not live by now ends at its next look.
            if turn not in known.unconfirmed:
                await self.streams.append(stream, [facts.GlassUnconfirmed(turn, broken.by)])
            await self._hold(known, broken)
            # Whoever cannot be told is told by the page and the status, and brings back no hold that was lifted since.
            await self._settle(known, turn, "unconfirmed")
            for who in (*await self._seconds(known, broken), broken.by):
                letter = words.glass_unconfirmed(known, broken)
                await reached(self.outside, f"{known.release.release}-held-{turn}", who, letter)
        elif self._now() < broken.confirm_by:
            await self._ask_to_confirm(known, broken)

    async def _went_live(self, known: state.State) -> bool:
        production = await self.streams.environment(known.release.project, "production")
        return production.ever_live(known.release.release) is not None

    async def _hold(self, known: state.State, broken: facts.GlassBroken) -> None:
        stream = await self.streams.read(environment_stream(known.release.project, "production"))
        release = known.release.release
        if release not in environment.fold(stream.facts).holds:
            reason = f"nobody confirmed the glass that {broken.by} broke for {ids.alias(release)}"
            held = facts.Held(HOLDER, reason, release)
            await self.streams.append(stream, [held])

    async def _settle(self, known: state.State, turn: int, how: Any) -> None:
        settled = facts.GlassSettled(known.release.release, turn, how)
        await self.streams.add(project_stream(known.release.project), [settled])

    def _now(self) -> int:
        return int(self.outside.clock().timestamp())


def _may_break(bench: Bench, given: DecisionGiven) -> bool:
    """Return whether a maker breaks the glass because nobody else may; `NotAllowed` for whom it is not to break."""
    rules, present = bench.rules, bench.present or bench.rules
    able = [who for who in policy.breakers(rules) if among(who, policy.breakers(present))]
    if not given.how or not among(given.approver, able):
        raise NotAllowed(f"{given.approver} may not break the glass of {bench.project}")
    if bench.makers_may or not among(given.approver, bench.makers):
        return False
    others = [who for who in able if not among(who, bench.makers)]
    if others:
        made = f"{given.approver} made this change and may not break the glass of {bench.project}"
        raise NotAllowed(f"{made}: {' or '.join(others)} may")
    return True


def _came_to_nothing(known: state.State, turn: int) -> bool:
    """Say whether nothing goes or went live by what was decided in this round."""
    return known.round > turn or (known.ended is not None and known.ended.how != "live")


def _broken(known: state.State, given: DecisionGiven) -> facts.GlassBroken:
    if known.opened is None:
        raise NotFound(f"there is no release {given.release}")
    found = next((each for each in known.glass.values() if each.evidence == given.evidence), None)
    if found is None:
        raise Conflict("nobody broke the glass of this evidence: there is nothing to confirm")
    return found


def _told(given: DecisionGiven, message: str) -> dict[str, Any]:
    told = {"release": given.release, "alias": ids.alias(given.release), "decision": given.decision}
    return told | {"approver": given.approver, "evidence": given.evidence, "message": message}
