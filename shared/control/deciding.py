"""What people decide: about evidence, about a release, about an environment."""

from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from shared import words
from shared.answers import Answer, Order
from shared.control import judging
from shared.control.emergency import Emergency
from shared.control.working import again, orders
from shared.errors import Conflict, Moved, NotFound
from shared.ports import Outside
from shared.release import environment, facts, ids, line, policy, state
from shared.release.ids import going_live
from shared.release.notices import CancelAsked, DecisionGiven, EnvironmentAsked, ResumeAsked
from shared.steps.fencing import live_after_all
from shared.streams import Streams, environment_stream, project_stream, release_stream


class Deciding(Struct, frozen=True):
    """Every decision is one conditional append; whoever is second is told what was first."""

    outside: Outside
    streams: Streams
    emergency: Emergency

    async def decide(self, given: DecisionGiven, decision: Literal["approve", "reject"]) -> Answer:
        """Record a decision about exactly the evidence asked about; a repeat gives the same answer."""
        while True:
            stream = await self.streams.read(release_stream(given.release))
            known = state.fold(stream.facts)
            turn, asked = judging.question(known, given)
            # The step that counts the decisions reads the project, and counts no maker whom another process heard of.
            bench = await judging.bench(self.outside, self.streams, known, asked, remembered=True)
            given = replace(given, approver=bench.spelt(given.approver))
            before = known.decided.get(turn, {}).get(given.approver)
            if before is not None and before.decision != given.decision:
                raise Conflict(f"{given.approver} decided already: {before.decision} ({before.reason})")
            if before is None:
                judging.is_open(known, asked, bench, self.outside.clock().timestamp())
                stands_for = bench.stands_for(given, self.outside.clock().date())
                why, how = given.reason, given.how
                fact = facts.Decided(turn, given.approver, decision, why, given.evidence, stands_for, how)
                state.learn(known, fact)
                try:
                    await self.streams.append(stream, [fact])
                except Moved:
                    continue
            return Answer(200, _told(known, given, bench.verdict(known, asked)), tuple(again(known)))

    async def cancel(self, asked: CancelAsked) -> Answer:
        """End an open release; what runs for it is stopped when the close is worked on."""
        while True:
            stream = await self.streams.read(release_stream(asked.release))
            known = state.fold(stream.facts)
            if known.opened is None:
                raise NotFound(f"there is no release {asked.release}")
            if known.ended is None:
                advice = "Open a new release when it is wanted after all"
                step = line.standing(known) or line.NAMES[-1]
                if known.tried(going_live(asked.release)) or await live_after_all(self.streams, known):
                    raise Conflict("it is live, was, or is about to be: roll production back instead")
                ended = facts.ReleaseEnded("cancelled", step, asked.reason, advice, asked.by, asked.how)
                state.learn(known, ended)
                try:
                    await self.streams.append(stream, [ended])
                except Moved:
                    continue
            elif known.ended.how != "cancelled":
                raise Conflict(f"it ended already as {known.ended.how}: {known.ended.reason}")
            body = {"release": asked.release, "alias": ids.alias(asked.release), "state": "cancelled"}
            return Answer(200, body, tuple(orders(known, [])))

    async def resume(self, asked: ResumeAsked) -> Answer:
        """Let a parked step try again, with all its attempts."""
        while True:
            stream = await self.streams.read(release_stream(asked.release))
            known = state.fold(stream.facts)
            if known.ended is not None:
                raise Conflict(f"it ended already as {known.ended.how}: {known.ended.reason}")
            if known.parked is None:
                standing = line.standing(known)
                said = [each for each in stream.facts if isinstance(each, facts.Resumed) and each.step == standing]
                if said and (said[-1].by, said[-1].reason) == (asked.by, asked.reason):
                    # The same words again: their answer was lost, and with it perhaps the order.
                    return _resumed(known, said[-1])
                raise Conflict(f"it is not parked; it waits for {line.waiting_for(known)}")
            # First, so that a resumed release always counts as running again.
            name = project_stream(known.release.project)
            if known.release.release in (await self.streams.project(known.release.project)).aside:
                await self.streams.add(name, [facts.ReleaseResumed(known.release.release)])
            resumed = facts.Resumed(known.parked.step, known.parked.round, asked.by, asked.reason, asked.how)
            state.learn(known, resumed)
            try:
                await self.streams.append(stream, [resumed])
            except Moved:
                continue
            return _resumed(known, resumed)

    async def govern(self, asked: EnvironmentAsked) -> Answer:
        """Roll an environment back, hold it, or lift its hold; a roll back skips waits and leaves a hold."""
        if asked.project not in self.outside.projects:
            raise NotFound(f"there is no project {asked.project} in projects.toml")
        if asked.environment != "production":
            raise Conflict("every release has a slot of its own in staging: hold, lift and roll back production")
        while True:
            stream = await self.streams.read(environment_stream(asked.project, asked.environment))
            now = environment.fold(stream.facts)
            if asked.action == "lift" and now.held and now.held.release:
                await self.emergency.stand_behind(now.held, asked)
            new = _governed(now, asked)
            try:
                if new:
                    await self.streams.append(stream, new)
            except Moved:
                continue
            return await self._governed(asked, bool(new))

    async def _governed(self, asked: EnvironmentAsked, changed: bool) -> Answer:
        due = [Order("converge", project=asked.project, environment=asked.environment)]
        if asked.action == "lift":
            known = await self.streams.project(asked.project)
            waiting = [release for release in known.numbered if release not in known.closed]
            due += [Order("promote", release, 0) for release in waiting]
        now = await self.streams.environment(asked.project, asked.environment)
        body: dict[str, Any] = {
            "project": asked.project,
            "environment": asked.environment,
            "changed": changed,
            "live": ids.alias(now.live.release) if now.live else None,
            "version": now.live.version if now.live else None,
            "held": now.held.reason if now.held else None,
        }
        return Answer(200 if asked.action != "rollback" else 202, body, tuple(due))


def _resumed(known: state.State, resumed: facts.Resumed) -> Answer:
    release = known.release.release
    body = {"release": release, "alias": ids.alias(release), "state": "open", "step": resumed.step}
    return Answer(202, body, tuple(again(known)))


def _told(known: state.State, given: DecisionGiven, verdict: policy.Verdict) -> dict[str, Any]:
    if given.decision == "reject":
        message = "Rejected. Production stays as it is."
    elif verdict.approved:
        message = "Approved. It goes into production now."
    else:
        lacking = [f"{verdict.lacking} more must agree"] if verdict.lacking else []
        lacking += [f"somebody of @{name} must agree" for name in verdict.groups]
        message = f"Approved by {given.approver}; {', and '.join(lacking)}."
        if not verdict.enough:
            message += f" But {words.fell_short(verdict)}: name more people in projects.toml, and open a new release."
    told = {"release": given.release, "alias": ids.alias(given.release), "decision": given.decision}
    return told | {"approver": given.approver, "evidence": given.evidence, "message": message}


def _governed(now: environment.EnvironmentState, asked: EnvironmentAsked) -> list[facts.Fact]:
    own = facts.Held(asked.by, asked.reason, how=asked.how)
    if asked.action == "hold":
        return [] if "" in now.holds else [own]
    if asked.action == "lift":
        return [facts.Lifted(asked.by, asked.reason, now.held.release, asked.how)] if now.held else []
    if now.live is None:
        raise Conflict(f"nothing is live in {asked.environment} of {asked.project}")
    if not asked.to and now.held and now.live.why == "rolled back":
        # A repeat, its answer lost or its button pressed twice: going further back names where to.
        return []
    old = now.ever_live(asked.to) if asked.to else now.before
    if old is None:
        where = f"live in {asked.environment} of {asked.project}"
        raise Conflict(f"{asked.to} was never {where}" if asked.to else f"no older release was ever {where}")
    if old.release == now.live.release:
        return []
    back = facts.LiveDecided(
        generation=now.generation + 1,
        release=old.release,
        number=old.number,
        slot=old.slot,
        version=old.version,
        image=old.image,
        by=asked.by,
        why="rolled back",
        evidence=old.evidence,
        deploys=old.deploys,
        adopted=old.adopted,
        how=asked.how,
    )
    return [back, own]
