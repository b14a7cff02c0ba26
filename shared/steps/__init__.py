"""The work of each step of the line: look, act, return facts."""

from shared.steps import ask, certify, check, evaluate, package, promote, register, stage, train, try_
from shared.steps.turn import Look

LOOKS: dict[str, Look] = {
    "check": check.look,
    "train": train.look,
    "evaluate": evaluate.look,
    "certify": certify.look,
    "register": register.look,
    "package": package.look,
    "stage": stage.look,
    "try": try_.look,
    "ask": ask.look,
    "promote": promote.look,
}

ASKS_PROJECT = frozenset(("check", "ask"))
"""The steps that go by what came in for the project until now: by newer and older releases."""

ASKS_PRODUCTION = frozenset(("evaluate", "ask", "promote"))
"""The steps that go by what is live now."""
