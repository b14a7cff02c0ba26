"""An outside CI as a gate: nobody is asked about a commit until the CI that the operator named was green for it."""

from typing import Literal

import pytest
from msgspec.structs import replace

from shared.release import facts, line, notices
from tests.world import RUNNER, World, commit

ADDRESS = ("https://git.example.org/acme/houses",)


def gated() -> World:
    world = World()
    world.projects["houses"] = replace(world.projects["houses"], outside_ci="tests")
    return world


def ended(
    of: str, verdict: Literal["success", "failure"] = "success", run: int = 1, attempt: int = 1, name: str = "tests"
) -> notices.BuildHeard:
    link = f"https://ci.example.org/runs/{run}"
    return notices.BuildHeard("github", ADDRESS, name, of, verdict, verdict, link, run, attempt, f"delivery-{run}")


def stands(world: World, release: str) -> tuple[str | None, str]:
    known = world.state(release)
    return line.standing(known), line.waiting_for(known)


def test_a_release_trains_meanwhile_and_people_are_asked_when_the_ci_is_green() -> None:
    world = gated()
    release = world.push("a")
    world.run()
    assert stands(world, release) == ("ask", 'the outside CI "tests" about commit aaaaaaa')
    assert world.outbox == {}
    answer = world.take_in(ended(commit("a")))
    assert answer.body == {"releases": [], "recorded": ["tests said success of aaaaaaa"]}
    world.run()
    assert world.state(release).asked
    assert len(world.outbox) == 2
    world.decide(release)
    world.run()
    assert world.live() == release


def test_what_the_ci_said_before_the_push_was_heard_counts() -> None:
    world = gated()
    world.take_in(ended(commit("a")))
    release = world.push("a")
    world.run()
    assert world.state(release).asked


def test_a_failure_ends_the_release_with_the_words_and_the_link() -> None:
    world = gated()
    release = world.push("a")
    world.run()
    world.take_in(ended(commit("a"), "failure", run=7))
    world.run()
    over = world.state(release).ended
    assert over is not None
    assert (over.how, over.step) == ("failed", "ask")
    assert over.reason == 'the outside CI "tests" said failure of commit aaaaaaa https://ci.example.org/runs/7'
    assert world.outbox == {}


def test_a_failure_that_is_known_already_ends_a_release_before_it_trains() -> None:
    world = gated()
    world.take_in(ended(commit("a"), "failure"))
    release = world.push("a")
    world.run()
    assert (world.ended(release), list(world.jobs)) == ("failed", [])


def test_a_failure_that_comes_while_people_think_ends_the_release_even_when_they_agree_at_that_moment() -> None:
    world = gated()
    world.take_in(ended(commit("a")))
    release = world.push("a")
    world.run()
    world.decide(release)
    world.take_in(ended(commit("a"), "failure", run=2))
    world.run()
    assert (world.ended(release), world.live()) == ("failed", "")


def test_a_failure_after_people_agreed_ends_the_release_while_it_is_held_and_what_is_live_stays_live() -> None:
    world = gated()
    world.take_in(ended(commit("a")))
    release = world.push("a")
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "hold", "cy@example.org", "freeze"))
    world.decide(release)
    world.run()
    assert stands(world, release)[0] == "promote"
    world.take_in(ended(commit("a"), "failure", run=2))
    world.run()
    over = world.state(release).ended
    assert over is not None
    assert (over.how, over.step) == ("failed", "promote")
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "cy@example.org", "over"))
    world.run()
    assert world.live() == ""
    world.take_in(ended(commit("b")))
    later = world.push("b")
    world.run()
    world.decide(later)
    world.run()
    world.take_in(ended(commit("b"), "failure", run=2))
    world.patrol()
    world.run()
    assert (world.ended(later), world.live()) == ("live", later)


@pytest.mark.parametrize(
    ("other", "about"),
    [(ended(commit("b")), "another commit"), (ended(commit("a"), name="lint"), "another workflow")],
    ids=lambda given: given if isinstance(given, str) else "",
)
def test_only_the_named_ci_and_exactly_this_commit_let_it_on(other: notices.BuildHeard, about: str) -> None:
    world = gated()
    release = world.push("a")
    world.run()
    world.take_in(other)
    world.run()
    assert not world.state(release).asked, about


@pytest.mark.parametrize("first", [0, 1])
def test_of_several_runs_the_newest_counts_in_whatever_order_they_are_heard(first: int) -> None:
    world = gated()
    told = [ended(commit("a"), "failure", run=1), ended(commit("a"), "success", run=1, attempt=2)]
    world.take_in(told[first])
    world.take_in(told[1 - first])
    release = world.push("a")
    world.run()
    assert world.state(release).asked


def test_a_repeat_is_kept_as_one_and_heals_a_look_that_was_lost() -> None:
    world = gated()
    release = world.push("a")
    world.run()
    world.take_in(ended(commit("a")))
    world.orders.clear()
    world.take_in(ended(commit("a")))
    kept = [fact for fact in world.facts("project/houses") if isinstance(fact, facts.CiEnded)]
    became = [row.became for row in world.facts("project/houses") if isinstance(row, facts.CameIn)]
    assert (len(kept), became[-2:]) == (1, ["recorded", "duplicate"])
    world.run()
    assert world.state(release).asked


def test_a_release_whose_ci_was_run_anew_is_run_again_and_asked_about() -> None:
    world = gated()
    release = world.push("a")
    world.run()
    world.take_in(ended(commit("a"), "failure"))
    world.run()
    world.take_in(ended(commit("a"), "success", attempt=2))
    (again,) = world.take_in(notices.RerunAsked(release, "bo@example.org", "a flaky runner", "k")).body["releases"]
    world.run()
    assert world.state(again["release"]).asked


@pytest.mark.parametrize("verdict", ["", "failure"])
def test_new_data_and_a_person_are_no_way_round_the_ci(verdict: Literal["", "failure"]) -> None:
    world = gated()
    world.push("a")
    world.run()
    world.data()
    world.take_in(notices.OpenAsked("houses", "ana@example.org", "audit", "k"))
    world.run()
    if verdict:
        world.take_in(ended(commit("a"), verdict))
        world.run()
    opened = list(world.state_of_project().numbered)
    assert len(opened) >= 2
    assert {world.ended(release) for release in opened} == {"failed" if verdict else "open"}
    assert world.outbox == {}


def test_a_project_that_names_no_ci_is_asked_about_at_once_and_says_that_it_waits_for_none() -> None:
    world = World()
    answer = world.take_in(ended(commit("a"), "failure"))
    release = world.push("a")
    world.run()
    assert world.state(release).asked
    assert answer.body["recorded"] == ["tests said failure of aaaaaaa; houses waits for no CI (outside_ci)"]


def test_a_ci_speaks_for_the_repositories_whose_secret_its_sender_has_and_for_no_other() -> None:
    world = gated()
    told = ended(commit("a"))
    nobody, anonymous = {"rents": "RENTS_PUSH"}, replace(told, addresses=())
    for notice, speaks_for in ((told, nobody), (anonymous, nobody), (replace(told, addresses=("eve/x",)), None)):
        answer = RUNNER.run(world.control.take_in([notice], speaks_for))
        assert "no project" in answer.body["recorded"][0]
    assert not [fact for fact in world.facts("project/houses") if isinstance(fact, facts.CiEnded)]
    RUNNER.run(world.control.take_in([anonymous], {"houses": "HOUSES_PUSH"}))
    assert [fact.commit for fact in world.facts("project/houses") if isinstance(fact, facts.CiEnded)] == [commit("a")]
