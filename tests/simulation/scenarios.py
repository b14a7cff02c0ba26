"""What people and platforms do in a run, and when it is over."""

import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

from msgspec.structs import replace

from shared import wiring
from shared.release import facts, ids, notices, project
from shared.release.config import Project, read_projects
from shared.release.line import NAMES
from tests.simulation.faults import Plan, Seeded
from tests.simulation.host import Act, Delivery, Host, Request, at_once
from tests.simulation.invariants import Invariants, Witness
from tests.simulation.outside import APPROVE, ENVIRONMENTS, ON_PUSH, RELEASES, asked, decision, event, evidence, push
from tests.world import FILES, World

_TOKEN = re.compile(r"approvals/([0-9a-f]{20})\?token=(\S+)")
PATIENCE = 5400.0
"""Seconds after the last fault within which everything must have ended."""

ENTRY = """
[projects.{name}]
repository = "https://git.example.org/acme/{repository}.git"
path = "{path}"
secrets = ["{secret}"]
approvers = ["ana@example.org", "bo@example.org"]
quorum = {quorum}
drift_monitors = ["{name}-monitor"]
data = {{ container = "{name}", prefix = "in/", quiet_seconds = 20 }}
policy = {{ answer_days = 0.05 }}
governor = {{ cooldown_minutes = 6 }}
on_newer = "{on_newer}"
schedule = "{schedule}"
"""


@cache
def projects(*rows: tuple[str, str, str, int, str, str]) -> dict[str, Project]:
    """Return projects by name, repository, path in it, quorum, `on_newer` and schedule."""
    names = ("name", "repository", "path", "quorum", "on_newer", "schedule")
    text = "".join(ENTRY.format(secret=f"{row[0].upper()}_PUSH", **dict(zip(names, row, strict=True))) for row in rows)
    return dict(read_projects(text).projects)


@dataclass
class Run:
    """One run of a scenario: the host, the invariants, and what was acknowledged."""

    host: Host
    world: World
    invariants: Invariants
    resends: bool
    """Who gets no answer asks again; a git host never does, and the patrol finds what it lost."""
    acknowledged: list[tuple[str, Callable[[], bool]]] = field(default_factory=list)
    events: int = 0
    mails: int = 0
    resumed: int = 0
    decides: "Callable[[Run, str, str, str], None] | None" = None
    ends: "Callable[[Run, str], None] | None" = None
    expects: "Callable[[Run], list[str]] | None" = None
    spoils: Callable[[], bool] | None = None
    """Whether somebody replaces the files of the version that was just made."""

    @staticmethod
    def of(plan: Plan, known: dict[str, Project], **host: Any) -> "Run":
        """Return a run over a new world; `host` are the fields of the host."""
        world = World(projects=dict(known), ledger=Witness(), running=set(NAMES), slow={"images", "hosting"})
        world.branches = {entry.repository: [] for entry in known.values()}
        sim = Host(world, plan, **host)
        run = Run(sim, world, Invariants(world, sim.wrong), resends=not sim.patrols)
        world.ledger.invariants = run.invariants  # type: ignore[attr-defined]
        sim.begun = {
            ("jobs", "submit"): run._job_begun,
            ("registry", "register"): run._registered,
            ("images", "build"): run._build_begun,
            ("hosting", "deploy"): run._start_begun,
        }
        sim.after = [run._look_around]
        return run

    # What goes on outside by itself.

    def _job_begun(self, spec: Any) -> None:
        self.invariants.made(spec.release, spec.name)
        if self.world.jobs[spec.name].status == "running":
            self.host.later(self.host.some(5.0, 60.0), Act(partial(self._job_ends, spec.name)))

    def _job_ends(self, name: str) -> None:
        if self.world.jobs[name].status == "running":
            spec = self.world.specs[name]
            if self.ends:
                self.ends(self, name)
            if self.world.jobs[name].status != "running":
                return
            if spec.kind == "train":
                self.world.results["train"]["model"]["digest"] = ids.sha256(name.encode())
            self.world.compute.end(name)
            self._look_around()

    def _registered(self, name: str, release: str, *_: Any) -> None:
        self.invariants.made(release, f"{name}@{release}")
        if self.world.versions[-1].release == release and self.spoils and self.spoils():
            self.world.versions[-1] = replace(self.world.versions[-1], digest=ids.sha256(b"somebody's own files"))

    def _build_begun(self, spec: Any) -> None:
        self.invariants.made(spec.release, f"{spec.project}:{spec.release}")
        if self.world.images[f"{spec.project}:{spec.release}"].status == "building":
            ends = partial(self.world.end_image, f"{spec.project}:{spec.release}")
            self.host.later(self.host.some(5.0, 60.0), Act(ends))

    def _start_begun(self, slot: str, *_: Any) -> None:
        if self.world.services[slot].status == "starting":
            self.host.later(self.host.some(2.0, 30.0), Act(partial(self.world.end_start, slot)))

    def _look_around(self) -> None:
        if self.world.events:
            told, self.world.events[:] = list(self.world.events), []
            for notice in told:
                self.tell(notice)
        if len(self.world.outbox) > self.mails:
            new = list(self.world.outbox.items())[self.mails :]
            self.mails = len(self.world.outbox)
            for (name, to), text in new:
                self._mail(name, to, text)
        self.invariants.look_outside()

    def tell(self, notice: notices.Notice, taken: Callable[[], None] = lambda: None) -> None:
        """Let Event Grid take an event."""
        self.events += 1
        function, told = event(notice, self.events)
        self.host.raise_event(lambda: Delivery(function, told, taken))

    # What people do.

    def _mail(self, name: str, to: str, text: str) -> None:
        found = _TOKEN.search(text)
        assert found is not None
        if self.decides:
            self.decides(self, found[1], to, found[2])

    def answer(
        self, seconds: float, release: str, who: str, token: str, choice: str, against_myself: bool = False
    ) -> None:
        """Let somebody read the evidence and decide, and send it again when no answer comes.

        With `against_myself`, whoever may not approve rejects.
        """
        rejects = partial(self.answer, 5.0, release, who, token, "reject") if against_myself else None
        self.host.later(seconds, Request(APPROVE, evidence(release, token), lambda status, body: None))
        self.ask(
            seconds,
            partial(Request, APPROVE, decision(release, token, choice)),
            lambda body: self.acknowledge(f"{choice} of {who} about {release}", self._is_decided, release, who, choice),
            refused=rejects,
        )

    def _is_decided(self, release: str, who: str, choice: str) -> bool:
        given = self.invariants.of(f"release/{release}", facts.Decided)
        return any((each.approver, each.decision) == (who, choice) for each in given)

    def acknowledge(self, what: str, holds: Callable[..., bool], *given: Any) -> None:
        """Keep what was answered with a 2xx: it must hold in the end."""
        self.acknowledged.append((what, partial(holds, *given)))

    def ask(
        self,
        seconds: float,
        make: Callable[[Any], Request],
        done: Callable[[dict[str, Any]], None],
        again: bool = True,
        refused: Callable[[], None] | None = None,
    ) -> None:
        """Send a request; one that got no answer, or was told to come again, is sent again."""

        def answered(status: int, body: bytes) -> None:
            if 200 <= status < 300:
                done(json.loads(body))
            elif again and status in (0, 500, 503):
                self.ask(self.host.some(5.0, 30.0), make, done, again, refused)
            elif status == 403 and refused:
                refused()

        self.host.later(seconds, make(answered))

    def commit(self, name: str, commit: str) -> None:
        """Put a commit on the branch of a project; half of them change nothing that stands below `flats`."""
        self.world.branches[self.world.projects[name].repository].append(commit)
        below = f"# {commit}" if self.host.rng and self.host.rng.random() < 0.5 else ""
        flats = {f"flats/{file}": text for file, text in FILES.items()}
        self.world.files[commit] = FILES | {"train.py": f"# {commit}"} | flats | {"flats/train.py": below}

    def push(self, seconds: float, name: str, commit: str, by: str = "dee@example.org") -> None:
        """Commit, and let the git host tell it once; a person lets it send again only where no patrol looks."""

        def told() -> None:
            self.commit(name, commit)
            make = partial(Request, ON_PUSH, push(self.world.projects[name].repository, commit, by))
            self.ask(0.0, make, lambda body: self._pushed(commit, body), self.resends)
            if self.host.rng and self.host.rng.random() < 0.2:
                # Somebody presses Redeliver.
                self.ask(self.host.some(0.0, 60.0), make, lambda body: self._pushed(commit, body), False)

        self.host.later(seconds, Act(told))

    def _pushed(self, commit: str, body: dict[str, Any]) -> None:
        for release in body["releases"]:
            self.acknowledge(f"the push of {commit[:7]}", self._is_numbered, release["project"], commit)

    def _is_numbered(self, name: str, commit: str) -> bool:
        return any(each.commit == commit for each in self.invariants.of(f"project/{name}", facts.ReleaseNumbered))

    def data(self, seconds: float, name: str, blob: str, etag: str, then: Callable[[], None] = lambda: None) -> None:
        """Let a blob arrive; `then` comes after the first time that somebody took that in."""
        notice = notices.BlobHeard(name, f"in/{blob}", 100, etag, etag.zfill(20))
        told = [then]

        def taken() -> None:
            self.acknowledge(f"the blob {blob} {etag}", self._has_arrived, name, notice)
            while told:
                told.pop()()

        self.host.later(seconds, Act(lambda: self.tell(notice, taken)))

    def _has_arrived(self, name: str, blob: notices.BlobHeard) -> bool:
        """Say whether this arrival, or a later one of the same blob, is recorded."""
        arrived = self.invariants.of(f"project/{name}", facts.DataArrived)
        return any(each.name == blob.name and each.sequencer >= blob.sequencer for each in arrived)

    # What came of it.

    @property
    def port_calls(self) -> int:
        """How many calls of ports there were, without what the host did."""
        return self.host.calls.total() - sum(self.host.calls[each] for each in ("queue", "grid", "http"))

    @property
    def releases(self) -> list[str]:
        """How each release ended, or that it is open."""
        told = self.invariants.told
        opened = [name for name in told if name.startswith("release/")]
        return [next((each.how for each in self.invariants.of(name, facts.ReleaseEnded)), "open") for name in opened]

    # To the end.

    def until_rest(self, steps: int = 60_000) -> list[str]:
        """Let everything go on until nothing does; return what was wrong."""
        try:
            with self.host.loop.running():
                return self._until_rest(steps)
        finally:
            wiring.forget()

    def _until_rest(self, steps: int) -> list[str]:
        calm = 0.0
        for _ in range(steps):
            if self.host.wrong:
                return self.host.wrong
            if self.host.still:
                if self._all_ended() or not self.host.heap:
                    break
                calm = calm or self.host.time
                if self.host.time > calm + PATIENCE:
                    break
            if not self.host.step():
                break
        else:
            self.host.wrong.append("it never comes to rest")
        self.invariants.at_rest()
        for what, holds in self.acknowledged:
            if not holds():
                self.host.wrong.append(f"{what} was acknowledged and lost")
        if self.expects and not self.host.wrong:
            self.host.wrong += self.expects(self)
        return self.host.wrong

    def _all_ended(self) -> bool:
        if any(name.startswith("open/") for name in self.world.ledger._marks):
            return False
        for name in self.world.projects:
            told = self.invariants.told.get(f"project/{name}", [])
            numbered = {each.release for each in told if isinstance(each, facts.ReleaseNumbered)}
            if numbered - {each.release for each in told if isinstance(each, facts.ReleaseClosed)}:
                return False
            production = self.invariants.told.get(f"environment/{name}/production", [])
            decided = max((each.generation for each in production if isinstance(each, facts.LiveDecided)), default=0)
            if decided and not any(isinstance(e, facts.LiveSeen) and e.generation == decided for e in production):
                return False
            if not self.invariants.answered(name):
                return False
            tips = self.world.branches[self.world.projects[name].repository]
            if tips and not any(isinstance(e, facts.ReleaseNumbered) and e.commit == tips[-1] for e in told):
                return False
        return True


ONE = (("houses", "houses", "", 1, "finish", ""),)


def one_release(plan: Plan, patrols: bool, trace: bool = False) -> Run:
    """Return a run of one whole release: data, a push, an approval, live."""
    run = Run.of(plan, projects(*ONE), patrols=patrols, trace=[] if trace else None)
    # Data that arrive after the push are a second release by right.
    pushed: list[None] = []

    def push_once() -> None:
        if not pushed:
            pushed.append(None)
            run.push(0.0, "houses", "a" * 40)

    run.data(0.0, "houses", "january.csv", "1", push_once)
    if patrols:
        run.host.later(300.0, Act(push_once))
    run.decides, run.expects = _ana_approves, _whole
    return run


def _whole(run: Run) -> list[str]:
    """Return what is wrong with the end of one release: it is live, and there is one of everything."""
    world = run.world
    made = [len(each) for each in (world.versions, world.images, world.services, world.jobs)]
    ended = [each.how for told in run.invariants.told for each in run.invariants.of(told, facts.ReleaseEnded)]
    fit = (made, ended) == ([1, 1, 2, 6], ["live"]) and 1 <= len(world.outbox) <= 2
    return [] if fit else [f"{made} were made, it ended as {ended}"]


def _ana_approves(run: Run, release: str, who: str, token: str) -> None:
    if who == "ana@example.org":
        run.answer(20.0, release, who, token, "approve")


class Crowd:
    """Several projects and people, by a seed: pushes, data, drift, approvals, holds, roll backs, cancels."""

    def __init__(self, run: Run, rng: random.Random) -> None:
        self.run, self.rng, self.patrols = run, rng, run.host.patrols
        self.until = rng.uniform(300.0, 1500.0)

    def begin(self) -> None:
        """Let everything that will be wanted in this run be wanted at its time."""
        run, rng = self.run, self.rng
        names = list(run.world.projects)
        for number, name in enumerate(names):
            if rng.random() < 0.9:
                run.data(rng.uniform(0.0, 60.0), name, "january.csv", "1")
            for nth in range(rng.choice((1, 1, 2, 3))):
                by = rng.choice(("dee@example.org", "dee@example.org", "ana@example.org"))
                run.push(self._when(), name, f"{number}{nth:x}{rng.getrandbits(152):038x}", by)
            for blob in range(rng.choice((0, 1, 2, 3))):
                run.data(self._when(), name, rng.choice(("january.csv", "february.csv")), str(blob + 2))
            for window in range(rng.choice((0, 0, 1, 2))):
                self._drift(name, f"2026-{window + 1:02d}")
            if rng.random() < 0.3:
                run.host.later(self._when(), Act(partial(self._upgrade, name)))
            if rng.random() < 0.3:
                self._open(name)
            if rng.random() < 0.6:
                self._move(self._when(), name, rng.choice(("hold", "rollback")))
            if rng.random() < 0.3:
                run.host.later(self._when(), Act(partial(self._cancel_any, name)))

    def _when(self) -> float:
        return self.rng.uniform(0.0, self.until)

    def _upgrade(self, name: str) -> None:
        """Let a release be on its way that was opened before there were claims about models."""
        commit = project.fold(self._told.get(f"project/{name}", ())).commit
        if commit:
            older = tuple(step for step in NAMES if step != "certify")
            self.run.host.put(at_once(self.run.world.open_on(older, name, commit)))

    def others(self, rng: random.Random) -> None:
        """Let colleagues register models of their own now and then, beside all else."""
        for name, entry in self.run.world.projects.items():
            if rng.random() < 0.8:
                continue
            if rng.random() < 0.8:
                self.run.world.projects[name] = replace(entry, registered_elsewhere="adopt")
            for _ in range(rng.choice((1, 2))):
                self.run.host.later(rng.uniform(100.0, self.until), Act(partial(self._register, name)))

    def _register(self, name: str) -> None:
        number = self.run.world.register_elsewhere(name, tells=False).number
        taken = partial(self.run.acknowledge, f"version {number} of {name}", self._is_known, name, number)
        self.run.tell(notices.ModelHeard(name, str(number), ""), taken)

    def _is_known(self, name: str, number: int) -> bool:
        """Say whether a version of others is in a release, or kept with why it is in none."""
        told = self._told.get(f"project/{name}", [])
        versions = [each.version for each in told if isinstance(each, facts.ReleaseNumbered) and each.version]
        rows = [each for each in told if isinstance(each, facts.CameIn) and each.subject == f"{name}:{number}"]
        return number in [each.number for each in versions] or any(each.became == "recorded" for each in rows)

    def _drift(self, name: str, window: str) -> None:
        told = notices.DriftHeard(f"{name}-monitor", window, "moved")
        self.run.host.later(self._when(), Act(lambda: self.run.tell(told)))

    def _open(self, name: str) -> None:
        body = {"project": name, "by": "cy@example.org", "reason": "audit"}
        make = partial(Request, RELEASES, asked("", body, idempotency_key=f"key-{name}"))
        self.run.ask(self._when(), make, self._opened)

    def _opened(self, body: dict[str, Any]) -> None:
        for each in body["releases"]:
            self.run.acknowledge(
                f"the release {each['release']}", lambda release=each["release"]: f"release/{release}" in self._told
            )

    @property
    def _told(self) -> dict[str, list[facts.Fact]]:
        return self.run.invariants.told

    def _move(self, when: float, name: str, action: str) -> None:
        """Hold or roll back, and lift what that leaves some time after."""
        govern = partial(self._govern, 0.0, name, action, partial(self._lift, name))
        self.run.host.later(when, Act(govern))

    def _lift(self, name: str, body: dict[str, Any]) -> None:
        if body["held"]:
            self._govern(self.rng.uniform(10.0, 600.0), name, "lift", lambda _: None)

    def _govern(self, when: float, name: str, action: str, done: Callable[[dict[str, Any]], None]) -> None:
        body = {"action": action, "by": "bo@example.org", "reason": "because"}
        live = self.run.invariants.of(f"environment/{name}/production", facts.LiveDecided)
        if action == "rollback" and live and self.rng.random() < 0.4:
            body["to"] = f"v{self.rng.choice(live).version}"
        given = asked(f"{name}/production", body)
        self.run.ask(when, partial(Request, ENVIRONMENTS, given), done)

    def _cancel_any(self, name: str) -> None:
        numbered = self.run.invariants.of(f"project/{name}", facts.ReleaseNumbered)
        if numbered:
            self._cancel(self.rng.choice(numbered).release)

    def _cancel(self, release: str) -> None:
        given = asked(f"{release}/cancel", {"by": "dee@example.org", "reason": "stop"})
        self.run.ask(0.0, partial(Request, RELEASES, given), partial(self._cancelled, release))

    def _cancelled(self, release: str, body: dict[str, Any]) -> None:
        def holds() -> bool:
            return [each.how for each in self.run.invariants.of(f"release/{release}", facts.ReleaseEnded)] == [
                "cancelled"
            ]

        self.run.acknowledge(f"the cancel of {release}", holds)

    def decide(self, run: Run, release: str, who: str, token: str) -> None:
        """Answer a mail, sometimes against it; where no patrol lets questions expire, everybody answers."""
        rng = self.rng
        if self.patrols and rng.random() < 0.1:
            return
        choice = "approve" if rng.random() < 0.85 else "reject"
        run.answer(rng.uniform(1.0, 300.0), release, who, token, choice, against_myself=True)

    def end(self, run: Run, name: str) -> None:
        """Let a job fail, or be lost, or find one model better than the other."""
        rng, world = self.rng, run.world
        spec = world.specs[name]
        world.failing = {spec.step: "KeyError: 'rooms'"} if rng.random() < 0.03 else {}
        if self.patrols and rng.random() < 0.03:
            world.jobs[name] = type(world.jobs[name])("lost")
        found = {"verdict": "first", "champion": None, "gain": None, "low": None, "high": None}
        if "champion" in spec.inputs:
            verdict = rng.choices(("better", "not better", "inconclusive"), (8, 1, 1))[0]
            found = {"verdict": verdict, "champion": 4.0, "gain": 0.5, "low": 0.1, "high": 0.9}
        world.results["evaluate"].update(found)

    def unscheduled(self) -> None:
        """Let the operator take the schedules away: else it would never come to rest."""
        for name, entry in self.run.world.projects.items():
            self.run.world.projects[name] = replace(entry, schedule="")

    def look(self) -> None:
        """Let a person resume what was parked, and others come in between at the worst moment."""
        while self.run.invariants.parked:
            release = self.run.invariants.parked.pop()
            self.run.resumed += 1
            given = asked(f"{release}/resume", {"by": "cy@example.org", "reason": "mended"})
            self.run.ask(self.rng.uniform(10.0, 60.0), partial(Request, RELEASES, given), lambda body: None)
        while self.run.invariants.going:
            self._interfere(self.run.invariants.going.pop())
        while self.run.invariants.failed:
            release = self.run.invariants.failed.pop()
            (opened,) = self.run.invariants.of(f"release/{release}", facts.ReleaseOpened)
            if opened.cause != "rerun" and self.rng.random() < 0.5:
                self._rerun(release)
        while self.run.invariants.doubtful:
            release = self.run.invariants.doubtful.pop()
            if self.rng.random() < 0.5:
                self._cancel(release)

    def _rerun(self, release: str) -> None:
        given = asked(f"{release}/rerun", {"by": "cy@example.org", "reason": "mended"}, idempotency_key="once")
        make = partial(Request, RELEASES, given)
        self.run.ask(self.rng.uniform(10.0, 90.0), make, self._opened)

    def _interfere(self, release: str) -> None:
        chance = self.rng.random()
        (opened,) = self.run.invariants.of(f"release/{release}", facts.ReleaseOpened)
        if chance < 0.1:
            self._cancel(release)
        elif chance < 0.2:
            self._move(0.0, opened.project, "hold")
        elif chance < 0.25:
            self._move(0.0, opened.project, "rollback")


PROJECTS = (("houses", "houses", "", 1), ("boats", "boats", "", 2), ("flats", "houses", "flats", 1))
SCHEDULES = ("", "", "0 */17 * * * *")
ON_NEWER = ("finish", "cancel", "queue")


def many_releases(seed: str, patrols: bool, trace: bool = False) -> Run:
    """Return a run of several releases of several projects, in which a seed chooses everything."""
    rng = random.Random(f"{seed} crowd")
    rows = rng.sample(PROJECTS, rng.choice((1, 2, 2, 3)))
    known = projects(*((*row, rng.choice(ON_NEWER), rng.choice(SCHEDULES)) for row in rows))
    plan = Seeded(random.Random(f"{seed} faults"), rng.choice((0.02, 0.1, 0.2)), patrols)
    if patrols and rng.random() < 0.15:
        plan.deadly = rng.choice((("jobs", "submit"), ("images", "build"), ("hosting", "deploy")))
    run = Run.of(
        plan,
        known,
        rng=random.Random(f"{seed} order"),
        patrols=patrols,
        at_once=rng.choice((2, 3, 6)),
        processes=rng.choice((1, 1, 2)),
        trace=[] if trace else None,
    )
    crowd = Crowd(run, rng)
    run.decides, run.ends, run.spoils = crowd.decide, crowd.end, lambda: rng.random() < 0.02
    run.host.after.append(crowd.look)
    crowd.begin()
    crowd.others(random.Random(f"{seed} others"))
    run.host.later(crowd.until, Act(crowd.unscheduled))
    run.host.later(crowd.until + 900.0, Act(plan.stop))
    return run
