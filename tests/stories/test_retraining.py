"""Data, drift, schedules and reruns drive the same line: as many triggers as come, no training too many, none lost."""

import asyncio
import json

import msgspec
import pytest

from shared.backends.memory import MemoryLedger
from shared.errors import Blocked, Conflict, NotFound
from shared.release import facts, line, notices
from shared.release.config import Project
from tests.stories.test_line import better, live_release
from tests.world import RUNNER, Crash, World, commit


def ruled(**changes: object) -> World:
    """Return a world with a live release, whose operator decided otherwise than the others'."""
    world = World()
    world.projects["houses"] = msgspec.structs.replace(world.projects["houses"], **changes)
    live_release(world)
    better(world)
    return world


def governed(**changes: object) -> World:
    rules = msgspec.structs.replace(World().projects["houses"].governor, **changes)
    return ruled(governor=rules)


def entry(world: World) -> Project:
    return world.projects["houses"]


def placed(**changes: object) -> World:
    return ruled(data=msgspec.structs.replace(World().projects["houses"].data, **changes))  # type: ignore[type-var]


def drift(world: World, window: str = "w1") -> list[str]:
    return [str(one) for one in world.take_in(notices.DriftHeard("houses-monitor", window, "psi 0.4")).body["recorded"]]


def causes(world: World) -> list[str]:
    return [numbered.cause for numbered in world.state_of_project().numbered.values()]


def came_in(world: World) -> list[facts.CameIn]:
    return [row for row in world.facts("project/houses") if isinstance(row, facts.CameIn)]


def newest(world: World) -> str:
    return next(reversed(world.state_of_project().numbered))


def test_new_data_alone_become_the_next_model_in_production() -> None:
    world = ruled()
    world.data("in/may.csv")
    world.run()
    release = newest(world)
    assert line.standing(world.state(release)) == "ask"
    world.decide(release)
    world.run()
    assert (causes(world), world.live()) == (["push", "data"], release)


def test_many_blobs_are_one_release_once_they_were_quiet() -> None:
    world = placed(quiet_seconds=10)
    for day in range(20):
        world.data(f"in/{day}.csv")
        world.wait(seconds=5)
        world.tick()
    assert causes(world) == ["push"]
    world.wait(seconds=5)
    world.tick()
    assert causes(world) == ["push", "data"]
    assert len(world.state(newest(world)).release.blobs) == 20
    assert world.state(newest(world)).release.reason == "20 blobs arrived, the last is houses/in/19.csv"


def test_a_storm_of_blobs_is_two_trainings_at_most_and_every_blob_is_in_the_last() -> None:
    world = governed(cooldown_minutes=5)
    for each in range(300):
        world.data(f"in/{each:03}.csv")
        if each % 50 == 0:
            world.run()
    world.wait(minutes=6)
    world.tick()
    world.run()
    assert causes(world) == ["push", "data", "data"]
    assert len(world.state(newest(world)).release.blobs) == 300
    assert [row.became for row in came_in(world) if row.source == "data"].count("waiting") == 299


def test_only_the_manifest_says_that_all_is_there() -> None:
    world = placed(manifest="in/*/_SUCCESS")
    assert "waits for in/*/_SUCCESS" in world.data("in/may/a.csv").body["recorded"][0]
    world.tick()
    assert causes(world) == ["push"]
    world.take_in(notices.BlobHeard("houses", "in/may/_SUCCESS", 0, "1", "9"))
    assert causes(world) == ["push", "data"]
    names = [blob.name for blob in world.state(newest(world)).release.blobs]
    assert names == ["in/may/_SUCCESS", "in/may/a.csv"]


def test_data_that_are_told_after_the_manifest_they_were_written_before_are_trained_too() -> None:
    def heard(name: str, minute: int) -> notices.BlobHeard:
        return notices.BlobHeard("houses", name, 9, "1", "9", f"2026-03-03T09:{minute:02}:00.000000+00:00")

    world = placed(manifest="in/*/_SUCCESS")
    world.take_in(heard("in/may/_SUCCESS", 5))
    world.run()
    assert causes(world) == ["push", "data"]
    world.take_in(heard("in/june/a.csv", 9))
    assert causes(world) == ["push", "data"]
    world.take_in(heard("in/may/a.csv", 3))
    world.run()
    assert causes(world) == ["push", "data", "data"]
    assert "in/may/a.csv" in [blob.name for blob in world.state(newest(world)).release.blobs]


def test_a_person_does_not_put_the_older_commit_beside_a_push_that_is_in_check() -> None:
    world = ruled(on_newer="cancel")
    world.running.add("check")
    pushed = world.push("b")
    world.run()
    asked = notices.OpenAsked("houses", "ana@example.org", "audit", "k1")
    with pytest.raises(Conflict, match=r"release #2 of the newer commit bbbbbbb is in training; ask again"):
        world.take_in(asked)
    world.running.clear()
    world.end_jobs()
    world.run()
    (again,) = world.take_in(asked).body["releases"]
    world.run()
    assert world.state(again["release"]).release.commit == commit("b")
    assert world.take_in(asked).body["releases"] == [again]
    assert world.ended(pushed) in ("open", "superseded")


def test_an_empty_blob_trains_nothing_and_is_recorded() -> None:
    world = ruled()
    answer = world.take_in(notices.BlobHeard("houses", "in/may.csv", 0, "1", "9"))
    assert (answer.status, causes(world)) == (202, ["push"])
    assert came_in(world)[-1].reason == "an empty blob: it has nothing to learn from"
    assert not world.state_of_project().arrivals


def test_the_same_blob_again_is_the_same_release_and_an_older_one_is_none() -> None:
    world = ruled()
    first = world.data("in/may.csv", "7").body["releases"][0]["release"]
    again = world.data("in/may.csv", "7").body["releases"][0]["release"]
    assert first == again
    world.run()
    world.data("in/may.csv", "6")
    assert causes(world) == ["push", "data"]
    assert [row.became for row in came_in(world)][-3:] == ["release", "duplicate", "duplicate"]


def test_data_that_came_before_the_push_are_in_its_release_and_train_nothing_twice() -> None:
    world = World()
    world.data()
    live_release(world)
    world.tick()
    assert causes(world) == ["push"]
    assert not world.state_of_project().wanted


def test_data_during_a_failing_push_train_the_commit_that_passed_before() -> None:
    world = ruled()
    world.running.add("check")
    pushed = world.push("b")
    world.run()
    world.data("in/may.csv")
    assert causes(world) == ["push", "push"]
    world.failing["check"] = "a test failed"
    world.end_jobs()
    world.running.clear()
    world.failing.clear()
    world.run()
    assert world.ended(pushed) == "failed"
    assert causes(world) == ["push", "push", "data"]
    assert world.state(newest(world)).release.commit == commit("a")


def test_drift_waits_for_its_cool_down_and_is_never_dropped() -> None:
    world = governed(cooldown_minutes=5)
    world.data("in/may.csv")
    world.run()
    (said,) = drift(world)
    assert "a retraining began less than 5 minutes ago" in said
    world.wait(minutes=4)
    world.tick()
    assert causes(world) == ["push", "data"]
    world.wait(minutes=1)
    world.tick()
    world.run()
    assert causes(world) == ["push", "data", "drift"]


def test_a_thousand_drifts_are_one_training_and_a_row_each() -> None:
    world = governed(cooldown_minutes=60)
    for each in range(1000):
        drift(world, f"w{each}")
    world.run()
    world.tick()
    assert causes(world) == ["push", "drift"]
    assert sum(row.source == "drift" for row in came_in(world)) == 1000
    decided = [row for row in world.facts("project/houses") if isinstance(row, facts.Governed)]
    assert [row.why for row in decided if row.decision == "waits"] == ["running", "cooldown"]


def test_drift_of_a_project_nobody_knows_is_refused_and_trains_nothing() -> None:
    world = ruled()
    world.take_in(notices.DriftHeard("a-stranger", "w1", "psi 9"))
    assert causes(world) == ["push"]
    assert "name it in drift_monitors" in world.inbox()[-1]


def test_what_our_own_containers_say_trains_nothing() -> None:
    world = ruled()
    for container in ("signalbox-ledger", "signalbox-dead-letter", "azure-webjobs-hosts"):
        world.take_in(notices.BlobHeard(container, "in/may.csv", 100, "1", "9"))
    assert causes(world) == ["push"]


def test_failing_retrainings_stop_by_themselves_and_a_rerun_by_a_person_lets_them_go_on() -> None:
    world = governed(breaker=2)
    world.failing["check"] = 'in/may.csv has no column "rooms"'
    for etag in "123":
        world.data("in/may.csv", etag)
        world.run()
    assert causes(world) == ["push", "data", "data"]
    world.failing.clear()
    world.take_in(notices.RerunAsked(newest(world), "bo@example.org", "the feed is mended", ""))
    world.run()
    assert causes(world) == ["push", "data", "data", "rerun"]
    assert line.standing(world.state(newest(world))) == "ask"
    assert not world.state_of_project().wanted


def test_a_rerun_is_one_release_with_the_data_of_now() -> None:
    world = World(failing={"train": "the disk was full"})
    failed = world.push("a")
    world.run()
    world.failing.clear()
    asked = notices.RerunAsked(failed, "bo@example.org", "there is room again", "")
    first, second = (world.take_in(asked).body["releases"][0] for _ in range(2))
    assert first == second
    assert first["release"] != failed
    world.run()
    opened = world.state(first["release"]).release
    assert (opened.cause, opened.commit, opened.by) == ("rerun", commit("a"), "bo@example.org")
    assert opened.reason.endswith("again: there is room again")
    assert line.standing(world.state(first["release"])) == "ask"


def test_what_is_open_or_came_through_is_not_run_again() -> None:
    world = World()
    release = world.push("a")
    with pytest.raises(Conflict, match="still open"):
        world.take_in(notices.RerunAsked(release, "bo@example.org", "again", ""))
    world.run()
    world.decide(release)
    world.run()
    with pytest.raises(Conflict, match="ended as live"):
        world.take_in(notices.RerunAsked(release, "bo@example.org", "again", ""))
    with pytest.raises(NotFound):
        world.take_in(notices.RerunAsked("0" * 20, "bo@example.org", "again", ""))


def test_a_rerun_of_a_commit_that_was_overtaken_is_stale() -> None:
    world = World(failing={"train": "the disk was full"})
    failed = world.push("a")
    world.run()
    world.failing.clear()
    live_release(world, "b")
    world.take_in(notices.RerunAsked(failed, "bo@example.org", "again", ""))
    world.run()
    assert (world.ended(newest(world)), world.state(world.live()).release.commit) == ("stale", commit("b"))


def test_a_schedule_comes_due_once_however_often_the_clock_looks() -> None:
    world = ruled(schedule="0 0 2 * * *")
    world.tick()
    world.wait(hours=16)
    world.tick()
    assert causes(world) == ["push"]
    world.wait(hours=1)
    for _ in range(3):
        world.tick()
    world.run()
    assert causes(world) == ["push", "schedule"]
    assert sum(isinstance(fact, facts.TrainingWanted) for fact in world.facts("project/houses")) == 1
    assert world.state(newest(world)).release.reason == "the schedule 0 0 2 * * * came due at 2026-03-04 02:00:00 UTC"


def test_due_times_that_were_missed_are_one() -> None:
    world = ruled(schedule="0 0 2 * * *")
    world.tick()
    world.wait(days=5)
    world.tick()
    world.run()
    world.tick()
    assert causes(world) == ["push", "schedule"]


def test_another_schedule_begins_when_it_is_set_and_one_that_never_comes_due_breaks_nothing() -> None:
    world = ruled(schedule="0 0 2 * * *")
    world.tick()
    world.projects["houses"] = msgspec.structs.replace(entry(world), schedule="0 0 0 30 2 *")
    world.wait(days=3)
    world.tick()
    world.tick()
    assert causes(world) == ["push"]


def test_a_schedule_that_was_set_while_the_clock_was_ahead_comes_due_all_the_same() -> None:
    world = ruled(schedule="0 0 2 * * *")
    world.wait(days=365)
    world.tick()
    world.wait(days=-365)
    world.tick()
    world.wait(days=1)
    world.tick()
    assert causes(world) == ["push", "schedule"]


def test_what_a_git_host_refuses_is_asked_again_by_the_patrol_and_not_at_every_tick() -> None:
    world = ruled()
    world.refusing["repository"] = "the git host answers 401"
    world.push("b")
    with pytest.raises(Blocked):
        world.run()
    world.tick()
    assert world.orders == []
    world.refusing.clear()
    world.patrol()
    world.run()
    assert line.standing(world.state(newest(world))) == "ask"


def test_with_queue_a_push_waits_its_turn_and_an_older_one_that_waited_is_stale() -> None:
    world = ruled(on_newer="queue")
    world.running.add("train")
    first = world.push("b")
    world.run()
    second, third = world.push("c"), world.push("d")
    world.run()
    assert line.waiting_for(world.state(second)) == "the end of a training (on_newer is queue) about release #2"
    assert line.standing(world.state(third)) == "check"
    world.running.clear()
    world.end_jobs()
    world.run()
    assert line.standing(world.state(first)) in ("ask", None)
    assert (world.ended(second), line.standing(world.state(third))) == ("stale", "ask")


def test_with_cancel_a_push_that_is_on_the_branch_ends_what_is_in_training() -> None:
    world = ruled(on_newer="cancel")
    world.running.add("train")
    first = world.push("b")
    world.run()
    forged = world.tell_push(commit("f"))
    world.run()
    world.patrol()
    world.run()
    assert (world.ended(forged), world.ended(first)) == ("stale", "open")
    world.running.clear()
    second = world.push("c")
    world.run()
    assert (world.ended(first), line.standing(world.state(second))) == ("superseded", "ask")
    assert world.jobs[f"{first}-train-1"].status == "cancelled"


def test_with_cancel_newer_data_end_a_retraining_and_never_a_push() -> None:
    world = ruled(on_newer="cancel")
    world.running.add("train")
    world.data("in/may.csv")
    world.run()
    world.data("in/june.csv")
    world.run()
    retrained, newer = list(world.state_of_project().numbered)[1:]
    assert (world.ended(retrained), world.ended(newer)) == ("superseded", "open")
    world.push("b")
    world.run()
    world.data("in/july.csv")
    world.run()
    assert causes(world) == ["push", "data", "data", "push"]


def test_what_people_are_asked_about_is_not_cancelled_by_a_newer_push() -> None:
    world = ruled(on_newer="cancel")
    first = world.push("b")
    world.run()
    world.running.add("train")
    world.push("c")
    world.run()
    assert line.standing(world.state(first)) == "ask"


def test_a_parked_release_is_in_nobodys_way() -> None:
    world = ruled()
    world.losing.add("train")
    parked = world.push("b")
    for _ in range(8):
        world.run()
        world.patrol()
    world.run()
    assert world.state(parked).parked
    world.losing.clear()
    world.data("in/may.csv")
    world.run()
    assert causes(world) == ["push", "push", "data"]
    world.take_in(notices.ResumeAsked(parked, "bo@example.org", "there is room again"))
    assert [each.release for each in world.state_of_project().running][:1] == [parked]


def letter(subject: str, **data: object) -> bytes:
    event = {"id": "e1", "eventType": "Microsoft.Storage.BlobCreated", "subject": subject, "data": data}
    return json.dumps([event | {"deadLetterReason": "MaxDeliveryAttemptsExceeded"}]).encode()


MAY = letter("/blobServices/default/containers/houses/blobs/in/may.csv", contentLength=9, eTag="0x1", sequencer="01")


def test_new_data_whose_event_was_given_up_train_once_the_patrol_reads_its_dead_letter() -> None:
    world = ruled()
    world.letters.letters["ON_NEW_DATA/2026/3/3/9/a.json"] = MAY
    world.patrol()
    world.patrol()
    world.run()
    assert causes(world) == ["push", "data"]
    assert not world.letters.letters
    (row,) = [row for row in world.facts("inbox") if isinstance(row, facts.CameIn) and row.source == "dead-letter"]
    assert RUNNER.run(world.artifacts.get(row.delivery)) == MAY


def test_a_letter_that_cannot_be_read_is_refused_once_and_one_that_cannot_be_taken_in_now_stays() -> None:
    world = ruled()
    world.letters.letters |= {"A/1.json": b"no letter", "B/2.json": MAY}
    world.away.add("letters")
    world.patrol()
    assert (len(world.letters.letters), causes(world)) == (2, ["push"])
    world.away.clear()
    world.patrol()
    world.run()
    assert (world.letters.letters, causes(world)) == ({}, ["push", "data"])
    assert sum("cannot be used" in reason for reason in world.inbox()) == 1


def test_a_letter_about_a_release_that_was_tampered_with_keeps_nobody_else_from_theirs() -> None:
    world = ruled()
    release = newest(world)
    stream = f"release/{release}"
    world.ledger.put_back(stream, b"tampered\n" + world.ledger_bytes(stream))
    world.restart()
    ended = {"id": "e2", "eventType": "Microsoft.MachineLearningServices.RunCompleted", "subject": "", "data": {}}
    about = json.dumps([ended | {"data": {"runId": f"{release}-check-1"}}]).encode()
    world.letters.letters |= {"A/1.json": about, "B/2.json": MAY}
    world.patrol()
    assert (list(world.letters.letters), causes(world)) == (["A/1.json"], ["push", "data"])


def test_a_letter_survives_every_death_of_the_patrol_and_its_data_train_once() -> None:
    for point in range(1, 60):
        world = ruled()
        world.letters.letters["A/1.json"] = MAY
        world.passed, world.dies_at = 0, point
        try:
            world.patrol()
        except Crash:
            world.restart()
        world.dies_at = 0
        world.patrol()
        world.run()
        assert (causes(world), world.letters.letters) == (["push", "data"], {}), f"died at {point}"


def test_of_two_blobs_at_the_same_time_both_have_their_row_whichever_began_the_release() -> None:
    async def both(world: World) -> None:
        blobs = [notices.BlobHeard("houses", f"in/{name}.csv", 100, "1", "9") for name in ("may", "june")]
        await asyncio.gather(*(world.control.take_in([blob]) for blob in blobs))

    class Yielding(MemoryLedger):
        async def append(self, stream: str, lines: bytes, at: int | None) -> int:
            await asyncio.sleep(0)
            return await super().append(stream, lines, at)

    world = World(ledger=Yielding())
    live_release(world)
    better(world)
    RUNNER.run(both(world))
    rows = [row for row in came_in(world) if row.source == "data"]
    assert sorted(row.subject for row in rows) == ["houses/in/june.csv", "houses/in/may.csv"]
    assert {row.release for row in rows} == {newest(world)}
    assert causes(world) == ["push", "data"]
