"""The only model of the outside, written once: a git host, compute, registries, services, people and a clock.

Everything it does is at once and in memory; what it raises as events waits in `events` until a test delivers it,
in any order and as often as the test likes.
"""

import asyncio
import io
import json
import random
import tarfile
from collections.abc import Callable, Coroutine, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from shared.answers import Answer, Order
from shared.backends.local.changes import globs
from shared.backends.memory import MemoryArtifacts, MemoryCheckpoints, MemoryLedger, MemoryLetters
from shared.control import Control
from shared.errors import Blocked, Conflict, NotFound, StepFailed, Unavailable
from shared.ports import (
    ImageReport,
    ImageSpec,
    JobReport,
    JobSpec,
    ModelVersion,
    Outside,
    Place,
    Repository,
    Seen,
    Service,
)
from shared.release import chain, facts, ids, notices
from shared.release.audit import Prover
from shared.release.config import Project, Projects, read_projects
from shared.release.facts import CameIn, Fact
from shared.release.notices import Notice
from shared.release.project import ProjectState
from shared.release.project import fold as project_of
from shared.release.state import State
from shared.settings import TABLE, Settings
from shared.sources import dead_letters
from shared.streams import INBOX, project_stream, release_stream

_T = TypeVar("_T")
# One loop for all worlds: making one for each call would take half the time of a story.
RUNNER = asyncio.Runner()
KEY = b"a key that signs approval links"
SETTINGS = '[data]\ntarget = "price"\n[evaluate]\nmetric = "rmse"\n'
PROJECTS = """
[projects.houses]
repository = "https://git.example.org/acme/houses.git"
secrets = ["HOUSES_PUSH"]
approvers = ["ana@example.org", "bo@example.org"]
drift_monitors = ["houses-monitor"]
data = { container = "houses", prefix = "in/", quiet_seconds = 0 }
governor = { cooldown_minutes = 0 }
"""
MODEL = "sha256:" + "a" * 64
RESULTS: dict[str, dict[str, Any]] = {
    "check": {
        "tests": 3,
        "rows": 100,
        "columns": ["rooms", "price"],
        "content": "sha256:" + "c" * 64,
        "schema": {"columns": [], "order": ["rooms"]},
        "environment": "sha256:" + "e" * 64,
    },
    "train": {"rows": 80, "holdout_rows": 20, "model": {"digest": MODEL, "bytes": 1200}, "labels": {"r2": 0.4}},
    "evaluate": {"verdict": "first", "metric": "rmse", "rows": 20, "candidate": 3.5},
    "certify": {
        "claims": [{"name": "noise", "verdict": "certified", "sentence": "noise of 1 % costs 0.2 %"}],
        "important": ["rooms"],
    },
    "try": {"golden": 20, "bad_inputs": 12, "p95_ms": 4.0, "claims": []},
}


class Crash(BaseException):
    """The process dies here; nothing of ours may catch it."""


@dataclass
class _Watched:
    """A port whose every call may be the one at which the process dies, before or after it took effect."""

    world: "World"
    port: Any

    def __getattr__(self, name: str) -> Any:
        called = getattr(self.port, name)
        if not asyncio.iscoroutinefunction(called):
            return called

        async def watched(*given: Any, **named: Any) -> Any:
            self.world.pass_by()
            answer = await called(*given, **named)
            self.world.pass_by()
            return answer

        return watched


def commit(letter: str) -> str:
    """Return a commit id that is easy to tell from others."""
    return letter * 40


def snapshot(files: Mapping[str, str]) -> bytes:
    """Return files as a snapshot tar."""
    return _tar(tuple(sorted(files.items())))


@lru_cache(maxsize=64)
def _tar(files: tuple[tuple[str, str], ...]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, text in files:
            member = tarfile.TarInfo(name)
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


FILES = {"signalbox.toml": SETTINGS, "train.py": "", "score.py": "", "requirements.txt": ""}


@dataclass
class World:
    """One outside. `submitted`, `registered`, `built` and `deployed` count what was really made."""

    projects: dict[str, Project] = field(default_factory=lambda: dict(read_projects(PROJECTS).projects))
    now: datetime = datetime(2026, 3, 3, 9, 0, tzinfo=UTC)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    artifacts: MemoryArtifacts = field(default_factory=MemoryArtifacts)
    letters: MemoryLetters = field(default_factory=MemoryLetters)
    sign: chain.Sign | None = None
    """Signs every line of the ledger; without it none is signed, which is faster."""
    prover: Prover | None = None
    checkpoints: MemoryCheckpoints | None = None
    git: Repository | None = None
    """Real repositories, in place of `branch` and `files`."""
    branch: list[str] = field(default_factory=list)
    branches: dict[str, list[str]] = field(default_factory=dict)
    """The branches of other repositories, by their address; `branch` is that of every repository not named here."""
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    results: dict[str, dict[str, Any]] = field(default_factory=lambda: json.loads(json.dumps(RESULTS)))
    failing: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Events of these types are never raised."""
    running: set[str] = field(default_factory=set)
    """Kinds of job that do not end by themselves."""
    slow: set[str] = field(default_factory=set)
    """Ports (images, hosting) whose work does not end by itself."""
    losing: set[str] = field(default_factory=set)
    """Kinds of job whose process is gone without a result each time."""
    away: set[str] = field(default_factory=set)
    """Ports that cannot be asked now."""
    refusing: dict[str, str] = field(default_factory=dict)
    """Ports that refuse to be asked until an operator mends what is said of each."""
    jobs: dict[str, JobReport] = field(default_factory=dict)
    specs: dict[str, JobSpec] = field(default_factory=dict)
    versions: list[ModelVersion] = field(default_factory=list)
    packed: dict[str, ImageSpec] = field(default_factory=dict)
    """What each image was built from, by its name."""
    images: dict[str, ImageReport] = field(default_factory=dict)
    deploys: dict[str, str] = field(default_factory=dict)
    """What a package names, where the platform builds what it deploys, as in Azure; empty where images are deployed."""
    services: dict[str, Service] = field(default_factory=dict)
    routes: dict[str, tuple[str, Seen]] = field(default_factory=dict)
    outbox: dict[tuple[str, str], str] = field(default_factory=dict)
    statuses: dict[tuple[str, str], list[tuple[str, str]]] = field(default_factory=dict)
    """What was said at each commit, by the commit and the context: state and sentence, oldest first."""
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """What channels and people got: where, subject, text."""
    mails: bool = False
    events: list[Notice] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    deliveries: int = 0
    passed: int = 0
    """How many points were passed at which the process might have died."""
    dies_at: int = 0
    looking: bool = False
    """The test itself reads; that is no point to die at."""

    def __post_init__(self) -> None:
        self.compute = _Jobs(self)
        self.control = self.restart()

    def restart(self) -> Control:
        """Return a controller that remembers nothing but the ledger, as after a crash."""
        self.control = self.controller(lambda _, port: _Watched(self, port))
        return self.control

    def controller(
        self, watched: Callable[[str, Any], Any], locks: MutableMapping[str, asyncio.Lock] | None = None
    ) -> Control:
        """Return a controller of a process of its own; `watched` gets the name of each port and stands before it."""
        outside = Outside(
            ledger=watched("ledger", self.ledger),
            artifacts=watched("artifacts", self.artifacts),
            repository=watched("repository", self.git or _Repository(self)),
            jobs=watched("jobs", self.compute),
            registry=watched("registry", _Registry(self)),
            images=watched("images", _Images(self)),
            hosting=watched("hosting", _Hosting(self)),
            notifier=watched("notifier", _Notifier(self)),
            statuses=watched("statuses", _Statuses(self)),
            channels=watched("channels", _Channels(self, self.mails)),
            letters=watched("letters", _Letters(self)),
            projects=self.projects,
            clock=lambda: self.now,
            approval_key=KEY,
            public_url="https://signalbox.example.org",
            sign=self.sign,
            prover=self.prover,
            checkpoints=self.checkpoints,
        )
        event_seconds, branch_minutes = (float(TABLE[name].default) for name in ("EVENT_SECONDS", "BRANCH_LOOK"))
        return Control.over(outside, event_seconds, branch_minutes, locks)

    def settings(self, secret: bytes) -> Settings:
        """Return what the operator set; every project's pushes are signed with this secret."""
        return Settings(
            backend="local",
            state=Path("nowhere"),
            projects_file=Path("nowhere/projects.toml"),
            projects=Projects(self.projects),
            public_url="https://signalbox.example.org",
            live_url="https://live.example.org",
            storage="",
            topic_endpoint="",
            topic_key="",
            approval_key=KEY,
            secrets=tuple((name, f"{name.upper()}_PUSH", secret) for name in self.projects),
        )

    def pass_by(self) -> None:
        """Count a point at which the process may die, and die there when it is the one."""
        if self.looking:
            return
        self.passed += 1
        if self.passed == self.dies_at:
            raise Crash

    # What people and platforms do.

    def commit(self, letter: str, files: Mapping[str, str] | None = None) -> str:
        """Add a commit to the branch."""
        self.branch.append(commit(letter))
        self.files[commit(letter)] = dict(FILES if files is None else files)
        return commit(letter)

    def push(self, letter: str, files: Mapping[str, str] | None = None, by: str = "dee@example.org") -> str:
        """Commit, and tell about it; return the release id."""
        new = self.commit(letter, files)
        return self.tell_push(new, by)

    def tell_push(self, new: str, by: str = "dee@example.org", ref: str = "refs/heads/main") -> str:
        """Tell about a push; return the first release id, or nothing when none was opened."""
        return next(iter(self.tell_all(new, by, ref)), "")

    def tell_all(self, new: str, by: str = "dee@example.org", ref: str = "refs/heads/main") -> list[str]:
        """Tell about a push to the repository of several projects; return the id of each release it opened."""
        address = "https://git.example.org/acme/houses"
        answer = self.take_in(notices.Pushed("github", (address,), ref, "0" * 40, new, by, "a change", "delivery"))
        return [opened["release"] for opened in answer.body["releases"]]

    async def open_on(self, line: tuple[str, ...], project: str, commit: str) -> Order:
        """Open a release as another version of the app does, whose line is this; return the order it puts."""
        name = project_stream(project)
        stream = chain.decode(name, await self.ledger.read(name))
        known = project_of(stream.facts)
        ask, number = f"person on {' '.join(line)}", known.next_number
        release = ids.release_id(project, commit, known.data_version, ask)
        about = (release, number, commit, known.data_version)
        numbered = facts.ReleaseNumbered(*about, cause="person", ask=ask, by="cy@example.org", reason="an upgrade")
        opened = facts.ReleaseOpened(
            release=release,
            project=project,
            number=number,
            commit=commit,
            data=known.data_version,
            blobs=known.data,
            ask=ask,
            cause="person",
            by="cy@example.org",
            reason="an upgrade",
            line=line,
            policy=self.projects[project].digest,
        )
        at = self.now.isoformat()
        await self.ledger.append(name, chain.encode([numbered], at, stream.head), stream.position)
        await self.ledger.mark(f"open/{release}", chain.encode([opened], "", None))
        first = [opened, facts.StepOrdered(line[0], 1)]
        begun = chain.begin(release_stream(release))
        await self.ledger.append(begun.name, chain.encode(first, at, begun.head), 0)
        return Order(line[0], release)

    def data(self, name: str = "in/january.csv", etag: str = "1") -> Answer:
        """Let a blob arrive."""
        return self.take_in(notices.BlobHeard("houses", name, 100, etag, etag.zfill(20)))

    def decide(self, release: str, who: str = "ana@example.org", decision: str = "approve") -> Answer:
        """Let a person decide about the newest evidence."""
        asked = self.state(release).asked
        evidence = asked[max(asked)].evidence
        return self.take_in(notices.DecisionGiven(release, who, decision, "because", evidence))  # type: ignore[arg-type]

    def take_in(self, notice: Notice) -> Answer:
        """Give one notice to the controller and keep the orders it makes."""
        answer = RUNNER.run(self.control.take_in([notice]))
        self.orders += answer.orders
        return answer

    def register_elsewhere(self, name: str = "houses", release: str = "", tells: bool = True) -> ModelVersion:
        """Let a colleague register a model under this name; without `tells` its event is never raised."""
        number = 1 + sum(version.name == name for version in self.versions)
        version = ModelVersion(name, number, ids.sha256(f"theirs {number}".encode()), release)
        self.versions.append(version)
        if tells:
            self.raise_event("ModelRegistered", notices.ModelHeard(name, str(number), release))
        return version

    def resolves(self, reference: str) -> bool:
        """Say whether the registry has the version that a reference names; nobody keeps files of jobs here."""
        kind, _, rest = reference.partition(":")
        return kind != "version" or rest in {f"{version.name}:{version.number}" for version in self.versions}

    def end_image(self, name: str) -> None:
        """Let a build under way end: `name` is `<project>:<release>`."""
        if self.images[name].status == "building":
            project, _, release = name.partition(":")
            spec = self.packed[name]
            digest = ids.sha256(ids.canonical([spec.code, spec.model, spec.version]))
            self.images[name] = ImageReport("pushed", digest, 1.0, 3000, deploys=self._named(name))
            self.raise_event("ImagePushed", notices.ImageHeard(project, release, digest))

    def _named(self, name: str) -> dict[str, str]:
        """Return what the package of a release names; each version is another one."""
        return {what: named.format(self.packed[name].version) for what, named in self.deploys.items()}

    def end_start(self, slot: str) -> None:
        """Let a service that starts answer."""
        known = self.services[slot]
        if known.status == "starting":
            self.services[slot] = replace(known, status="answering")
            self.raise_event("ModelDeployed", notices.ServiceHeard(slot))

    def raise_event(self, kind: str, notice: Notice) -> None:
        """Let the platform raise an event."""
        if kind not in self.silent:
            self.events.append(notice)

    def reach(self, port: str) -> None:
        """Fail like a service that cannot be asked, when it cannot, or that refuses to be."""
        if port in self.refusing:
            raise Blocked(self.refusing[port])
        if port in self.away:
            raise Unavailable(f"{port} is away")

    # How time goes on.

    def work(self, order: Order) -> None:
        """Deliver one order as the queue does."""
        self.deliveries += 1
        answer = RUNNER.run(self.control.work(order.text(), f"message-{self.deliveries}:1"))
        self.orders += answer.orders

    def run(self, shuffle: random.Random | None = None, twice: bool = False, limit: int = 2000) -> None:
        """Deliver orders and events until there are none; shuffled or twice when asked for."""
        for _ in range(limit):
            if not self.orders and not self.events:
                return
            waiting: list[Order | Notice] = [*self.orders, *self.events]
            chosen = shuffle.choice(waiting) if shuffle else waiting[0]
            self._take(chosen)
            for _again in range(2 if twice else 1):
                if isinstance(chosen, Order):
                    self.work(chosen)
                else:
                    self.take_in(chosen)
        raise AssertionError("the world never comes to rest")

    def end_jobs(self) -> None:
        """Let every job that still runs end."""
        for name in [name for name, report in self.jobs.items() if report.status == "running"]:
            _Jobs(self).end(name)

    def run_one(self) -> None:
        """Deliver the first order or event."""
        waiting: list[Order | Notice] = [*self.orders, *self.events]
        self._take(waiting[0])
        if isinstance(waiting[0], Order):
            self.work(waiting[0])
        else:
            self.take_in(waiting[0])

    def run_unless_away(self) -> None:
        """Deliver what there is; an order that meets a service that is away is lost, as after its last delivery."""
        while self.orders or self.events:
            with suppress(Unavailable):
                self.run_one()

    def _take(self, chosen: Order | Notice) -> None:
        (self.orders if isinstance(chosen, Order) else self.events).remove(chosen)  # type: ignore[arg-type]

    def tick(self) -> None:
        """Let the clock's function look once, and keep its orders."""
        self.orders += RUNNER.run(self.control.time_passed()).orders

    def patrol(self) -> None:
        """Let the patrol look once, and keep its orders."""
        self.orders += RUNNER.run(self.control.patrol(dead_letters.told)).orders

    def wait(self, **time: float) -> None:
        """Let time pass."""
        self.now += timedelta(**time)

    # What is known.

    def _look(self, reading: Coroutine[Any, Any, _T]) -> _T:
        self.looking = True
        try:
            return RUNNER.run(reading)
        finally:
            self.looking = False

    def state(self, release: str) -> State:
        """Return what the ledger knows of a release."""
        return self._look(self.control.reading.release(release)).state

    def ended(self, release: str) -> str:
        """Return how a release ended, or where it stands."""
        known = self.state(release)
        return known.ended.how if known.ended else "open"

    def state_of_project(self, name: str = "houses") -> ProjectState:
        """Return what the ledger knows of a project."""
        return self._look(self.control.streams.project(name))

    def ledger_bytes(self, stream: str) -> bytes:
        """Return a stream as it is kept."""
        return RUNNER.run(self.ledger.read(stream))

    def facts(self, stream: str) -> tuple[Fact, ...]:
        """Return the facts of a stream."""
        return self._look(self.control.streams.read(stream)).facts

    def inbox(self) -> list[str]:
        """Return why each thing in the inbox was not used."""
        read = self._look(self.control.streams.read(INBOX)).facts
        return [fact.reason for fact in read if isinstance(fact, CameIn)]

    def live(self) -> str:
        """Return the release that the stable production address answers from."""
        return self.routes["houses/production"][1].release if "houses/production" in self.routes else ""


@dataclass
class _Repository:
    world: World

    async def place(self, url: str, branch: str, commit: str, others: tuple[str, ...] = ()) -> Place:
        self.world.reach("repository")
        line = self._line(url)
        if commit not in line:
            return Place(on_branch=False, tip=line[-1] if line else "")
        newer = tuple(other for other in others if other in line and line.index(other) > line.index(commit))
        return Place(True, line[-1], "Dee", "dee@example.org", f"change {commit[:2]}", newer)

    async def snapshot(self, url: str, branch: str, commit: str, path: str) -> bytes:
        self.world.reach("repository")
        below = f"{path}/" if path.strip(".") else ""
        files = self.world.files[commit]
        return snapshot({name.removeprefix(below): files[name] for name in files if name.startswith(below)})

    async def same(self, url: str, commit: str, other: str, path: str, watch: tuple[str, ...]) -> bool:
        self.world.reach("repository")
        line = self._line(url)
        if other not in line or line.index(other) > line.index(commit):
            return False

        def looked_at(of: str) -> dict[str, str]:
            files, matched = self.world.files[of], globs(watch).match_files(self.world.files[of])
            below = [name for name in files if (path or not watch) and name.startswith(f"{path}/" if path else "")]
            return {name: files[name] for name in {*below, *matched}}

        return looked_at(commit) == looked_at(other)

    async def tip(self, url: str, branch: str) -> str | None:
        self.world.reach("repository")
        line = self._line(url)
        return line[-1] if line else None

    def _line(self, url: str) -> list[str]:
        return self.world.branches.get(url, self.world.branch)


@dataclass
class _Jobs:
    world: World

    async def find(self, name: str) -> JobReport | None:
        self.world.reach("jobs")
        return self.world.jobs.get(name)

    async def submit(self, spec: JobSpec) -> None:
        self.world.reach("jobs")
        known = self.world.jobs.get(spec.name)
        if known is not None and known.status != "lost":
            return
        self.world.specs[spec.name] = spec
        self.world.jobs[spec.name] = JobReport("lost" if spec.step in self.world.losing else "running")
        if spec.step not in self.world.running | self.world.losing:
            self.end(spec.name)

    def end(self, name: str) -> None:
        """Let a running job end, as its kind ends in this world."""
        spec = self.world.specs[name]
        missing = [reference for reference in spec.inputs.values() if not self.world.resolves(reference)]
        if reason := self.world.failing.get(spec.step, f"{missing[0]} is not there" if missing else ""):
            self.world.jobs[name] = JobReport("failed", 1.0, reason, "Mend it and push again")
            self.world.raise_event("RunStatusChanged", notices.RunHeard(name, "RunStatusChanged", "Failed"))
            return
        self.world.jobs[name] = JobReport("completed", 1.0, result=json.dumps(self.world.results[spec.kind]))
        self.world.raise_event("RunCompleted", notices.RunHeard(name, "RunCompleted", "Completed"))

    async def cancel(self, name: str) -> None:
        known = self.world.jobs.get(name)
        if known and known.status in ("running", "lost"):
            self.world.jobs[name] = JobReport("cancelled", 1.0, "was cancelled")
            self.world.raise_event("RunStatusChanged", notices.RunHeard(name, "RunStatusChanged", "Canceled"))

    async def log(self, name: str) -> str:
        if name not in self.world.jobs:
            raise NotFound(f"there is no job {name}")
        return f"log of {name}"


@dataclass
class _Registry:
    world: World

    async def find(self, name: str, release: str) -> list[ModelVersion]:
        self.world.reach("registry")
        return [version for version in self.world.versions if (version.name, version.release) == (name, release)]

    async def version(self, name: str, number: int) -> ModelVersion | None:
        self.world.reach("registry")
        found = (version for version in self.world.versions if (version.name, version.number) == (name, number))
        return next(found, None)

    async def register(self, name: str, release: str, source: str, properties: Mapping[str, str]) -> None:
        self.world.reach("registry")
        number = 1 + sum(version.name == name for version in self.world.versions)
        if not await self.find(name, release):
            job = self.world.jobs.get(source.removeprefix("job:").partition("/")[0])
            if job is None:
                raise StepFailed(f"there is no {source}", "Open the release again")
            digest = json.loads(job.result)["model"]["digest"]
            self.world.versions.append(ModelVersion(name, number, digest, release))
            self.world.raise_event("ModelRegistered", notices.ModelHeard(name, str(number), release))


@dataclass
class _Images:
    world: World

    async def find(self, project: str, release: str) -> ImageReport | None:
        self.world.reach("images")
        return self.world.images.get(f"{project}:{release}")

    async def build(self, spec: ImageSpec) -> None:
        self.world.reach("building")
        name = f"{spec.project}:{spec.release}"
        known = self.world.images.get(name)
        if known is not None and known.status != "lost":
            return
        self.world.packed[name] = spec
        if reason := self.world.failing.get("package", "" if self.world.resolves(spec.model) else "no model"):
            self.world.images[name] = ImageReport("failed", reason=reason, advice="Mend it and push again")
            return
        self.world.images[name] = ImageReport("building")
        if "images" not in self.world.slow:
            self.world.end_image(name)


@dataclass
class _Hosting:
    world: World

    async def find(self, slot: str) -> Service | None:
        self.world.reach("hosting")
        return self.world.services.get(slot)

    async def deploy(self, slot: str, project: str, environment: str, release: str, image: str) -> None:
        self.world.reach("hosting")
        known = self.world.services.get(slot)
        if known is not None and known.image != image:
            raise Conflict(f"slot {slot} is there with image {known.image}, not {image}")
        if known is not None and known.status not in ("stopped", "failed"):
            return
        if reason := self.world.failing.get(environment):
            self.world.services[slot] = Service(slot, "failed", image, log=reason)
            return
        url, raised = f"http://{slot}.example.org/score", self.world.failing.get("code", "")
        self.world.services[slot] = Service(slot, "starting", image, url, 1.0, raised)
        if "hosting" not in self.world.slow:
            self.world.end_start(slot)

    async def stop(self, slot: str) -> None:
        if known := self.world.services.get(slot):
            self.world.services[slot] = Service(slot, "stopped", known.image)

    async def point(self, project: str, environment: str, slot: str, release: str, generation: int) -> None:
        self.world.reach("address")
        known = self.world.services.get(slot)
        if known is None or known.status != "answering":
            raise Unavailable(f"slot {slot} does not answer: {project} {environment} cannot be led to it yet")
        present = self.world.routes.get(f"{project}/{environment}")
        if present is None or present[1].generation <= generation:
            self.world.routes[f"{project}/{environment}"] = (slot, Seen(release, generation))

    async def seen(self, project: str, environment: str) -> Seen | None:
        self.world.reach("address")
        present = self.world.routes.get(f"{project}/{environment}")
        return present[1] if present and self.world.services[present[0]].status == "answering" else None

    def address(self, project: str, environment: str) -> str:
        return f"https://live.example.org/{project}/{environment}/score"


@dataclass
class _Letters:
    world: World

    async def waiting(self, most: int) -> list[tuple[str, bytes]]:
        self.world.reach("letters")
        return await self.world.letters.waiting(most)

    async def forget(self, name: str) -> None:
        self.world.reach("letters")
        await self.world.letters.forget(name)


@dataclass
class _Notifier:
    world: World

    async def notify(self, name: str, to: str, subject: str, text: str) -> None:
        self.world.reach("notifier")
        self.world.outbox.setdefault((name, to), text)


@dataclass
class _Statuses:
    world: World

    async def post(self, project: str, commit: str, context: str, state: str, sentence: str, link: str) -> None:
        self.world.reach("statuses")
        self.world.statuses.setdefault((commit, context), []).append((state, sentence))


@dataclass
class _Channels:
    world: World
    mails: bool

    async def send(self, channel: str, subject: str, text: str) -> None:
        self.world.reach("channels")
        self.world.reach(channel)
        self.world.sent.append((channel, subject, text))

    async def mail(self, person: str, subject: str, text: str) -> None:
        self.world.reach("mail")
        self.world.sent.append((person, subject, text))
