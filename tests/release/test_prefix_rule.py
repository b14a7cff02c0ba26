"""The line: what is due, where a release stands, what it waits for."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import facts, line, state
from shared.release.facts import Fact
from shared.release.state import OUTCOMES
from tests.release import any_facts

OPENED = facts.ReleaseOpened(
    "a" * 20, "houses", 1, "c" * 40, "d" * 16, (), "", "push", "dee@example.org", "a change", line.NAMES, "sha256:p"
)
GOOD: dict[str, Fact] = {
    "check": facts.Checked(1, "sha256:e", 3, 100, ("rooms", "price"), "sha256:c", "{}"),
    "train": facts.Trained(1, "job", "sha256:m", 100, 80, 20),
    "evaluate": facts.Evaluated(1, "job", "first", "rmse", 20, 3.5),
    "certify": facts.Certified(1, ()),
    "register": facts.VersionAdopted(1, "houses", 1, "sha256:m"),
    "package": facts.Packaged(1, "sha256:i"),
    "stage": facts.Staged(1, "slot", "http://slot.example.org"),
    "try": facts.Tried(1, 20, 12, 4.0),
    "ask": facts.Approved(1, "sha256:s", ("ana",)),
    "promote": facts.Promoted(1, "slot", 1, "https://live.example.org"),
}
REOPENED = {"evaluate", "ask", "promote"}
ASKED = facts.Asked(1, "sha256:s", ("ana", "bo"), 1, 1_800_000_000)


def done(*steps: str, round: int = 1) -> list[Fact]:
    return [msgspec.structs.replace(GOOD[step], round=round) for step in steps]


def before(step: str) -> list[Fact]:
    return done(*line.NAMES[: line.NAMES.index(step)])


def test_every_step_has_a_row_an_outcome_and_an_event_it_waits_for() -> None:
    assert set(OUTCOMES.values()) == set(line.NAMES) == set(GOOD)
    assert {OUTCOMES[type(fact)]: fact for fact in GOOD.values()} == GOOD
    assert all(step.waits_for and step.does for step in line.LINE)
    assert {step.name for step in line.LINE if step.again} == REOPENED


@pytest.mark.parametrize("step", line.NAMES)
def test_a_step_is_ordered_when_all_before_it_are_done_and_ordered_once(step: str) -> None:
    known = [OPENED, *before(step)]
    order = facts.StepOrdered(step, 1)
    assert line.due(state.fold(known)) == [order]
    assert line.standing(state.fold(known)) == step
    assert line.waiting_for(state.fold(known)) == f"{step} to begin"
    assert line.due(state.fold([*known, order])) == []


@pytest.mark.parametrize("step", line.NAMES)
def test_a_failure_ends_the_release_at_its_step_whatever_else_is_said_of_that_turn(step: str) -> None:
    failed = facts.StepFailed(step, 1, "KeyError: 'rooms'", "Mend it", "log")
    ending = [facts.ReleaseEnded("failed", step, "KeyError: 'rooms'", "Mend it")]
    for known in ([failed], [failed, GOOD[step]], [GOOD[step], failed], [facts.Parked(step, 1, "5 attempts"), failed]):
        assert line.due(state.fold([OPENED, *before(step), *known])) == ending


def test_a_failure_in_one_round_is_no_failure_in_another() -> None:
    failed = facts.StepFailed("evaluate", 2, "the champion is gone")
    known = [OPENED, *before("evaluate"), failed]
    assert line.due(state.fold(known)) == [facts.StepOrdered("evaluate", 1)]
    again = state.fold([*known, *done("evaluate"), facts.ProductionChanged(2, "b" * 20, 2)])
    assert line.due(again) == [facts.ReleaseEnded("failed", "evaluate", "the champion is gone", "")]


def test_a_failure_of_a_later_step_is_not_heard_before_its_turn() -> None:
    failed = facts.StepFailed("package", 1, "no space left")
    assert line.due(state.fold([OPENED, failed])) == [facts.StepOrdered("check", 1)]
    assert line.due(state.fold([OPENED, failed, *before("package")]))[0].how == "failed"  # type: ignore[attr-defined]


def test_a_gate_ends_the_release_at_the_step_whose_outcome_it_stops() -> None:
    worse = facts.Evaluated(1, "job", "not better", "rmse", 20, 3.5, 3.0, -0.5, -0.9, -0.1)
    (ending,) = line.due(state.fold([OPENED, *before("evaluate"), worse, *done("certify", "register")]))
    assert isinstance(ending, facts.ReleaseEnded)
    assert (ending.how, ending.step) == ("kept", "evaluate")


def test_the_whole_line_done_is_live() -> None:
    known = state.fold([OPENED, *GOOD.values()])
    assert line.due(known) == [facts.ReleaseEnded("live", "promote", "it is live")]
    assert line.standing(known) is None
    assert line.waiting_for(known) == ""


def test_nothing_is_due_before_the_opening_fact_or_after_the_ending() -> None:
    ended = facts.ReleaseEnded("cancelled", "train", "not wanted")
    for known in ([], done("check"), [OPENED, ended], [OPENED, ended, *GOOD.values()]):
        assert line.due(state.fold(known)) == []
        assert line.standing(state.fold(known)) is None


def test_nothing_is_due_while_a_step_is_parked_and_a_person_is_waited_for() -> None:
    known = state.fold([OPENED, facts.Parked("check", 1, "5 attempts gave no outcome")])
    assert line.due(known) == []
    assert line.waiting_for(known) == "a person: check is parked (5 attempts gave no outcome)"


def test_a_release_keeps_the_line_it_was_opened_with() -> None:
    older = msgspec.structs.replace(OPENED, line=("check", "sign", "train"))
    known = state.fold([older, *done("check")])
    assert line.due(known) == [facts.StepOrdered("sign", 1)]
    assert line.round_of(state.fold([older, facts.ProductionChanged(2, "b" * 20, 1)]), "sign") == 1
    shorter = msgspec.structs.replace(OPENED, line=("check",))
    assert line.due(state.fold([shorter, *done("check")])) == [facts.ReleaseEnded("live", "check", "it is live")]


# --- the prefix rule

PLACE: dict[str, st.SearchStrategy[Any]] = {
    "round": st.integers(1, 3),
    "step": st.sampled_from(line.NAMES),
    "verdict": st.sampled_from(["first", "better"]),
    "claims": st.just(()),
}
HEARD = any_facts.facts(
    *(kind.__name__ for kind in OUTCOMES),
    "StepOrdered",
    "StepFailed",
    "Heard",
    "Submitted",
    "ProductionChanged",
    **PLACE,
)
SOME_DONE = st.tuples(st.integers(0, 10), st.lists(HEARD, max_size=15)).map(
    lambda drawn: [OPENED, *done(*line.NAMES[: drawn[0]]), *drawn[1]]
)


@settings(max_examples=300, deadline=None)
@given(known=SOME_DONE)
def test_nothing_is_due_past_an_unknown_outcome(known: list[Fact]) -> None:
    what = state.fold(known)
    due = line.due(what)
    assert len(due) <= 1
    unknown = [step for step in line.NAMES if line.outcome(what, step) is None]
    assert line.standing(what) == next(iter(unknown), None)
    for fact in due:
        assert isinstance(fact, facts.StepOrdered | facts.ReleaseEnded)
        if unknown:
            assert line.NAMES.index(fact.step) <= line.NAMES.index(unknown[0])
        if isinstance(fact, facts.StepOrdered):
            assert (fact.step, fact.round) == (unknown[0], line.round_of(what, unknown[0]))
            assert (fact.step, fact.round) not in what.ordered


@settings(max_examples=300, deadline=None)
@given(known=SOME_DONE)
def test_what_is_heard_of_later_steps_changes_nothing_of_what_is_due(known: list[Fact]) -> None:
    what = state.fold(known)
    standing = line.standing(what)
    if standing is None:
        return
    later = set(line.NAMES[line.NAMES.index(standing) + 1 :])
    without = [fact for fact in known if step_of(fact) not in later]
    assert line.due(state.fold(without)) == line.due(what)


def step_of(fact: Fact) -> str:
    return OUTCOMES.get(type(fact)) or getattr(fact, "step", "")


@settings(max_examples=60, deadline=None)
@given(rounds=st.lists(st.integers(2, 5), min_size=1, max_size=4), many=st.integers(0, 10))
def test_a_new_round_reopens_evaluate_ask_and_promote_and_nothing_else(rounds: list[int], many: int) -> None:
    known = [OPENED, *done(*line.NAMES[:many])]
    changed = [facts.ProductionChanged(number, "b" * 20, number) for number in rounds]
    was, now = state.fold(known), state.fold(known + changed)
    for step in line.NAMES:
        assert line.round_of(now, step) == (max(rounds) if step in REOPENED else 1)
        expected = None if step in REOPENED else line.outcome(was, step)
        assert line.outcome(now, step) == expected
    closed = [step for step in line.NAMES if step in REOPENED or step not in line.NAMES[:many]]
    assert line.due(now) == [facts.StepOrdered(closed[0], max(rounds) if closed[0] in REOPENED else 1)]


def test_after_a_new_round_the_steps_between_are_not_done_again() -> None:
    known = [OPENED, *GOOD.values(), facts.ProductionChanged(2, "b" * 20, 2)]
    orders = []
    for step in ("evaluate", "ask", "promote"):
        orders += line.due(state.fold(known))
        known += done(step, round=2)
    assert orders == [facts.StepOrdered(step, 2) for step in ("evaluate", "ask", "promote")]
    assert line.due(state.fold(known)) == [facts.ReleaseEnded("live", "promote", "it is live")]


def test_an_outcome_of_an_older_round_is_no_outcome_of_the_new_one() -> None:
    what = state.fold([OPENED, *GOOD.values(), facts.ProductionChanged(2, "b" * 20, 2)])
    assert line.standing(what) == "evaluate"
    with pytest.raises(AssertionError, match="evaluate has no outcome yet"):
        line.known(what, "evaluate", facts.Evaluated)
    assert line.known(what, "train", facts.Trained) == GOOD["train"]


# --- what it waits for


def test_a_submitted_step_says_which_event_it_waits_for_and_about_what() -> None:
    made = [facts.Submitted("train", 1, f"{'a' * 20}-train-1", "RunCompleted or RunStatusChanged")]
    what = state.fold([OPENED, *before("train"), *made])
    assert line.waiting_for(what) == f"RunCompleted or RunStatusChanged about {'a' * 20}-train-1"


def test_a_step_that_is_blocked_waits_for_an_operator_until_it_made_something() -> None:
    blocked = facts.Blocked("check", 1, "the token is wrong")
    assert line.waiting_for(state.fold([OPENED, blocked])) == "an operator: the token is wrong"
    queued = facts.Submitted("check", 1, "release #3", "the end of a training")
    assert line.waiting_for(state.fold([OPENED, queued, blocked])) == "an operator: the token is wrong"
    made = [facts.StepStarted("check", 1, "run", "message-1:1"), facts.Submitted("check", 1, "run", "RunCompleted")]
    assert line.waiting_for(state.fold([OPENED, blocked, *made])) == "RunCompleted about run"
    assert line.due(state.fold([OPENED, blocked])) == line.due(state.fold([OPENED]))


def test_a_step_that_made_several_things_waits_for_the_last_one() -> None:
    made: list[Fact] = [
        facts.Submitted("promote", 1, "slot", "ModelDeployed"),
        facts.Submitted("promote", 1, "try", "RunCompleted"),
        facts.Submitted("promote", 2, "another round", "RunCompleted"),
        facts.Submitted("stage", 1, "another step", "ModelDeployed"),
    ]
    known = [OPENED, *before("promote"), *made]
    assert line.waiting_for(state.fold(known)) == "RunCompleted about try"
    known += [facts.ProductionChanged(2, "b" * 20, 2), *done("evaluate", "ask", round=2)]
    assert line.waiting_for(state.fold(known)) == "RunCompleted about another round"


def test_a_question_waits_for_those_who_have_not_decided() -> None:
    known = [OPENED, *before("ask"), ASKED]
    assert line.waiting_for(state.fold(known)) == "a decision of ana, bo"
    known.append(facts.Decided(1, "ana", "approve", "fine", "sha256:s"))
    assert line.waiting_for(state.fold(known)) == "a decision of bo"


def test_a_question_that_everybody_answered_waits_for_nobody_but_to_be_counted() -> None:
    decided = [facts.Decided(1, who, "approve", "fine", "sha256:s") for who in ("ana", "bo")]
    submitted = facts.Submitted("ask", 1, f"{'a' * 20}-ask-1", "a decision")
    known = state.fold([OPENED, *before("ask"), ASKED, submitted, *decided])
    assert line.waiting_for(known) == "the decisions to be counted"


def test_a_question_that_was_not_asked_yet_waits_to_begin() -> None:
    assert line.waiting_for(state.fold([OPENED, *before("ask")])) == "ask to begin"
