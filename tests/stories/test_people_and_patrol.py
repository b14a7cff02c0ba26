"""What people and the patrol do at the same time as everything else."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from msgspec.structs import replace

from shared import reports
from shared.answers import Order
from shared.backends.memory import MemoryLedger
from shared.errors import Conflict, NotAllowed, NotFound
from shared.ports import Service
from shared.release import chain, facts, line, notices
from tests.stories.test_line import better, live_release
from tests.world import RUNNER, Crash, World, commit


def rollback(world: World, to: str = "") -> dict[str, object]:
    asked = notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "slow", to)
    body: dict[str, object] = world.take_in(asked).body
    world.run()
    return body


def test_one_stream_that_cannot_be_read_keeps_the_patrol_from_nobody_else() -> None:
    world = World(silent={"RunCompleted"})
    broken = world.push("a")
    world.run()
    whole = world.push("b")
    world.run()
    asyncio.run(world.ledger.append(f"release/{broken}", b"not a line\n", None))
    world.patrol()
    assert Order("check", whole) in world.orders


def test_a_stable_address_that_cannot_be_asked_keeps_the_patrol_from_nothing_else() -> None:
    world = World()
    live_release(world)
    better(world)
    world.silent.add("RunCompleted")
    second = world.push("b")
    world.run()
    world.away.add("address")
    world.patrol()
    assert Order("check", second) in world.orders


def test_after_a_rejection_nobody_is_told_that_it_goes_live() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release, decision="reject")
    with pytest.raises(Conflict, match=r"decided already: ana@example\.org rejected"):
        world.decide(release, "bo@example.org")
    world.run()
    assert world.ended(release) == "rejected"


def test_a_rejection_that_comes_after_enough_have_approved_is_refused() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release)
    with pytest.raises(Conflict, match=r"decided already: ana@example\.org approved"):
        world.decide(release, "bo@example.org", "reject")
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)


def test_whoever_made_the_change_does_not_approve_it_under_another_spelling() -> None:
    world = World()
    release = world.push("a", by="ANA@Example.org")
    world.run()
    with pytest.raises(NotAllowed, match="somebody else must approve"):
        world.decide(release)


def test_a_repeated_roll_back_does_not_bring_back_what_was_rolled_back() -> None:
    world = World()
    first = live_release(world)
    better(world)
    live_release(world, "b")
    assert rollback(world)["changed"] is True
    again = rollback(world)
    assert (again["changed"], again["version"], world.live()) == (False, 1, first)


def test_a_plain_roll_back_goes_to_an_older_release_and_never_to_a_newer_one() -> None:
    world = World()
    live_release(world)
    better(world)
    live_release(world, "b")
    rollback(world)
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "bo@example.org", "looked at it"))
    with pytest.raises(Conflict, match="no older release was ever live in production of houses"):
        rollback(world)
    assert rollback(world, to="v2")["version"] == 2


def test_an_order_for_a_release_that_nobody_opened_is_no_work() -> None:
    world = World()
    world.orders.append(Order("promote", "f" * 20, 0))
    world.run()
    assert world.inbox() == []


def started_and_not_said() -> tuple[World, str]:
    """Return a world that died between starting the training and recording that."""
    for point in range(1, 200):
        world = World(running={"train"}, dies_at=point)
        with suppress(Crash):
            world.push("a")
            world.run()
        started = [name for name in world.jobs if name.endswith("-train-1")]
        if started:
            world.dies_at = 0
            world.restart()
            release = started[0].partition("-")[0]
            assert started[0] not in world.state(release).submitted
            return world, release
    raise AssertionError("the training never begins")


def test_a_job_whose_start_was_never_recorded_is_stopped_with_its_release() -> None:
    world, release = started_and_not_said()
    world.take_in(notices.CancelAsked(release, "dee@example.org", "wrong branch"))
    world.run()
    assert world.jobs[f"{release}-train-1"].status == "cancelled"


def test_data_that_comes_after_the_first_push_trains_its_commit() -> None:
    world = World(failing={"check": "No data has arrived"})
    first = world.push("a")
    world.run()
    assert world.ended(first) == "failed"
    world.failing.clear()
    (second,) = world.data().body["releases"]
    world.run()
    known = world.state(second["release"])
    assert (known.release.commit, line.standing(known)) == (commit("a"), "ask")


def test_a_commit_that_is_on_no_branch_is_not_trained_by_new_data() -> None:
    world = World()
    world.tell_push(commit("f"))
    world.run()
    assert world.data().body["recorded"][0].endswith("so it waits for a push")


def test_a_live_service_that_fails_to_come_back_is_started_again_and_its_release_has_not_failed() -> None:
    world = World(away={"address"})
    release = world.push("a")
    world.run()
    world.decide(release)
    world.run_unless_away()
    slot = f"{release}-production"
    world.services[slot] = Service(slot, "failed", world.services[slot].image, log="no memory")
    world.away.clear()
    world.patrol()
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)
    world.services[slot] = Service(slot, "failed", world.services[slot].image, log="no memory")
    world.patrol()
    world.run_unless_away()
    assert world.services[slot].status == "answering"


def test_what_was_asked_once_is_the_same_release_also_when_data_came_in_between() -> None:
    world = World()
    live_release(world)
    drift = notices.DriftHeard("houses-monitor", "2026-02", "rooms moved")
    asked = notices.OpenAsked("houses", "ana@example.org", "audit", "key-1")
    first = [world.take_in(each).body["releases"] for each in (drift, asked)]
    world.data()
    assert [world.take_in(each).body["releases"] for each in (drift, asked)] == first


def test_staging_is_not_held_as_if_that_kept_anything_from_production() -> None:
    world = World()
    with pytest.raises(Conflict, match="production"):
        world.take_in(notices.EnvironmentAsked("houses", "staging", "hold", "bo@example.org", "wait"))


@pytest.mark.parametrize("step", ["../../keys", "package", "nothing"])
def test_a_log_that_is_not_there_says_which_steps_have_one(step: str) -> None:
    world = World()
    release = world.push("a")
    world.run()
    with pytest.raises(NotFound, match=r"check, train, evaluate, certify, try, promote"):
        asyncio.run(world.control.reading.log(release, step))


def test_a_version_with_more_digits_than_any_is_not_found() -> None:
    world = World()
    world.push("a")
    with pytest.raises(NotFound, match="no release"):
        asyncio.run(world.control.reading.release("houses@v" + "9" * 5000))


class Interfering(MemoryLedger):
    """A ledger in which others write at the worst moment: just before production's stream is appended to."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], Awaitable[object]]] = []

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        if stream == "environment/houses/production" and at is not None and self.before:
            await self.before.pop(0)()
        return await super().append(stream, lines, at)


def test_a_cancel_while_a_put_off_switch_is_made_again_is_refused() -> None:
    world = World(ledger=Interfering())
    release = world.push("a")
    world.run()
    refused: list[str] = []

    async def another_row() -> None:
        seen = chain.encode([facts.LiveSeen(0, "")], "t", None)
        await world.ledger.append("environment/houses/production", seen, None)

    async def cancel() -> None:
        try:
            await world.control.take_in([notices.CancelAsked(release, "dee@example.org", "stop")])
        except Conflict as conflict:
            refused.append(str(conflict))

    world.ledger.before += [another_row, cancel]  # type: ignore[attr-defined]
    world.decide(release)
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)
    assert refused == ["it is live, was, or is about to be: roll production back instead"]


def test_what_was_deployed_while_its_release_was_cancelled_is_stopped() -> None:
    world = World(silent={"ModelDeployed"})
    release = world.push("a")
    deploy = world.control.outside.hosting.port.deploy  # type: ignore[attr-defined]

    async def cancelled_meanwhile(*given: str) -> None:
        await world.control.take_in([notices.CancelAsked(release, "dee@example.org", "stop")])
        await world.control.work(Order("close", release).text(), "other:1")
        await deploy(*given)

    world.control.outside.hosting.port.deploy = cancelled_meanwhile  # type: ignore[attr-defined]
    world.run()
    assert world.ended(release) == "cancelled"
    assert world.services[f"{release}-staging"].status == "stopped"


def test_a_newer_release_that_was_rejected_is_in_nobodys_way() -> None:
    world = World(running={"train"})
    slow = world.push("a")
    world.run()
    world.running.clear()
    quick = world.push("b")
    world.run()
    world.decide(quick, decision="reject")
    world.run()
    world.control.outside.jobs.end(f"{slow}-train-1")  # type: ignore[attr-defined]
    world.run()
    assert line.standing(world.state(slow)) == "ask"
    world.decide(slow)
    world.run()
    assert world.live() == slow


def test_whoever_is_no_longer_an_approver_decides_nothing() -> None:
    world = World()
    release = world.push("a")
    world.run()
    houses = world.projects["houses"]
    world.projects["houses"] = replace(houses, approvers=("bo@example.org",))
    with pytest.raises(NotAllowed, match="no longer an approver"):
        world.decide(release, "ana@example.org")
    assert world.decide(release, "bo@example.org").status == 200


def test_an_event_that_comes_after_the_end_grows_no_stream() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release, decision="reject")
    world.run()
    before = len(world.ledger_bytes("project/houses"))
    for _ in range(5):
        world.take_in(notices.RunHeard(f"{release}-check-1", "RunCompleted", "Completed"))
        world.run()
    assert len(world.ledger_bytes("project/houses")) == before


def test_a_release_that_was_opened_before_there_were_claims_about_models_is_finished_on_its_own_line() -> None:
    world = World()
    older = tuple(step for step in line.NAMES if step != "certify")
    order = RUNNER.run(world.open_on(older, "houses", world.commit("a")))
    world.orders.append(order)
    world.run()
    assert world.decide(order.release).status == 200
    known, evidence = RUNNER.run(world.control.reading.asked(order.release))
    assert reports.question(known, evidence, world.now)["open_claims"] == []
    world.run()
    assert (world.ended(order.release), world.live()) == ("live", order.release)
    assert [step for step, _ in world.state(order.release).outcomes] == list(older)
