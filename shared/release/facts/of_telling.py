"""The facts of telling: what was told outside, and who could not be told; kept apart, so that the line waits for none.

`target` names who is told and never how it is reached: the name of a secret, MAIL, or the statuses of a project.
"""

from shared.release.facts.fact import Fact


class Told(Fact, frozen=True):
    """`what` was told, as `said` has it; what may change, such as a status, is told again when `said` is another."""

    what: str
    target: str
    said: str
    who: str = ""
    """Whom it is about, or who was asked: a name, which stands here alone, so that it can be taken out."""


class NotTold(Fact, frozen=True):
    """It was tried often enough: this is told to nobody there, and the next thing is tried anew."""

    what: str
    target: str
    said: str
    reason: str
    who: str = ""


class TargetLost(Fact, frozen=True):
    """From here on nothing reaches this target: each thing is tried once."""

    target: str
    reason: str


class TargetBack(Fact, frozen=True):
    target: str
