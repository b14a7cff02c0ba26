"""Judging: by what a question is judged now, and whether anything is to be decided about it any more."""

from shared.errors import Conflict, NotFound
from shared.ports import Outside
from shared.release import facts, line, state
from shared.release.notices import DecisionGiven
from shared.steps.bench import Bench
from shared.steps.bench import bench as bench_of
from shared.streams import Streams, project_stream


async def bench(
    outside: Outside, streams: Streams, known: state.State, asked: facts.Asked, remembered: bool = False
) -> Bench:
    """Return what a question of this release is judged by now, or by what this process remembers of its project."""
    name = known.release.project
    project = (
        streams.project_of(await streams.recall(project_stream(name))) if remembered else await streams.project(name)
    )
    return await bench_of(outside.artifacts, known, project, asked, outside.projects.get(name))


def question(known: state.State, given: DecisionGiven) -> tuple[int, facts.Asked]:
    """Return the round and the question that a decision is about; `Conflict` when it is not the present one."""
    if known.opened is None:
        raise NotFound(f"there is no release {given.release}")
    for turn, asked in sorted(known.asked.items(), reverse=True):
        if asked.evidence == given.evidence:
            if turn != known.round:
                raise Conflict("production changed since this evidence was sealed; a newer link was sent")
            return turn, asked
    raise Conflict("this is not the evidence that was asked about; open the newest link")


def is_open(known: state.State, asked: facts.Asked, bench: Bench, now: float) -> None:
    """Raise `Conflict` when nothing is to be decided any more."""
    if known.ended is not None:
        raise Conflict(f"the release ended already as {known.ended.how}: {known.ended.reason}")
    if line.standing(known) != "ask":
        raise Conflict("this was decided already; the release is on its way")
    if broken := known.glass.get(asked.round):
        raise Conflict(f"this was decided already: {broken.by} broke the glass")
    verdict = bench.verdict(known, asked)
    if verdict.rejected:
        raise Conflict(f"this was decided already: {verdict.rejected.approver} rejected it")
    if verdict.approved:
        raise Conflict(f"this was decided already: {', '.join(verdict.agreed)} approved it")
    if now >= asked.expires:
        raise Conflict("the time to answer is over; open a new release of the same commit")
