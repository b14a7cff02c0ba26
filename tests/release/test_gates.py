"""Gates: which outcome stops a release, as which ending, with which words."""

import msgspec
import pytest
from hypothesis import given, settings

from shared.release import gates
from shared.release.facts import Certified, Claim, Evaluated, Fact, Tried
from tests.release import any_facts
from tests.release.test_prefix_rule import OPENED

EAGER = msgspec.structs.replace(OPENED, promote_when="not worse")
KEPT = "Not an error: nothing is to be done"


def rescored(verdict: str, gain: float | None, low: float | None = None, high: float | None = None) -> Evaluated:
    champion = None if gain is None else 3.5 + gain
    return Evaluated(1, "job", verdict, "rmse", 20, 3.5, champion, gain, low, high)  # type: ignore[arg-type]


BETTER = rescored("better", 0.5, 0.1, 0.9)
WORSE = rescored("not better", -0.4, -0.9, -0.1)
UNSURE = rescored("inconclusive", 0.2, -0.1, 0.5)
UNCERTAIN = 'Not an error: more data may tell, or the operator may set promote_when = "not worse"'


@pytest.mark.parametrize(
    ("opened", "outcome", "reason"),
    [
        (OPENED, rescored("first", None), None),
        (OPENED, BETTER, None),
        (
            OPENED,
            UNSURE,
            "rmse 3.5 against 3.7: better by 0.2, gain [-0.1, 0.5]: not surely better, production stays as it is",
        ),
        (OPENED, WORSE, "rmse 3.5 against 3.1: worse by 0.4, gain [-0.9, -0.1]: not better, production stays as it is"),
        (
            OPENED,
            rescored("not better", 0.007, 0.002, 0.012),
            "rmse 3.5 against 3.507: better by 0.007, gain [0.002, 0.012]: "
            "less than the operator wants for a release (policy.min_gain), production stays as it is",
        ),
        (EAGER, rescored("first", None), None),
        (EAGER, BETTER, None),
        (EAGER, UNSURE, None),
        (EAGER, WORSE, "rmse 3.5 against 3.1: worse by 0.4, gain [-0.9, -0.1]: not better, production stays as it is"),
    ],
)
def test_what_is_not_better_is_kept_out_unless_the_operator_lets_what_is_not_worse_in(
    opened: object, outcome: Evaluated, reason: str | None
) -> None:
    stop = gates.gate(opened, outcome)  # type: ignore[arg-type]
    advice = UNCERTAIN if outcome is UNSURE else KEPT
    assert stop == (None if reason is None else gates.Stop("kept", reason, advice))


CERTIFIED = Claim("noise", "certified", "noise of 1 % costs 0.2 %")
WARNING = Claim("explained", "warning", "one column explains it all")
REFUSED = Claim("noise", "refused", "noise of 1 % costs 30 %", 0.3, 0.1)
SLOW = Claim("latency", "refused", "95 % answer within 900 ms, the bound is 250 ms", 900, 250)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ((), None),
        ((CERTIFIED, WARNING), None),
        ((CERTIFIED, REFUSED, WARNING), "noise of 1 % costs 30 %"),
        ((REFUSED, SLOW), "noise of 1 % costs 30 %; 95 % answer within 900 ms, the bound is 250 ms"),
    ],
)
def test_a_refused_claim_fails_the_release_with_its_sentence_and_a_warning_does_not(
    claims: tuple[Claim, ...], reason: str | None
) -> None:
    for outcome in (Certified(1, claims), Tried(1, 20, 12, 4.0, claims)):
        stop = gates.gate(OPENED, outcome)
        assert (stop and (stop.how, stop.reason)) == (reason and ("failed", reason))
        assert stop is None or "push again" in stop.advice


@settings(max_examples=60, deadline=None)
@given(outcome=any_facts.facts("Checked", "Trained", "VersionAdopted", "Packaged", "Staged", "Approved", "Promoted"))
def test_the_other_outcomes_have_no_gate(outcome: Fact) -> None:
    assert gates.gate(OPENED, outcome) is None


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (rescored("first", None), "rmse 3.5 on 20 rows, nothing to compare with"),
        (
            msgspec.structs.replace(rescored("first", None), note="the live model has no scoring file"),
            "rmse 3.5 on 20 rows, nothing to compare with (the live model has no scoring file)",
        ),
        (
            msgspec.structs.replace(rescored("first", None), champion=3.1),
            "rmse 3.5 on 20 rows, nothing to compare with",
        ),
        (rescored("not better", 0.0, 0.0, 0.0), "rmse 3.5 against 3.5: no difference, gain [0, 0]"),
        (rescored("better", 0.5), "rmse 3.5 against 4: better by 0.5"),
        (rescored("better", 0.5, 0.1), "rmse 3.5 against 4: better by 0.5"),
    ],
)
def test_how_the_candidate_did_is_said_in_one_line(outcome: Evaluated, words: str) -> None:
    assert gates.compared(outcome) == words
