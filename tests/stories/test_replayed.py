"""What came in and what became of it, one row each; and taking it in again, which is safe at any time."""

import json
from datetime import timedelta

import msgspec
import pytest

from shared import reports
from shared.errors import Conflict, NotFound
from shared.release import facts, notices
from shared.sources import dead_letters
from tests.world import RUNNER, World


def rows(world: World) -> list[dict[str, str]]:
    """Return what people are shown, oldest first."""
    told: list[dict[str, str]] = reports.came_in(RUNNER.run(world.control.reading.came_in("", 1000)))["events"]
    return told[::-1]


def replay(world: World, row: str) -> dict[str, list[str]]:
    asked = notices.ReplayAsked(row, "bo@example.org", "to see")
    answer = RUNNER.run(world.control.replay(asked, dead_letters.told))
    world.orders += answer.orders
    world.run()
    return json.loads(answer.content())  # type: ignore[no-any-return]


def became(world: World, *sources: str) -> list[str]:
    return [f"{row['became']} {row['alias']}".rstrip() for row in rows(world) if row["source"] in sources]


def test_a_push_starts_its_release_and_the_same_push_again_is_its_duplicate() -> None:
    world = World()
    release = world.push("a")
    world.push("a")
    alias = next(row["alias"] for row in rows(world) if row["release"] == release)
    assert became(world, "github") == [f"started {alias}", f"duplicate of {alias}"]


def test_a_push_that_is_replayed_finds_its_release_also_after_newer_data() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release)
    world.run()
    world.data()
    world.run()
    (row,) = [row["id"] for row in rows(world) if row["source"] == "github"]
    before, numbered = world.ledger_bytes(f"release/{release}"), list(world.state_of_project().numbered)
    assert [each["release"] for each in replay(world, row)["releases"]] == [release]  # type: ignore[index]
    assert world.ledger_bytes(f"release/{release}") == before
    assert list(world.state_of_project().numbered) == numbered


def test_drift_of_a_monitor_nobody_knew_trains_once_it_is_named_and_replayed() -> None:
    world = World()
    world.push("a")
    world.run()
    world.take_in(notices.DriftHeard("a-stranger", "w1", "psi 9"))
    (row,) = [row for row in rows(world) if row["source"] == "drift"]
    assert (row["id"], row["became"]) == ("-:1", "refused")
    assert "no project has this monitor" in replay(world, row["id"])["recorded"][0]
    world.projects["houses"] = msgspec.structs.replace(world.projects["houses"], drift_monitors=("a-stranger",))
    replay(world, row["id"])
    wanted = [fact for fact in world.facts("project/houses") if isinstance(fact, facts.TrainingWanted)]
    assert [(each.cause, each.subject) for each in wanted] == [("drift", "a-stranger")]
    replay(world, row["id"])
    assert became(world, "drift")[-1].startswith("duplicate")
    assert [row["reason"] for row in rows(world) if row["source"] == "person"] == ["-:1 again: to see"] * 3


def test_a_dead_letter_that_is_replayed_tells_what_it_told() -> None:
    world = World()
    event = {
        "id": "1",
        "eventType": "Microsoft.Storage.BlobCreated",
        "subject": "/blobServices/default/containers/houses/blobs/in/may.csv",
        "eventTime": "2026-03-03T09:00:00Z",
        "data": {"contentLength": 9, "eTag": "0x1", "sequencer": "01"},
        "dataVersion": "1",
        "topic": "/subscriptions/s",
    }
    world.letters.letters["ON_NEW_DATA/a.json"] = json.dumps([event]).encode()
    world.patrol()
    (row,) = [row for row in rows(world) if row["source"] == "dead-letter"]
    assert row["became"] == "dead-lettered"
    replay(world, row["id"])
    assert became(world, "data") == ["waits", "duplicate"]
    assert [blob.name for blob in world.state_of_project().data] == ["in/may.csv"]


def test_what_a_run_told_is_a_row_that_its_release_keeps() -> None:
    world = World()
    release = world.push("a")
    world.run()
    told = [row for row in rows(world) if row["source"] == "RunCompleted"]
    assert told
    assert {(row["became"], row["release"], row["id"]) for row in told} == {("kept by", release, "")}


@pytest.mark.parametrize(
    "row", ["houses:1", "houses:9999", "houses:x", "houses:", "houses:٣", "boats:1", "-:7", "", ":"]
)
def test_what_is_no_row_of_what_came_in_is_not_replayed(row: str) -> None:
    world = World()
    world.push("a")
    with pytest.raises(NotFound):
        replay(world, row)


def test_a_row_of_a_ledger_that_kept_no_notice_says_that_its_sender_must_send_it_again() -> None:
    world = World()
    RUNNER.run(world.control.streams.add("inbox", [facts.CameIn("drift", "m", "refused", "nobody's")]))
    with pytest.raises(Conflict, match="let its sender send it again"):
        replay(world, "-:1")


def test_a_source_that_is_silent_longer_than_expected_is_told_and_no_longer_once_it_is_heard() -> None:
    world = World()
    world.projects["houses"] = msgspec.structs.replace(world.projects["houses"], expect={"data": 24.0, "drift": 1.0})

    def told() -> dict[str, object]:
        return reports.sources(RUNNER.run(world.control.reading.last_heard()), world.now)

    assert told()["silent"] == [
        "data was never heard, expected every 24 h",
        "drift was never heard, expected every 1 h",
    ]
    world.data()
    world.take_in(notices.DriftHeard("houses", "w1", "psi 9"))
    assert told()["silent"] == []
    world.wait(seconds=timedelta(hours=25).total_seconds())
    assert [str(each).partition(" ")[0] for each in told()["silent"]] == ["data", "drift"]  # type: ignore[attr-defined]
    world.data("in/february.csv")
    assert [str(each).partition(" ")[0] for each in told()["silent"]] == ["drift"]  # type: ignore[attr-defined]


def test_an_event_of_one_project_that_its_operator_replays_is_believed_about_no_other() -> None:
    world = World()
    houses = world.projects["houses"]
    other = msgspec.structs.replace(houses, repository="https://git.example.org/acme/boats.git", outside_ci="tests")
    world.projects["boats"] = other
    forged = notices.BuildHeard("azure-devops", (), "tests", "a" * 40, "success", "succeeded", "", 10, 1, "d")
    RUNNER.run(world.control.take_in([forged], {"houses": "HOUSES_PUSH"}))
    (row,) = [row["id"] for row in rows(world) if row["source"] == "azure-devops"]
    assert row.startswith("houses:")
    replay(world, row)
    assert not world.state_of_project("boats").ci
