"""What `make crash` sees of a running stack, in the stores that the stack itself writes."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.answers import Order
from shared.backends.local import works
from shared.backends.local.durable import write_durably
from shared.backends.local.ledger import SqliteLedger
from shared.backends.local.processes import Identity, identity
from shared.release import chain, facts
from tools.local.queue_store import QueueStore
from tools.prove.moments import ON_THE_WAY, Point
from tools.prove.sight import Sight, Target

COMMIT = "c" * 40
RELEASE = "0123456789abcdef0123"
AT = "2026-11-24T13:00:00.500+00:00"


@pytest.fixture
def sight(tmp_path: Path) -> Iterator[Sight]:
    seen = Sight(tmp_path)
    yield seen
    seen.close()


@pytest.fixture
def target(sight: Sight) -> Target:
    return Target(sight, "prices", COMMIT)


def record(state: Path, stream: str, *news: facts.Fact) -> None:
    asyncio.run(SqliteLedger(state).append(stream, chain.encode(news, AT, None), None))


def numbered() -> facts.ReleaseNumbered:
    return facts.ReleaseNumbered(RELEASE, 1, COMMIT, "d" * 16, "push")


def point(stretch: str, name: str) -> Point:
    return next(one for one in ON_THE_WAY[stretch] if one.name == name)


def test_nothing_is_there_before_a_stack_was_up(target: Target) -> None:
    assert target.release == ""
    assert [name for name, points in ON_THE_WAY.items() for one in points if one.holds(target)] == []


def test_a_fact_is_seen_once_it_is_appended_and_once_only(tmp_path: Path, target: Target) -> None:
    record(tmp_path, "project/prices", numbered())
    assert target.release == RELEASE
    assert not point("train", "the order was appended").holds(target)
    record(tmp_path, f"release/{RELEASE}", facts.StepOrdered("check", 1))
    record(tmp_path, f"release/{RELEASE}", facts.StepOrdered("train", 1))
    assert point("train", "the order was appended").holds(target)
    assert not point("evaluate", "the order was appended").holds(target)
    read = [(line.kind, line.data["step"], line.at) for line in target.sight.stream(target.own())]
    assert read == [("StepOrdered", "check", 1795525200.5), ("StepOrdered", "train", 1795525200.5)]


def test_what_another_release_did_is_not_seen(tmp_path: Path, target: Target) -> None:
    record(tmp_path, "project/prices", numbered())
    assert target.release == RELEASE
    other = facts.LiveDecided(1, "f" * 20, 2, "slot", 1, "sha256:", "ana", "promoted")
    record(tmp_path, "environment/prices/production", other)
    assert not point("live", "it was decided live").holds(target)
    ours = facts.LiveDecided(2, RELEASE, 1, "slot", 1, "sha256:", "ana", "promoted")
    record(tmp_path, "environment/prices/production", ours)
    assert point("live", "it was decided live").holds(target)


def test_a_message_waits_is_taken_and_is_gone(tmp_path: Path, sight: Sight) -> None:
    store = QueueStore(tmp_path / "queues.db")
    assert sight.message(RELEASE, "train") is None
    store.put([("steps", Order("train", RELEASE).text())], 100.0)
    assert sight.message(RELEASE, "train") == "waits"
    assert sight.message(RELEASE, "check") is None
    (taken,) = store.take("steps", 1, 60.0, 100.0)
    assert sight.message(RELEASE, "train") == "taken"
    store.delete(taken)
    assert sight.message(RELEASE, "train") is None


def test_a_job_is_at_work_while_its_process_lives_and_has_left_no_word(tmp_path: Path, target: Target) -> None:
    record(tmp_path, "project/prices", numbered())
    runs, untold = point("train", "train runs"), point("train", "the job ended, nobody was told")
    folder = tmp_path / "jobs" / f"{RELEASE}-train-1"
    ourselves = identity(os.getpid())
    assert ourselves is not None
    assert not runs.holds(target)
    another = Identity(ourselves.pid, f"not {ourselves.started}")
    write_durably(folder / "process.json", msgspec.json.encode(works.Worker(another, 90.0)))
    assert not runs.holds(target)
    write_durably(folder / "process.json", msgspec.json.encode(works.Worker(ourselves, 100.0)))
    assert runs.holds(target)
    write_durably(folder / "status.json", b"{}")
    assert not runs.holds(target)
    assert untold.holds(target)
    record(tmp_path, f"release/{RELEASE}", facts.Heard("RunCompleted", f"{RELEASE}-train-1", "Completed"))
    assert not untold.holds(target)
