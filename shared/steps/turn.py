"""What a step sees, and what its look may find.

A look writes nothing but artifacts, which are named by what is in them; what it wants made, it hands back as an act.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from shared.errors import StepFailed
from shared.ports import Blob, JobKind, JobSpec, Outside, Target
from shared.release import ids, line
from shared.release.config import Project
from shared.release.environment import EnvironmentState
from shared.release.facts import Fact, ReleaseOpened, Trained, VersionAdopted
from shared.release.project import ProjectState
from shared.release.project_file import ProjectFile
from shared.release.state import State
from shared.streams import Streams

_R = TypeVar("_R")


class Turn(Struct, frozen=True):
    """One step of one release in one round, and all that is known when it is looked at."""

    outside: Outside
    streams: Streams
    state: State
    step: str
    round: int
    project: Project
    known: ProjectState
    """What is known of the project, for the steps in `ASKS_PROJECT`, for all where `on_newer` is cancel,
    and for promote where an outside CI is a gate."""
    environment: EnvironmentState | None
    """What is known of production, for the steps in `ASKS_PRODUCTION`."""
    now: datetime

    @property
    def release(self) -> ReleaseOpened:
        """The opening fact of the release."""
        return self.state.release

    @property
    def production(self) -> EnvironmentState:
        """What is known of production now."""
        assert self.environment is not None, f"{self.step} goes by what is live: name it in ASKS_PRODUCTION"
        return self.environment

    @property
    def file(self) -> ProjectFile:
        """The project's own settings, as read at the commit."""
        assert self.state.code is not None
        return msgspec.json.decode(self.state.code.settings, type=ProjectFile)

    @property
    def model(self) -> str:
        """Where the files of the model are: with the job that trained it, or in the registry when others did."""
        if self.state.carried is None:
            return f"job:{line.known(self.state, 'train', Trained).job}/model"
        version = line.known(self.state, "register", VersionAdopted)
        return f"version:{version.name}:{version.number}"

    def job_name(self, step: str, round: int = 1) -> str:
        """Return the name of the job that a step of this release submits."""
        return ids.run_name(self.release.release, step, round)

    def job(self, kind: JobKind, name: str, inputs: dict[str, str], settings: dict[str, Any], seconds: int) -> JobSpec:
        """Return the spec of a job of this step; every job gets the settings that all of them share."""
        assert self.state.code is not None
        file = self.file
        shared = {
            "files": file.data.files,
            "target": file.data.target,
            "holdout": msgspec.to_builtins(self.project.holdout),
            "seed": file.train.seed,
            "container": self.project.data.container if self.project.data else self.release.project,
            "input": file.score.input,
            "score": file.score.script,
            "metric": self.project.policy.metric or file.evaluate.metric,
        }
        return JobSpec(
            name=name,
            kind=kind,
            project=self.release.project,
            release=self.release.release,
            step=self.step,
            code=self.state.code.code,
            data=tuple(Blob(blob.container, blob.name, blob.size, blob.etag) for blob in self.release.blobs),
            inputs=inputs,
            settings=json.dumps(shared | settings, sort_keys=True),
            requirements=file.train.requirements,
            seconds=seconds,
            target=Target(file.train.compute, file.train.image, file.train.conda, file.train.max_hours),
        )


class Ended(Struct, frozen=True):
    """The outcome is known: these facts say so."""

    facts: tuple[Fact, ...]


class Pending(Struct, frozen=True):
    """`name` is there and not ready; the step waits."""

    name: str
    waits_for: str


class Wanted(Struct, frozen=True):
    """`name` is not there: `act` makes it. `facts` are recorded before the act, with the attempt.

    With `look_again` nothing outside will tell when it is done, so the step looks at once.
    The act returns the releases that should look again because of it.
    """

    name: str
    waits_for: str
    act: Callable[[], Awaitable[tuple[str, ...] | None]]
    facts: tuple[Fact, ...] = ()
    look_again: bool = False


Found = Ended | Pending | Wanted
Look = Callable[[Turn], Awaitable[Found]]

JOB_ENDS = "RunCompleted or RunStatusChanged"


async def look_at_job(
    turn: Turn,
    name: str,
    spec: Callable[[], JobSpec],
    ended: Callable[[str, float], Fact],
    facts: tuple[Fact, ...] = (),
) -> Found:
    """Look a job up by name; `ended` reads its result (JSON) and its seconds into the outcome."""
    report = await turn.outside.jobs.find(name)
    if report is None or report.status == "lost":

        async def submit() -> None:
            await turn.outside.jobs.submit(spec())

        return Wanted(name, JOB_ENDS, submit, facts)
    if report.status == "running":
        return Pending(name, JOB_ENDS)
    if report.status != "completed":
        raise StepFailed(report.reason or f"the job {name} was {report.status}", report.advice, name)
    return Ended((ended(report.result, report.seconds),))


def read_result(result: str, kind: type[_R], job: str) -> _R:
    """Read what a job wrote; raises `StepFailed` when it is not what that job must write."""
    try:
        return msgspec.json.decode(result, type=kind)
    except msgspec.MsgspecError as error:
        raise StepFailed(f"the job {job} wrote a result that cannot be used: {error}", "Read its log", job) from error
