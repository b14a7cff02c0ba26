"""Moments at which something is killed: named points of a release's way, drawn by a seed.

A point is looked for in the files of a running stack, from outside; see `sight`.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tools.prove.sight import Target, Written

Part = Literal["host", "topic", "host and topic", "stack", "stack, jobs", "everything", "its job", "paused job"]
Brace = Literal["", "queue", "topic"]

PARTS: dict[Part, str] = {
    "host": "the host alone; its supervisor starts it again",
    "topic": "the topic alone; its supervisor starts it again",
    "host and topic": "both; their supervisor lives",
    "stack": "supervisor, host and topic; jobs and services live on",
    "stack, jobs": "the stack with every runner, script and builder",
    "everything": "the stack with every job and every service",
    "its job": "what the release runs at that moment, alone",
    "paused job": "the stack, while what the release runs is stopped and goes on after the stack is up again",
}
WHOLE: tuple[Part, ...] = ("host", "topic", "host and topic", "stack", "stack, jobs", "everything")
WITH_HOST: tuple[Part, ...] = ("host", "host and topic", "stack", "stack, jobs", "everything")
AT_WORK: tuple[Part, ...] = (*WHOLE, "its job", "paused job")


@dataclass(frozen=True)
class Point:
    """A place on a release's way; `holds` is asked while nothing of the stack moves, right before the kill.

    `brace` keeps the queue or the topic from going on once `once` holds, so that the point is met for sure.
    What is at work while `during` holds is stopped until the stack is there again: it would be over before.
    `answered` says whether the approver has to answer before it.
    """

    name: str
    holds: Callable[[Target], bool]
    parts: tuple[Part, ...] = WHOLE
    delay: float = 0.04
    brace: Brace = ""
    once: Callable[[Target], bool] | None = None
    during: Callable[[Target], bool] | None = None
    answered: bool = False


@dataclass(frozen=True)
class Moment:
    """Kill `part` when a release is at `point` of `stretch`, `delay` seconds after it was seen there."""

    release: int
    stretch: str
    point: Point
    part: Part
    delay: float


def written(kind: str, stream: Callable[[Target], str] = Target.own, **fields: str) -> Callable[[Target], bool]:
    """Say that a fact stands in a stream; `{release}` in a field is the release."""

    def holds(at: Target) -> bool:
        wanted = {name: value.format(release=at.release) for name, value in fields.items()}

        def matches(line: Written) -> bool:
            return line.kind == kind and all(str(line.data.get(name)) == value for name, value in wanted.items())

        return any(matches(line) for line in at.sight.stream(stream(at)))

    return holds


def _job(step: str, outcome: str, run: str = "") -> tuple[Point, ...]:
    """Return the points of a step that submits a job; the promote step's job is tried in the production slot."""
    job = f"{{release}}-{run or step}-1"
    heard = written("Heard", subject=job)

    def runs(at: Target) -> bool:
        return at.sight.works(at.folder("jobs", job))

    def over(at: Target) -> bool:
        return at.sight.ended(at.folder("jobs", job))

    def untold(at: Target) -> bool:
        return over(at) and not heard(at)

    def unheard(at: Target) -> bool:
        return runs(at) or untold(at)

    def unsent(at: Target) -> bool:
        return heard(at) and at.sight.message(at.release, step) is None

    at_work = Point(f"{run or step} runs", runs, AT_WORK, delay=0.4, during=runs)
    return (
        Point("an attempt began", written("StepStarted", name=job)),
        Point("the job was submitted", written("Submitted", name=job)),
        at_work,
        at_work,
        Point("the job ended, nobody was told", untold, brace="topic", once=unheard, during=runs),
        Point("its end was heard", heard),
        Point("between append and queue message", unsent, WITH_HOST, brace="queue", once=untold, during=runs),
        Point("its end was delivered", lambda at: at.sight.delivered(job.format(release=at.release))),
        *((Point(f"{outcome} was appended", written(outcome)),) if outcome else ()),
    )


def _ordered(step: str) -> tuple[Point, ...]:
    def taken(at: Target) -> bool:
        return at.sight.message(at.release, step) == "taken"

    return (
        Point("the order was appended", written("StepOrdered", step=step)),
        Point("a worker has its message", taken, WITH_HOST, delay=0.0),
    )


def _service(environment: str) -> tuple[Point, ...]:
    slot = f"{{release}}-{environment}"

    def starts(at: Target) -> bool:
        return at.sight.works(at.folder("services", slot))

    return (
        Point("an attempt began", written("StepStarted", name=slot)),
        *(Point("the service starts", starts, AT_WORK, delay=0.2, during=starts),) * 2,
        Point("its first answer was heard", written("Heard", subject=slot)),
    )


def _registered(at: Target) -> bool:
    return at.sight.registered(at.release)


def _built(at: Target) -> bool:
    return at.sight.works(at.folder("builds", at.project, "{release}"))


def _waits(at: Target) -> bool:
    return written("Asked")(at) and not written("Decided")(at)


ON_THE_WAY: dict[str, tuple[Point, ...]] = {
    "opening": (
        Point("its number was given", lambda at: bool(at.release)),
        Point("it was opened", written("ReleaseOpened")),
    ),
    "check": (*_ordered("check"), *_job("check", "Checked")),
    "train": (*_ordered("train"), *_job("train", "Trained")),
    "evaluate": (*_ordered("evaluate"), *_job("evaluate", "Evaluated")),
    "certify": (*_ordered("certify"), *_job("certify", "Certified")),
    "register": (
        *_ordered("register"),
        Point("an attempt began", written("StepStarted", step="register")),
        Point("the version is in the registry", _registered),
        Point("the version was heard of", written("Heard", event="ModelRegistered")),
        Point("VersionAdopted was appended", written("VersionAdopted")),
    ),
    "package": (
        Point("an attempt began", written("StepStarted", step="package")),
        *(Point("the image is built", _built, AT_WORK, delay=0.2, during=_built),) * 2,
        Point("the image was heard of", written("Heard", event="ImagePushed")),
        Point("Packaged was appended", written("Packaged")),
    ),
    "stage": (
        Point("the slot was claimed", written("SlotClaimed", Target.staging, release="{release}")),
        *_service("staging"),
        Point("Staged was appended", written("Staged")),
    ),
    "try": (*_ordered("try"), *_job("try", "Tried")),
    "ask": (
        Point("the evidence was sealed", written("Asked")),
        Point("people were asked", written("ApprovalAsked", Target.of_project, release="{release}")),
        *(Point("it waits for people", _waits, delay=0.8),) * 2,
        Point("the decision was appended", written("Decided"), answered=True),
        Point("Approved was appended", written("Approved"), answered=True),
    ),
    "slot": _service("production"),
    "last try": _job("promote", "", run="promote"),
    "live": (
        Point("going live began", written("StepStarted", name="{release}-production-live")),
        *(Point("it was decided live", written("LiveDecided", Target.production, release="{release}")),) * 2,
        Point("it was seen live", written("LiveSeen", Target.production, release="{release}")),
        Point("Promoted was appended", written("Promoted")),
    ),
    "end": (
        Point("it ended", written("ReleaseEnded")),
        Point("it was closed", written("ReleaseClosed", Target.of_project, release="{release}")),
    ),
}
"""The points of each stretch of the way, in order; a point that stands here twice is drawn twice as often.

In one stretch of one release there is one kill: a second one there might wait for what the first made unnecessary.
"""

FULL = len(ON_THE_WAY) - 1
"""The most moments of one release: each leaves a stretch out at the least, another one each time."""


class Draw:
    """Draws points and parts so that all have their turn before any comes again."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._left: dict[str, list[Point]] = {}
        self._used: Counter[Part] = Counter()

    def stretches(self, count: int) -> list[str]:
        """Return so many stretches in the order of the way."""
        drawn = self._random.sample(range(len(ON_THE_WAY)), count)
        return [list(ON_THE_WAY)[index] for index in sorted(drawn)]

    def moment(self, release: int, stretch: str) -> Moment:
        """Return a moment of a stretch."""
        if not self._left.get(stretch):
            self._left[stretch] = self._random.sample(ON_THE_WAY[stretch], len(ON_THE_WAY[stretch]))
        point = self._left[stretch].pop()
        least = min(self._used[part] for part in point.parts)
        part = self._random.choice([part for part in point.parts if self._used[part] == least])
        self._used[part] += 1
        return Moment(release, stretch, point, part, round(self._random.uniform(0.0, point.delay), 3))


def drawn(seed: int, count: int) -> list[list[Moment]]:
    """Return the moments of each release, in the order of the way; the same seed draws the same."""
    draw = Draw(seed)
    releases = -(-count // FULL)
    shares = [count // releases + (number < count % releases) for number in range(releases)]
    return [[draw.moment(number, one) for one in draw.stretches(most)] for number, most in enumerate(shares)]
