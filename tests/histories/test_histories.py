"""What earlier versions wrote: every recorded history folds, and any beginning of it is finished by today's code."""

import asyncio
import json
import re
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.backends.memory import MemoryLedger
from shared.ports import JobReport, ModelVersion
from shared.release import chain, environment, facts, ids, line, notices, project, state
from tests.histories.record import DEPLOYS, NEW_IN_3, NEW_IN_4, STORIES, better, files, ruled
from tests.world import World

HERE = Path(__file__).parent
HISTORIES = sorted(HERE.glob("version-*/*.jsonl"))


class About(msgspec.Struct):
    """The first line of a history: which release it tells of, and how that ended."""

    release: str
    ended: str
    commits: list[str]
    now: datetime


@cache
def read(path: Path) -> tuple[About, list[dict[str, str]]]:
    about, *rows = path.read_text().splitlines()
    return msgspec.json.decode(about, type=About), [json.loads(row) for row in rows]


def moments(path: Path) -> Iterator[list[dict[str, str]]]:
    """Yield every beginning of a history in which its release has its number, one line of a stream after the other."""
    about, rows = read(path)
    told: list[dict[str, str]] = []
    begun = False
    for row in rows:
        lines = row.get("lines", "").splitlines(keepends=True)
        for number in range(1, max(len(lines), 1)):
            # What an adopted version begins with is one append, and no store leaves half of one.
            if begun and "CarriedOver" not in row["lines"]:
                yield [*told, row | {"lines": "".join(lines[:number])}]
        told.append(row)
        begun = begun or ("ReleaseNumbered" in row.get("lines", "") and about.release in row["lines"])
        if begun:
            yield list(told)


async def retell(ledger: MemoryLedger, rows: list[dict[str, str]]) -> None:
    for row in rows:
        if "append" in row:
            await ledger.append(row["append"], row["lines"].encode(), None)
        elif "mark" in row:
            await ledger.mark(row["mark"], row["content"].encode())
        else:
            await ledger.unmark(row["unmark"])


def kept(rows: list[dict[str, str]]) -> MemoryLedger:
    ledger = MemoryLedger()
    asyncio.run(retell(ledger, rows))
    return ledger


def training(world: World, rows: list[dict[str, str]]) -> list[facts.Trained]:
    """Return what the trainings of a moment ended with: no release is registered without the files."""
    streams = {row["append"] for row in rows if row.get("append", "").startswith("release/")}
    known = [fact for name in streams for fact in chain.decode(name, world.ledger_bytes(name)).facts]
    return [fact for fact in known if isinstance(fact, facts.Trained)]


def world_of(path: Path, rows: list[dict[str, str]]) -> World:
    """Return a world with the ledger, the branch and the trained models of that moment; all else is lost."""
    about, _ = read(path)
    world = ruled(path.stem, ledger=kept(rows), branch=list(about.commits), now=about.now)
    world.files = {commit: files(path.stem) for commit in world.branch}
    better(world)
    for trained in training(world, rows):
        result = json.dumps({"model": {"digest": trained.model}})
        world.jobs[trained.job] = JobReport("completed", 1.0, result=result)
    if path.stem == "adopted":
        world.versions = [ModelVersion("houses", 3, "sha256:theirs", "")]
    if path.stem == "kept":
        world.results["evaluate"].update(verdict="not better", champion=3.5, gain=-0.4, low=-0.9, high=-0.1)
    return world


def finish(world: World, about: About) -> None:
    """Let today's code go on: the patrol finds what is open, and people do what they did."""
    ended = 0
    for _ in range(10):
        world.patrol()
        world.run_unless_away()
        known = world.state(about.release)
        # Once more after the end: a service that was lost with all the others has to answer first.
        ended += known.ended is not None
        if ended == 2:
            return
        if known.parked:
            world.take_in(notices.ResumeAsked(about.release, "bo@example.org", "there is memory again"))
        if line.standing(known) == "ask" and known.round in known.asked:
            world.decide(about.release, "bo@example.org", "reject" if about.ended == "rejected" else "approve")
        held = asyncio.run(world.control.streams.environment("houses", "production")).held
        if held is not None and line.standing(known) == "promote":
            world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "ana@example.org", "understood"))


def test_every_story_of_every_version_is_there() -> None:
    told = {(path.parent.name, path.stem) for path in HISTORIES}
    assert {story for version, story in told if version == "version-1"} == {"live", "kept", "rejected", "second-round"}
    assert {story for version, story in told if version == "version-2"} == set(STORIES) - NEW_IN_3 - NEW_IN_4
    assert {story for version, story in told if version == "version-3"} == NEW_IN_3
    assert {story for version, story in told if version == "version-4"} == NEW_IN_4


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_history_still_verifies_and_folds_to_its_end(path: Path) -> None:
    about, rows = read(path)
    world = World(ledger=kept(rows))
    streams = {row["append"] for row in rows if "append" in row}
    told = {name: chain.decode(name, world.ledger_bytes(name)).facts for name in streams}
    assert not [fact for known in told.values() for fact in known if isinstance(fact, facts.Unknown)]
    release = state.fold(told[f"release/{about.release}"])
    assert release.ended is not None
    assert (release.ended.how, line.due(release), line.standing(release)) == (about.ended, [], None)
    assert release.release.release == about.release
    known = project.fold(told["project/houses"])
    assert known.closed[about.release] == about.ended
    numbered = known.numbered[about.release]
    assert ids.release_id("houses", numbered.commit, numbered.data, numbered.ask) == about.release
    production = environment.fold(told.get("environment/houses/production", ()))
    assert (production.live is not None and production.live.release == about.release) == (about.ended == "live")
    assert asyncio.run(world.ledger.marks("open/")) == []


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_release_that_was_open_at_any_moment_of_a_history_is_finished_by_todays_code(path: Path) -> None:
    about, _ = read(path)
    finished = 0
    for rows in moments(path):
        world = world_of(path, rows)
        finish(world, about)
        where = f"after line {len(rows) + 1} of {path.name}"
        assert world.ended(about.release) == about.ended, where
        assert (world.live() == about.release) == (about.ended == "live"), where
        assert asyncio.run(world.ledger.marks("open/")) == [], where
        assert world.state_of_project().closed[about.release] == about.ended, where
        finished += 1
    assert finished > (3 if about.ended == "unchanged" else len(line.NAMES))


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_history_that_was_changed_is_found(path: Path) -> None:
    about, rows = read(path)
    name = f"release/{about.release}"
    content = b"".join(row["lines"].encode() for row in rows if row.get("append") == name)
    changed = re.sub(rb'"cause":"\w+"', b'"cause":"drift"', content, count=1)
    assert changed != content
    with pytest.raises(chain.Broken, match=f"stream {name}, line 2"):
        chain.decode(name, changed)


def kinds_of(path: Path) -> set[str]:
    lines: list[dict[str, Any]] = [
        json.loads(each) for row in read(path)[1] for each in row.get("lines", "").splitlines()
    ]
    return {each["kind"] for each in lines}


def test_the_histories_of_version_1_hold_the_outcome_of_every_step_and_a_second_round() -> None:
    told = set().union(*(kinds_of(path) for path in HISTORIES if path.parent.name == "version-1"))
    assert {kind.__name__ for kind in state.OUTCOMES} <= told
    assert {"ProductionChanged", "Decided", "Heard", "SlotClaimed", "LiveDecided", "LiveSeen", "Held", "Lifted"} <= told


def test_the_histories_of_version_2_hold_what_retrains_what_waits_and_what_is_run_again() -> None:
    told = set().union(*(kinds_of(path) for path in HISTORIES if path.parent.name == "version-2"))
    assert {kind.__name__ for kind in state.OUTCOMES} <= told
    assert {"TrainingWanted", "Governed", "ScheduleSet", "NewerBegun", "ReleaseParked", "ReleaseResumed"} <= told
    assert {"Parked", "Resumed", "StepFailed", "Blocked", "ReleaseClosed", "CommitPassed"} <= told
    causes = {numbered(path).cause for path in HISTORIES if path.parent.name == "version-2"}
    assert causes == {"push", "data", "schedule", "rerun"}


def test_the_history_of_version_3_adopts_what_others_registered() -> None:
    (path,) = (path for path in HISTORIES if path.parent.name == "version-3")
    assert {"CarriedOver", "CodeRead", "Checked", "VersionAdopted", "ProductionChanged"} <= kinds_of(path)
    version = numbered(path).version
    assert (numbered(path).cause, version and (version.name, version.number)) == ("adopted", ("houses", 3))


def test_the_history_of_version_4_names_what_the_platform_deploys_also_where_production_went_back_to_it() -> None:
    (path,) = (path for path in HISTORIES if path.parent.name == "version-4")
    rows = kept(read(path)[1])

    def told(stream: str, kind: type[Any]) -> list[Any]:
        known = chain.decode(stream, asyncio.run(rows.read(stream))).facts
        return [fact for fact in known if isinstance(fact, kind)]

    names = [{what: named.format(version) for what, named in DEPLOYS.items()} for version in (1, 2, 3)]
    releases = [each.release for each in told("project/houses", facts.ReleaseNumbered)]
    packaged = [told(f"release/{release}", facts.Packaged) for release in releases]
    assert [[each.deploys for each in found] for found in packaged] == [[each] for each in names]
    decided = told("environment/houses/production", facts.LiveDecided)
    assert [each.why for each in decided] == ["promoted", "promoted", "rolled back", "promoted"]
    assert [each.deploys for each in decided] == [names[0], names[1], names[0], names[2]]


def numbered(path: Path) -> facts.ReleaseNumbered:
    about, rows = read(path)
    lines = kept(rows)
    known = project.fold(chain.decode("project/houses", asyncio.run(lines.read("project/houses"))).facts)
    return known.numbered[about.release]
