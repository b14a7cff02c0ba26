"""promote: into the production slot, tried there, live by one conditional append, seen at the stable address.

The slot is create-only and the stable address carries a generation, so a late older switch changes nothing.
"""

from shared.errors import Moved, StepFailed, Unavailable
from shared.ports import Service
from shared.release import environment, gates
from shared.release.facts import (
    Approved,
    Fact,
    LiveDecided,
    LiveSeen,
    Packaged,
    Promoted,
    ReleaseEnded,
    Tried,
    VersionAdopted,
)
from shared.release.ids import going_live, slot_name
from shared.release.line import known
from shared.steps import outside_ci
from shared.steps.ask import changed, outrun
from shared.steps.fencing import live_after_all
from shared.steps.try_ import TryResult, try_job, with_its_cause
from shared.steps.turn import JOB_ENDS, Ended, Found, Pending, Turn, Wanted, read_result
from shared.streams import environment_stream


async def look(turn: Turn) -> Found:
    """Go through slot, try, decision and address; stop at the first that is not there."""
    live = turn.production.live
    ours = live is not None and live.release == turn.release.release
    if not ours:
        if over := _rolled_back(turn) or outside_ci.failed(turn) or changed(turn) or outrun(turn):
            return Ended((over,))
        if (late := _unconfirmed(turn)) and not await live_after_all(turn.streams, turn.state):
            return Ended((late,))
        if turn.production.held is not None:
            held = turn.production.held
            return Pending(f"hold by {held.by}", f"the hold to be lifted ({held.reason})")
    slot = slot_name(turn.release.release, "production")
    service = await turn.outside.hosting.find(slot)
    # What is live and did not come back is started again: its release has not failed.
    if service is None or service.status == "stopped" or (ours and service.status == "failed"):
        return Wanted(slot, "ModelDeployed", lambda: _deploy(turn, slot))
    if service.status == "starting":
        return Pending(slot, "ModelDeployed")
    if service.status == "failed":
        raise StepFailed(f"the service {slot} did not start: {service.log[-400:]}", "Production stays as it is")
    return await _tried(turn, service)


def _rolled_back(turn: Turn) -> Fact | None:
    """A release that was live and is not any more never comes back by itself, not even when the hold is lifted."""
    if turn.production.ever_live(turn.release.release) is None:
        return None
    reason = "it was live and production was rolled back"
    return ReleaseEnded("superseded", turn.step, reason, "Open a new release when it is mended")


def _unconfirmed(turn: Turn) -> Fact | None:
    """Say that nobody confirmed a broken glass in time: what did not go live until then does not any more."""
    broken = turn.state.glass.get(turn.round)
    if broken is None or turn.round in turn.state.confirmed or turn.now.timestamp() < broken.confirm_by:
        return None
    reason = f"nobody confirmed the glass that {broken.by} broke in time, and it was not live yet"
    return ReleaseEnded("expired", turn.step, reason, "Open a new release of the same commit")


async def _deploy(turn: Turn, slot: str) -> None:
    opened = turn.release
    image = known(turn.state, "package", Packaged).image
    await turn.outside.hosting.deploy(slot, opened.project, "production", opened.release, image)


async def _tried(turn: Turn, service: Service) -> Found:
    name = turn.job_name("promote", turn.round)
    report = await turn.outside.jobs.find(name)
    if report is None or report.status == "lost":

        async def submit() -> None:
            await turn.outside.jobs.submit(try_job(turn, name, service.url))

        return Wanted(name, JOB_ENDS, submit)
    if report.status == "running":
        return Pending(name, JOB_ENDS)
    if report.status != "completed":
        failure = StepFailed(report.reason, report.advice or "Production stays as it is", name)
        raise with_its_cause(failure, service)
    refused = gates.gate(turn.release, _tried_fact(turn, report.result, name))
    if refused:
        raise StepFailed(refused.reason, "Production stays as it is", name)
    return await _live(turn, service, report.seconds)


def _tried_fact(turn: Turn, result: str, job: str) -> Fact:
    read = read_result(result, TryResult, job)
    return Tried(turn.round, read.golden, read.bad_inputs, read.p95_ms, read.claims)


async def _live(turn: Turn, service: Service, seconds: float) -> Found:
    opened, live = turn.release, turn.production.live
    if live is None or live.release != opened.release:
        return Wanted(going_live(opened.release), "LiveSeen", lambda: _decide(turn, service.slot), look_again=True)
    seen = await turn.outside.hosting.seen(opened.project, "production")
    if seen is None or seen.generation < live.generation:
        await turn.outside.hosting.point(opened.project, "production", live.slot, live.release, live.generation)
        seen = await turn.outside.hosting.seen(opened.project, "production")
    if seen is None or seen.generation < live.generation:
        raise Unavailable(f"the stable address of {opened.project} does not answer from generation {live.generation}")
    await turn.streams.add(environment_stream(opened.project, "production"), [LiveSeen(live.generation, live.release)])
    address = turn.outside.hosting.address(opened.project, "production")
    return Ended((Promoted(turn.round, service.slot, live.generation, address, service.seconds + seconds),))


async def _decide(turn: Turn, slot: str) -> None:
    opened, approved = turn.release, known(turn.state, "ask", Approved)
    packaged = known(turn.state, "package", Packaged)
    # It was read for this look; where it went on since, the append says so.
    stream = await turn.streams.recall(environment_stream(opened.project, "production"))
    now = environment.fold(stream.facts)
    if now.generation != turn.production.generation or now.held is not None:
        raise Moved(f"production of {opened.project} changed while this release was about to go live")
    decided = LiveDecided(
        generation=turn.production.generation + 1,
        release=opened.release,
        number=opened.number,
        slot=slot,
        version=known(turn.state, "register", VersionAdopted).number,
        image=packaged.image,
        by=", ".join(approved.by),
        why="promoted",
        evidence=approved.evidence,
        deploys=packaged.deploys,
        adopted=turn.state.carried is not None,
    )
    await turn.streams.append(stream, [decided])
