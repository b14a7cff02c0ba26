"""The line every release goes along, as one literal table, and what is due on it.

The prefix rule: a release stands at the first step whose outcome is not known, and nothing beyond it is due,
whatever else was heard.
Due is derived from what is known, never stored and never returned by a step.
"""

from typing import TypeVar

from msgspec import Struct

from shared.release import facts, gates
from shared.release.facts import Fact
from shared.release.state import Outcome, State

_O = TypeVar("_O", bound=Fact)


class Step(Struct, frozen=True):
    """One stage: `waits_for` are the events any of which lets it end, `again` steps are repeated each round."""

    name: str
    does: str
    waits_for: tuple[str, ...]
    again: bool = False


_JOB = ("RunCompleted", "RunStatusChanged")

LINE: tuple[Step, ...] = (
    Step("check", "data sanity tests on the data that training will read, and the project's own tests", _JOB),
    Step("train", "the project's training script, on the train part only", _JOB),
    Step("evaluate", "the candidate and the live model rescored by us on one frozen holdout", _JOB, again=True),
    Step("certify", "claims about the model: explanation, robustness, consistency", _JOB),
    Step("register", "into the model registry; the bytes must be the training job's", ("ModelRegistered",)),
    Step("package", "model, scoring file and locked dependencies as an image", ("ImagePushed",)),
    Step("stage", "the image digest deployed into its staging slot", ("ModelDeployed",)),
    Step("try", "claims about the service: golden answers, bad input, latency", _JOB),
    Step("ask", "the evidence sealed, the approvers told, and waiting without running", ("a decision",), again=True),
    Step("promote", "into its production slot, tried there, then live", ("ModelDeployed", *_JOB), again=True),
)
STEPS: dict[str, Step] = {step.name: step for step in LINE}
NAMES: tuple[str, ...] = tuple(STEPS)
ADOPTED: tuple[str, ...] = tuple(name for name in NAMES if name not in ("check", "train", "register"))
"""The line of a release whose model others trained and registered."""
JOBS: tuple[str, ...] = tuple(step.name for step in LINE if "RunCompleted" in step.waits_for)
"""The steps that submit a job, whose log can be read."""


def round_of(state: State, step: str) -> int:
    """Return the round in which a step is now: the release's for those repeated each round, else 1."""
    return state.round if step in STEPS and STEPS[step].again else 1


def outcome(state: State, step: str) -> Outcome | None:
    """Return the outcome of a step in its present round, None while it is not known."""
    return state.outcomes.get((step, round_of(state, step)))


def known(state: State, step: str, kind: type[_O]) -> _O:
    """Return the outcome of an earlier step; the prefix rule means that it is there."""
    found = outcome(state, step)
    assert isinstance(found, kind), f"{step} has no outcome yet"
    return found


def standing(state: State) -> str | None:
    """Return the first step whose outcome is not known, None when the release has ended or finished the line."""
    if state.opened is None or state.ended is not None:
        return None
    return next((step for step in state.opened.line if outcome(state, step) is None), None)


def due(state: State) -> list[Fact]:
    """Return the facts to append next to what is known: an order, an ending, or nothing."""
    if state.opened is None or state.ended is not None:
        return []
    for step in state.opened.line:
        turn = (step, round_of(state, step))
        if failure := state.failed.get(turn):
            return [facts.ReleaseEnded("failed", step, failure.reason, failure.advice)]
        reached = outcome(state, step)
        if reached is None:
            waits = state.parked is not None or turn in state.ordered
            return [] if waits else [facts.StepOrdered(*turn)]
        if stop := gates.gate(state.opened, reached):
            return [facts.ReleaseEnded(stop.how, step, stop.reason, stop.advice)]
    return [facts.ReleaseEnded("live", state.opened.line[-1], "it is live")]


def waiting_for(state: State) -> str:
    """Say in a few words what an open release waits for."""
    step = standing(state)
    if step is None:
        return ""
    turn = round_of(state, step)
    if state.parked is not None:
        return f"a person: {step} is parked ({state.parked.reason})"
    if step == "ask" and turn in state.asked:
        missing = [who for who in state.asked[turn].approvers if who not in state.decided.get(turn, {})]
        return f"a decision of {', '.join(missing)}" if missing else "the decisions to be counted"
    submitted = [made for made in state.submitted.values() if (made.step, made.round) == (step, turn)]
    blocked = state.blocked.get((step, turn))
    # Once something was made the way is free again; what only waits for others was never made.
    if blocked and not any(state.tried(made.name) for made in submitted):
        return f"an operator: {blocked.reason}"
    if submitted:
        return f"{submitted[-1].waits_for} about {submitted[-1].name}"
    return f"{step} to begin"
