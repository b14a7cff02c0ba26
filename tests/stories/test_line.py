"""The line as people tell it: push, the run ends, approve, live."""

import random
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.answers import Order
from shared.errors import Conflict, NotAllowed, Unavailable
from shared.release import environment, facts, line, notices
from tests.world import FILES, SETTINGS, World, commit


def live_release(world: World, letter: str = "a", **results: object) -> str:
    world.results["evaluate"].update(results)
    release = world.push(letter)
    world.run()
    world.decide(release)
    world.run()
    return release


def better(world: World) -> None:
    world.results["evaluate"].update(verdict="better", champion=4.0, gain=0.5, low=0.1, high=0.9)


def test_a_push_becomes_the_model_in_production_that_somebody_approved() -> None:
    world = World()
    world.data()
    release = world.push("a")
    world.run()
    assert line.standing(world.state(release)) == "ask"
    world.decide(release)
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)
    assert [step for step, _ in world.state(release).outcomes] == list(line.NAMES)


def test_nothing_runs_while_people_think() -> None:
    world = World()
    release = world.push("a")
    world.run()
    assert not world.orders
    assert not world.events
    assert line.waiting_for(world.state(release)) == "a decision of ana@example.org, bo@example.org"


def test_a_rejection_ends_the_release_with_its_reason() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release, decision="reject")
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert (ended.how, ended.reason, world.live()) == ("rejected", "ana@example.org: because", "")


def test_what_is_not_better_ends_green_and_production_stays() -> None:
    world = World()
    first = live_release(world)
    world.results["evaluate"].update(verdict="not better", champion=3.5, gain=-0.4, low=-0.9, high=-0.1)
    second = world.push("b")
    world.run()
    assert (world.ended(second), world.live()) == ("kept", first)
    assert "register" not in {step for step, _ in world.state(second).outcomes}


def test_a_better_one_replaces_the_older_and_both_slots_are_kept() -> None:
    world = World()
    first = live_release(world)
    better(world)
    second = live_release(world, "b")
    assert world.live() == second
    assert world.services[f"{first}-production"].status == "answering"
    assert world.services[f"{second}-staging"].status == "stopped"


@dataclass
class Stopping:
    """Where models serve, and what was stopped there."""

    port: Any
    stopped: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    async def stop(self, slot: str) -> None:
        self.stopped.append(slot)
        await self.port.stop(slot)


def test_a_slot_that_was_live_is_stopped_once_and_again_only_when_production_went_back_to_it() -> None:
    world, seen = World(), []
    world.control = world.controller(
        lambda name, port: seen.append(Stopping(port)) or seen[-1] if name == "hosting" else port
    )
    (hosting,) = seen
    first = live_release(world)
    better(world)
    for letter in "bcde":
        live_release(world, letter)
    assert hosting.stopped.count(f"{first}-production") == 1
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "slow", to=first))
    # The service is made by the first order and answers at the second.
    with pytest.raises(Unavailable):
        world.run()
    world.patrol()
    world.run()
    assert world.live() == first
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "bo@example.org", "mended"))
    live_release(world, "f")
    live_release(world, "1")
    assert hosting.stopped.count(f"{first}-production") == 2


@dataclass
class Interrupted:
    """A hosting that lets production be rolled back, by another process, right before it stops a slot."""

    world: World
    port: Any
    slot: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    async def stop(self, slot: str) -> None:
        """Stop it, once somebody else went back to it."""
        first = slot.removesuffix("-production")
        if slot == self.slot and self.world.live() != first:
            elsewhere = self.world.controller(lambda _, port: port)
            back = notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "slow", to=first)
            for order in (await elsewhere.take_in([back])).orders:
                with suppress(Unavailable):
                    await elsewhere.work(order.text(), "elsewhere:1")
                # Made by the first delivery, answered from at the second.
                await elsewhere.work(order.text(), "elsewhere:2")
        await self.port.stop(slot)


@pytest.mark.parametrize("vacated", [False, True])
def test_a_slot_that_is_rolled_back_to_while_it_is_stopped_answers_again_without_the_patrol(vacated: bool) -> None:
    world = World()
    first = live_release(world)
    better(world)
    live_release(world, "b")
    if vacated:
        live_release(world, "c")
    slot = f"{first}-production"
    world.control = world.controller(lambda name, port: Interrupted(world, port, slot) if name == "hosting" else port)
    if vacated:
        world.orders.append(Order("close", first))
    else:
        third = world.push("c")
        world.run()
        world.decide(third)
    # It is started again by the first delivery of the order that the close leaves.
    with pytest.raises(Unavailable, match=f"slot {slot} does not answer yet"):
        world.run()
    world.run()
    production = environment.fold(world.facts("environment/houses/production"))
    assert production.live is not None
    assert (production.live.release, production.live.why, world.live()) == (first, "rolled back", first)
    assert world.services[slot].status == "answering"


@pytest.mark.parametrize("step", ["check", "train", "evaluate", "certify", "package", "try"])
def test_a_failing_step_ends_the_release_there_and_blocks_nobody(step: str) -> None:
    world = World()
    world.failing[step] = "KeyError: 'rooms' (train.py:18)"
    first = world.push("a")
    world.run()
    if step == "package":
        world.patrol()
        world.run()
    ended = world.state(first).ended
    assert ended is not None
    assert (ended.how, ended.step, ended.reason) == ("failed", step, "KeyError: 'rooms' (train.py:18)")
    world.failing.clear()
    second = live_release(world, "b")
    assert world.live() == second


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_service_that_fails_its_trial_ends_the_release_with_what_its_code_raised(environment: str) -> None:
    world = World()
    release = world.push("a")
    if environment == "production":
        world.run()
        world.decide(release)
    world.failing["try" if environment == "staging" else "promote"] = "The service answers 500"
    world.failing["code"] = "KeyError: 'rooms' (score.py:6)"
    world.run()
    assert world.state(release).ended.reason == (  # type: ignore[union-attr]
        "The service answers 500; its code raised KeyError: 'rooms' (score.py:6)"
    )


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_service_that_does_not_start_is_found_by_the_look_because_no_event_tells(environment: str) -> None:
    world = World()
    world.failing[environment] = "ImportError: no score"
    release = world.push("a")
    world.run()
    if environment == "production":
        world.decide(release)
        world.run()
    assert world.ended(release) == "open"
    world.patrol()
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert ended.how == "failed"
    assert "ImportError: no score" in ended.reason


@pytest.mark.parametrize(
    ("event", "step"),
    [
        ("RunCompleted", "check"),
        ("ModelRegistered", "register"),
        ("ImagePushed", "package"),
        ("ModelDeployed", "stage"),
    ],
)
def test_without_its_event_and_the_patrol_a_release_stands_and_says_what_it_waits_for(event: str, step: str) -> None:
    world = World(silent={event})
    release = world.push("a")
    world.run()
    known = world.state(release)
    assert line.standing(known) == step
    assert event in line.waiting_for(known)
    assert release in line.waiting_for(known)


def test_with_no_event_at_all_the_patrol_brings_a_release_home() -> None:
    world = World(silent={"RunCompleted", "ModelRegistered", "ImagePushed", "ModelDeployed"})
    release = world.push("a")
    for _ in range(9):
        world.run()
        world.patrol()
    world.run()
    world.decide(release)
    for _ in range(3):
        world.run()
        world.patrol()
    world.run()
    assert world.live() == release


def test_a_lost_push_is_found_by_the_patrol() -> None:
    world = World()
    world.data()
    new = world.commit("a")
    world.patrol()
    world.run()
    (release,) = world.state_of_project().numbered
    assert world.state(release).release.commit == new


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), twice=st.booleans())
def test_any_order_and_repetition_of_what_is_delivered_ends_in_the_same_knowledge(seed: int, twice: bool) -> None:
    world = World()
    shuffle = random.Random(seed)
    release = world.push("a")
    world.run(shuffle, twice)
    world.decide(release)
    world.run(shuffle, twice)
    assert (world.ended(release), world.live()) == ("live", release)
    assert [step for step, _ in world.state(release).outcomes] == list(line.NAMES)
    assert len(world.versions) == len(world.images) == 1
    assert sorted(world.services) == [f"{release}-production", f"{release}-staging"]
    assert len(world.jobs) == 6


def test_the_same_push_twenty_times_is_one_release() -> None:
    world = World()
    releases = {world.push("a")} | {world.tell_push(commit("a")) for _ in range(19)}
    world.run()
    assert len(releases) == 1
    assert len(world.jobs) == 5
    assert world.state_of_project().next_number == 2


def test_a_service_that_cannot_be_asked_costs_no_attempt_and_the_release_goes_on_when_it_is_back() -> None:
    world = World(away={"registry"})
    release = world.push("a")
    for _ in range(12):
        world.run_unless_away()
        world.patrol()
    assert world.state(release).parked is None
    assert "register to begin" in line.waiting_for(world.state(release))
    world.away.clear()
    world.patrol()
    world.run()
    assert line.standing(world.state(release)) == "ask"


def test_a_step_that_never_gets_anything_made_is_parked_and_blocks_nobody() -> None:
    world = World(losing={"train"})
    first = world.push("a")
    for _ in range(8):
        world.run()
        world.patrol()
    parked = world.state(first).parked
    assert parked is not None
    assert (parked.step, parked.reason) == ("train", f"5 attempts at {first}-train-1 gave no outcome")
    world.losing.clear()
    second = live_release(world, "b")
    assert world.live() == second


def test_a_parked_release_goes_on_when_a_person_lets_it() -> None:
    world = World(losing={"train"})
    release = world.push("a")
    for _ in range(8):
        world.run()
        world.patrol()
    world.losing.clear()
    asked = notices.ResumeAsked(release, "dee@example.org", "the machine is back")
    world.take_in(asked)
    world.run()
    assert line.standing(world.state(release)) == "ask"
    with pytest.raises(Conflict, match="it is not parked; it waits for a decision"):
        world.take_in(asked)


def test_an_outage_while_something_is_made_costs_no_attempt() -> None:
    world = World(away={"building"})
    release = world.push("a")
    for _ in range(12):
        world.run_unless_away()
        world.patrol()
    known = world.state(release)
    assert known.parked is None
    assert known.tried(f"houses:{release}") == set()
    assert len(known.attempts[f"houses:{release}"]) == 12
    world.away.clear()
    world.patrol()
    world.run()
    assert line.standing(world.state(release)) == "ask"


def test_a_commit_that_is_not_on_the_branch_ends_as_stale_and_nothing_of_it_runs() -> None:
    world = World()
    release = world.tell_push(commit("f"))
    world.run()
    assert (world.ended(release), world.jobs) == ("stale", {})


def test_a_replayed_older_push_ends_as_stale() -> None:
    world = World()
    old = world.commit("a")
    newer = live_release(world, "b")
    world.data()
    replayed = world.tell_push(old)
    world.run()
    assert (world.ended(replayed), world.live()) == ("stale", newer)


def test_wrong_settings_end_at_check_with_file_line_and_what_is_allowed() -> None:
    world = World()
    release = world.push("a", FILES | {"signalbox.toml": SETTINGS.replace("rmse", "rsme")})
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert ended.step == "check"
    assert 'signalbox.toml, line 4: metric = "rsme"' in ended.reason
    assert 'Did you mean "rmse"?' in ended.reason


def test_a_release_without_settings_says_which_file_is_missing() -> None:
    world = World()
    release = world.push("a", {"train.py": ""})
    world.run()
    assert "no signalbox.toml" in world.state(release).ended.reason  # type: ignore[union-attr]


def test_new_data_trains_the_last_commit_that_passed_check_again() -> None:
    world = World()
    assert world.data().body["recorded"][0].endswith("so it waits for a push")
    first = live_release(world)
    better(world)
    (second,) = world.data("in/february.csv").body["releases"]
    world.run()
    known = world.state(second["release"])
    assert known.release.cause == "data"
    assert known.release.commit == world.state(first).release.commit
    assert [blob.name for blob in known.release.blobs] == ["in/february.csv", "in/january.csv"]


def test_drift_and_a_person_open_the_same_line_with_another_ask() -> None:
    world = World()
    live_release(world)
    drift = notices.DriftHeard("houses-monitor", "2026-02", "rooms moved")
    asked = notices.OpenAsked("houses", "ana@example.org", "audit", "key-1")
    releases = [world.take_in(each).body["releases"][0]["release"] for each in (drift, asked, drift, asked)]
    assert len(set(releases)) == 2
    assert [world.state(each).release.cause for each in releases[:2]] == ["drift", "person"]


def test_when_production_changes_while_people_think_both_models_are_compared_again() -> None:
    world = World()
    first = live_release(world)
    better(world)
    second = live_release(world, "b")
    third = world.push("c")
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "v2 is slow"))
    world.run()
    assert world.live() == first
    world.patrol()
    world.run()
    known = world.state(third)
    assert known.round == 2
    assert line.standing(known) == "ask"
    assert [facts_of.release for facts_of in known.champions.values()] == [second, first]
    old = notices.DecisionGiven(third, "ana@example.org", "approve", "", known.asked[1].evidence)
    with pytest.raises(Conflict, match="newer link"):
        world.take_in(old)
    world.decide(third)
    world.run()
    assert "hold to be lifted" in line.waiting_for(world.state(third))
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "bo@example.org", "looked at it"))
    world.run()
    assert world.live() == third


def test_a_newer_release_that_asks_supersedes_the_older_that_waits() -> None:
    world = World()
    first = world.push("a")
    world.run()
    second = world.push("b")
    world.run()
    assert world.ended(first) == "superseded"
    with pytest.raises(Conflict, match="superseded"):
        world.decide(first)
    world.decide(second)
    world.run()
    assert world.live() == second


def test_an_older_release_never_replaces_a_newer_one() -> None:
    world = World(running={"train"})
    slow = world.push("a")
    world.run()
    world.running.clear()
    fast = live_release(world, "b")
    world.control.outside.jobs.end(f"{slow}-train-1")  # type: ignore[attr-defined]
    world.run()
    assert (world.ended(slow), world.live()) == ("superseded", fast)


def test_nobody_answering_ends_as_expired() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.wait(days=8)
    world.patrol()
    world.run()
    assert world.ended(release) == "expired"


def test_cancelling_stops_the_running_job() -> None:
    world = World(running={"train"})
    release = world.push("a")
    world.run()
    world.take_in(notices.CancelAsked(release, "dee@example.org", "wrong branch"))
    world.run()
    assert world.ended(release) == "cancelled"
    assert world.jobs[f"{release}-train-1"].status == "cancelled"


def test_a_repeated_decision_gives_the_same_answer_and_a_conflicting_one_is_refused() -> None:
    world = World()
    release = world.push("a")
    world.run()
    first, again = world.decide(release), world.decide(release)
    assert first.body == again.body
    with pytest.raises(Conflict, match="decided already: approve"):
        world.decide(release, decision="reject")


def test_two_must_agree_when_the_quorum_is_two() -> None:
    world = World()
    world.projects["houses"] = type(world.projects["houses"])(
        repository=world.projects["houses"].repository, approvers=("ana@example.org", "bo@example.org"), quorum=2
    )
    release = world.push("a")
    world.run()
    assert "1 more must agree" in world.decide(release).body["message"]
    world.run()
    assert world.ended(release) == "open"
    world.decide(release, "bo@example.org")
    world.run()
    assert world.live() == release


def test_whoever_made_the_change_does_not_approve_it() -> None:
    world = World()
    release = world.push("a", by="ana@example.org")
    world.run()
    with pytest.raises(NotAllowed, match="somebody else must approve"):
        world.decide(release)


def test_only_those_asked_decide() -> None:
    world = World()
    release = world.push("a")
    world.run()
    with pytest.raises(NotAllowed, match="was not asked"):
        world.decide(release, "eve@example.org")


def test_a_crash_after_every_single_delivery_changes_nothing() -> None:
    world = World()
    release = world.push("a")
    while world.orders or world.events:
        world.run_one()
        world.restart()
        world.orders.clear()
        world.patrol()
        known = world.state(release)
        if f"{release}-ask-1" in known.submitted and not known.decided:
            world.decide(release)
    assert (world.ended(release), world.live(), len(world.versions)) == ("live", release, 1)


def test_a_rolled_back_release_does_not_come_back_by_itself() -> None:
    world = World()
    first = live_release(world)
    better(world)
    live_release(world, "b")
    asked = notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "slow", to="v1")
    world.take_in(asked)
    world.run()
    world.take_in(asked)
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "bo@example.org", "fine"))
    world.patrol()
    world.run()
    assert world.live() == first


def test_an_event_about_nothing_of_ours_is_kept_and_not_used() -> None:
    world = World()
    world.take_in(notices.ModelHeard("boats", "7", "f" * 20))
    world.take_in(notices.RunHeard("nightly", "RunCompleted", "Completed"))
    assert not world.orders
    assert world.inbox() == ["no release of ours has this name"] * 2


def test_pushes_that_open_nothing_are_recorded_with_their_reason() -> None:
    world = World()
    assert world.tell_push(commit("a"), ref="refs/heads/feature") == ""
    stranger = notices.Pushed("github", ("https://x.example.org/a",), "refs/heads/main", "", commit("a"), "", "", "d")
    assert "no project" in world.take_in(stranger).body["recorded"][0]
    ping = notices.Ignored("github", "ping", "a ping", "d")
    assert world.take_in(ping).body == {"releases": [], "recorded": ["a ping"]}
    assert world.jobs == {}


def test_every_fact_of_a_whole_line_reads_back_equal() -> None:
    from shared.release import chain

    world = World()
    release = live_release(world)
    stream = chain.decode(f"release/{release}", world.ledger_bytes(f"release/{release}"))
    again = chain.encode(stream.facts, "t", chain.first_head(stream.name))
    assert chain.decode(stream.name, again).facts == stream.facts
    assert isinstance(stream.facts[0], facts.ReleaseOpened)
