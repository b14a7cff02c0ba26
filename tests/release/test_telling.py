"""What is to be told outside, derived from facts alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.release import environment, facts, line, telling
from shared.release.facts import Fact
from shared.release.state import State, fold
from shared.release.telling import Stand, Telling
from tests.release import any_facts

OPENED = facts.ReleaseOpened("r", "houses", 1, "a" * 40, "d", (), "", "push", "", "", line.NAMES, "p")
CODE = facts.CodeRead("code", "{}", "", "", "")
CHECKED = facts.Checked(1, "e", 1, 1, (), "c", "{}")


def known(*told: Fact) -> State:
    return fold([OPENED, *told])


def ended(how: Any, step: str = "check") -> facts.ReleaseEnded:
    return facts.ReleaseEnded(how, step, "because")


@pytest.mark.parametrize(
    "told",
    [
        (),
        (facts.StepOrdered("check", 1),),
        (ended("stale"),),
        (ended("cancelled"),),
        (ended("superseded"),),
        (facts.CarriedOver("r0", 1, "d"), CODE, CHECKED),
    ],
)
def test_nothing_stands_at_a_commit_that_nobody_found_or_that_trained_nothing(told: tuple[Fact, ...]) -> None:
    assert telling.stands(known(*told)) == []
    assert telling.stands(fold(told)) == []


@pytest.mark.parametrize(
    ("told", "state", "whole"),
    [
        ((CODE,), "pending", "pending"),
        ((CODE, CHECKED), "success", "pending"),
        ((CODE, facts.Parked("check", 1, "five times")), "failure", "failure"),
        ((CODE, facts.Parked("check", 1, "x"), facts.Resumed("check", 1, "bo", "y")), "pending", "pending"),
        ((facts.StepFailed("check", 1, "no"), ended("failed")), "failure", "failure"),
        ((ended("unchanged"),), "success", "success"),
        ((CODE, ended("superseded")), "success", "success"),
        ((CODE, CHECKED, ended("kept", "evaluate")), "success", "success"),
        *(((CODE, ended(how)), "failure", "failure") for how in ("rejected", "expired", "cancelled", "stale")),
    ],
)
def test_a_step_and_its_release_stand_as_what_is_known(told: tuple[Fact, ...], state: str, whole: str) -> None:
    stands = telling.stands(known(*told))
    assert stands[0] == Stand("check", state)  # type: ignore[arg-type]
    assert stands[-1] == Stand("", whole)  # type: ignore[arg-type]


@given(st.lists(any_facts.facts(round=st.integers(1, 2), step=st.sampled_from(line.NAMES)), max_size=12))
def test_whatever_is_known_only_what_was_reached_stands_and_an_end_leaves_nothing_pending(told: list[Fact]) -> None:
    state = known(CODE, *told)
    stands = telling.stands(state)
    assert [stand.step for stand in stands if stand.state == "pending"] in ([], [""], [line.standing(state), ""])
    if state.ended is not None:
        assert "pending" not in {stand.state for stand in stands}
    telling.happened(state)


def asking(*told: Fact) -> State:
    opened = facts.ReleaseOpened("r", "houses", 1, "a" * 40, "d", (), "", "push", "", "", ("ask",), "p")
    asked = facts.Asked(1, "evidence", ("ana", "bo"), 2, 9)
    return fold([opened, asked, *told])


def decided(who: str, decision: Any = "approve") -> facts.Decided:
    return facts.Decided(1, who, decision, "", "evidence")


def test_a_reminder_is_told_while_its_question_is_open() -> None:
    half, last = facts.Reminded(1, "half", ("ana", "bo")), facts.Reminded(1, "last", ("bo",))
    assert [one.what for one in telling.happened(asking())] == ["asked 1"]
    assert [one.what for one in telling.happened(asking(half))] == ["asked 1", "reminded 1 half"]
    reminded = telling.happened(asking(half, facts.Reminded(1, "half", ()), last, facts.Reminded(2, "half", ())))
    assert [one.what for one in reminded] == ["asked 1", "reminded 1 half", "reminded 1 last"]
    assert [one.fact for one in reminded[1:]] == [half, last]
    assert telling.happened(asking(half, ended("superseded", "ask"))) == []


def test_a_broken_glass_is_news_and_so_is_what_became_of_it() -> None:
    broken = facts.GlassBroken(1, "cy", "the shop is down", "evidence", 9)
    late, second = facts.GlassUnconfirmed(1, "cy"), facts.GlassConfirmed(1, "eve", "so it was")
    live = ended("live", "ask")
    assert [(one.news, one.what) for one in telling.happened(asking(broken, late, live))] == [
        ("decided", "glass broken 1"),
        ("failed", "glass unconfirmed 1"),
        ("live", "live"),
    ]
    assert [one.what for one in telling.happened(asking(broken, second, live))][1] == "glass confirmed 1"


def test_nobody_is_asked_again_who_decided_and_nobody_once_all_have_or_it_ended() -> None:
    assert telling.missing(asking()) == ("ana", "bo")
    assert telling.missing(asking(decided("ana"))) == ("bo",)
    for_bo = facts.Decided(1, "dee", "approve", "", "evidence", ("bo",))
    assert telling.missing(asking(for_bo)) == ("ana",)
    everybody = asking(decided("ana"), decided("bo"))
    assert [f"{one.what} {one.who}" for one in telling.happened(everybody)] == [
        "decided 1 ana",
        "decided 1 bo",
    ]
    over = asking(decided("ana", "reject"), ended("rejected", "ask"))
    assert telling.missing(over) == ()
    assert [f"{one.what} {one.who}" for one in telling.happened(over)] == ["decided 1 ana"]


@pytest.mark.parametrize(
    ("fact", "news", "what"),
    [
        (ended("live", "promote"), "live", "live"),
        (ended("failed"), "failed", "failed"),
        (ended("expired", "ask"), "decided", "expired"),
        (facts.Parked("train", 1, "five times"), "failed", "parked train 1"),
    ],
)
def test_an_end_and_a_park_are_news(fact: Fact, news: str, what: str) -> None:
    assert [(one.news, one.what) for one in telling.happened(known(fact))] == [(news, what)]


@pytest.mark.parametrize("how", ["kept", "cancelled", "superseded", "stale", "unchanged", "rejected"])
def test_an_end_that_nobody_has_to_act_on_is_no_news(how: str) -> None:
    assert telling.happened(known(ended(how))) == []


def live(why: Any, generation: int) -> facts.LiveDecided:
    return facts.LiveDecided(generation, "r", 1, "slot", 1, "image", "bo", why)


def test_a_roll_back_is_news_while_it_is_the_newest_decision() -> None:
    assert telling.rolled_back(environment.fold([])) == []
    assert telling.rolled_back(environment.fold([live("promoted", 1)])) == []
    back = [live("promoted", 1), live("rolled back", 2)]
    assert [one.what for one in telling.rolled_back(environment.fold(back))] == ["rolled back 2"]
    assert telling.rolled_back(environment.fold([*back, live("promoted", 3)])) == []


def test_what_was_told_or_given_up_is_due_again_only_when_it_is_another() -> None:
    wanted = [Telling("TEAM", "live", "sent", "text"), Telling("statuses", "check", "success 1", "text")]
    assert telling.due(wanted, [OPENED]) == wanted
    told = [facts.Told("live", "TEAM", "sent"), facts.NotTold("check", "statuses", "success 1", "away")]
    assert telling.due(wanted, told) == []
    assert telling.due(wanted, [*told, facts.Told("check", "statuses", "pending 0")]) == wanted[1:]
    assert telling.due(wanted, [facts.Told("live", "OTHER", "sent")]) == wanted
    assert telling.due(wanted, [facts.Told("live", "TEAM", "sent", "ana")]) == wanted


def test_a_target_is_lost_until_it_is_back() -> None:
    told = [facts.TargetLost("TEAM", "away"), facts.TargetLost("MAIL", "refused"), facts.TargetLost("TEAM", "404")]
    assert telling.lost([OPENED, *told]) == {"TEAM": "404", "MAIL": "refused"}
    assert telling.lost([*told, facts.TargetBack("TEAM"), facts.TargetBack("NONE")]) == {"MAIL": "refused"}
