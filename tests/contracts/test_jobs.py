"""What all compute keeps to: the real scripts on this machine and on Azure's double, and the world of the stories."""

import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from shared.backends.azure.workspace import Azure
from shared.backends.local import works
from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.jobs import LocalJobs
from shared.errors import NotFound
from shared.ports import JobReport, Jobs, JobSpec
from shared.release.notices import RunHeard
from tests.azure.jobs import RELEASE, Ground, tarred
from tests.azure.stand_in import StandIn
from tests.local_backend.stand_ins import Topic, until
from tests.world import World

BEGINS = 'import json, sys, threading\nprint("log of", json.load(open("job.json"))["name"], flush=True)\n'
REASON, ADVICE = "Column y is empty", "Mend it and push again"
SCRIPTS = {
    "check": BEGINS + 'json.dump({"rows": 100}, open("outputs/result.json", "w"))\n',
    "certify": BEGINS + f"json.dump({dict(reason=REASON, advice=ADVICE)}, open('outputs/failure.json', 'w'))\n"
    "sys.exit(1)\n",
    "evaluate": BEGINS + "threading.Event().wait()\n",
}
"""A job that completes, one that fails, and one that runs until it is cancelled."""
WORKS, FAILS, WAITS = (f"{RELEASE}-{kind}-1" for kind in SCRIPTS)
ABSENT = f"{RELEASE}-try-1"


@dataclass
class Compute:
    """Jobs, the digest of a commit for them, how their ends were told, and how one gets lost where that can be."""

    jobs: Jobs
    code: str
    told: Callable[[str], list[str]]
    lose: Callable[[str], None]

    def submit(self, name: str) -> None:
        kind = name.split("-")[1]
        spec = JobSpec(name, "check", "diabetes", RELEASE, kind, self.code, (), {}, "{}", "requirements.txt", 60)
        asyncio.run(self.jobs.submit(msgspec.structs.replace(spec, kind=kind)))

    def find(self, name: str) -> JobReport | None:
        return asyncio.run(self.jobs.find(name))

    def cancel(self, name: str) -> None:
        asyncio.run(self.jobs.cancel(name))

    def ended(self, name: str) -> JobReport:
        """Return how a job ended, once that was told."""
        until(lambda: self.told(name))
        report = self.find(name)
        assert report is not None
        return report


def memory(request: pytest.FixtureRequest, folder: Path) -> Compute:
    world = World(failing={"certify": REASON}, running={"evaluate"})

    def told(name: str) -> list[str]:
        return [each.status for each in world.events if isinstance(each, RunHeard) and each.run == name]

    def lose(name: str) -> None:
        world.jobs[name] = JobReport("lost", reason="its process is gone")

    return Compute(world.control.outside.jobs, "sha256:code", told, lose)


def local(request: pytest.FixtureRequest, folder: Path) -> Compute:
    topic: Topic = request.getfixturevalue("topic")
    scripts = folder / "scripts"
    scripts.mkdir()
    (scripts / "requirements.in").write_text("")
    for kind, text in SCRIPTS.items():
        (scripts / f"{kind}.py").write_text(text)

    def told(name: str) -> list[str]:
        return _statuses(topic.events, name)

    def lose(name: str) -> None:
        worker = works.worker_of(folder / "jobs" / name)
        assert worker is not None
        os.kill(worker.who.pid, signal.SIGKILL)

    code = asyncio.run(FileArtifacts(folder).put(tarred({"requirements.txt": ""})))
    return Compute(LocalJobs(folder, scripts), code, told, lose)


def azure(request: pytest.FixtureRequest, folder: Path) -> Compute:
    double: StandIn = request.getfixturevalue("double")
    way: Azure = request.getfixturevalue("azure")
    ground = Ground(double, way, folder / "ground", **SCRIPTS)

    def told(name: str) -> list[str]:
        return _statuses(double.events(), name)

    def lose(name: str) -> None:
        raise NotImplementedError("Azure ends what is lost itself")

    return Compute(ground.jobs, asyncio.run(ground.artifacts.put(tarred({"requirements.txt": ""}))), told, lose)


def _statuses(events: list[dict], name: str) -> list[str]:  # type: ignore[type-arg]
    its = [each["data"] for each in events if each["data"].get("runId") == name]
    return [each.get("runStatus", "Completed") for each in its]


BACKENDS = {"memory": memory, "local": local, "azure": azure}


@pytest.fixture(params=BACKENDS)
def compute(request: pytest.FixtureRequest, tmp_path: Path) -> Compute:
    return BACKENDS[request.param](request, tmp_path)


def test_a_job_that_is_asked_for_twice_is_one_and_what_ended_stays_so(compute: Compute) -> None:
    assert compute.find(WORKS) is None

    compute.submit(WORKS)
    compute.submit(WORKS)
    report = compute.ended(WORKS)
    compute.submit(WORKS)
    compute.cancel(WORKS)

    assert (report.status, report.reason) == ("completed", "")
    assert json.loads(report.result)["rows"] == 100
    assert report.seconds > 0
    assert compute.find(WORKS) == report
    assert asyncio.run(compute.jobs.log(WORKS)).count(f"log of {WORKS}") == 1
    assert compute.told(WORKS) == ["Completed"]


def test_a_job_that_fails_says_why_and_what_to_do_and_is_not_done_again(compute: Compute) -> None:
    compute.submit(FAILS)
    report = compute.ended(FAILS)
    compute.submit(FAILS)

    assert (report.status, report.reason, report.advice) == ("failed", REASON, ADVICE)
    assert compute.find(FAILS) == report
    assert f"log of {FAILS}" in asyncio.run(compute.jobs.log(FAILS))
    assert compute.told(FAILS) == ["Failed"]


def test_a_running_job_is_cancelled_once_and_stays_so(compute: Compute) -> None:
    compute.submit(WAITS)
    running = compute.find(WAITS)

    compute.cancel(WAITS)
    report = compute.ended(WAITS)
    compute.cancel(WAITS)
    compute.submit(WAITS)

    assert running is not None
    assert (running.status, report.status) == ("running", "cancelled")
    assert "was cancelled" in report.reason
    assert compute.find(WAITS) == report
    assert compute.told(WAITS) == ["Canceled"]


def test_what_was_never_submitted_is_absent_and_cancelling_it_is_no_error(compute: Compute) -> None:
    compute.cancel(ABSENT)

    assert compute.find(ABSENT) is None
    assert compute.told(ABSENT) == []
    with pytest.raises(NotFound, match="no job"):
        asyncio.run(compute.jobs.log(ABSENT))


@pytest.mark.parametrize("compute", ["memory", "local"], indirect=True)
def test_a_lost_job_is_started_again_and_one_that_is_cancelled_never(compute: Compute) -> None:
    compute.submit(WAITS)
    for _ in range(2):
        compute.lose(WAITS)
        lost = until(lambda: found if (found := compute.find(WAITS)) and found.status != "running" else None)
        assert (lost.status, lost.reason != "") == ("lost", True)
        compute.submit(WAITS)
        until(lambda: (found := compute.find(WAITS)) is not None and found.status == "running")
    compute.lose(WAITS)
    until(lambda: (found := compute.find(WAITS)) is not None and found.status == "lost")

    compute.cancel(WAITS)
    compute.submit(WAITS)

    assert compute.ended(WAITS).status == "cancelled"
    assert compute.told(WAITS) == ["Canceled"]
