"""The facts of an environment: which slot is live, and whether anything may change that."""

from collections.abc import Mapping
from typing import Literal

from shared.release.facts.fact import Fact


class SlotClaimed(Fact, frozen=True):
    release: str
    slot: str
    version: int


class SlotVacated(Fact, frozen=True):
    slot: str


class LiveDecided(Fact, frozen=True):
    """Which slot the stable address is to answer from; `generation` is its place in the order.

    `image` and `deploys` are as in `Packaged`; `adopted` says that others registered the model.
    """

    generation: int
    release: str
    number: int
    slot: str
    version: int
    image: str
    by: str
    why: Literal["promoted", "rolled back"]
    evidence: str = ""
    deploys: Mapping[str, str] = {}
    adopted: bool = False
    how: str = ""
    """What proved who `by` is; empty when they only said so."""


class SwitchGivenUp(Fact, frozen=True):
    """A release ends before it is live: what was put off of its going live finds another position, and fails."""

    release: str


class LiveSeen(Fact, frozen=True):
    generation: int
    release: str


class Held(Fact, frozen=True):
    """Nothing goes live; `release` is the one whose broken glass nobody confirmed, empty for a person's own hold.

    `how` says what proved who they are; empty when they only said so.
    """

    by: str
    reason: str
    release: str = ""
    how: str = ""


class Lifted(Fact, frozen=True):
    """The hold for this release is over, or a person's own when it is empty; `how` is as in `Held`."""

    by: str
    reason: str
    release: str = ""
    how: str = ""
