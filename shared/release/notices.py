"""What the outside tells us, read and trusted, not yet recorded.

Everything in a notice is a hint: the look decides, the ledger says what is ours.
"""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Environment = Literal["staging", "production"]
Proof = Literal["", "entra", "pass", "link"]
"""What proved who somebody is: nothing, the platform's sign-in, a pass, or a link that was sent to them."""


class Pushed(Struct, frozen=True):
    """A git host says that a branch moved."""

    source: str
    addresses: tuple[str, ...]
    """Every URL and full name by which the payload calls its repository."""
    ref: str
    before: str
    after: str
    by: str
    """E-mail or user name of the pusher as the git host authenticated it; empty when unknown."""
    message: str
    delivery: str


class Ignored(Struct, frozen=True):
    """Read and understood, and nothing is to be done: kept with its reason."""

    source: str
    subject: str
    reason: str
    delivery: str
    addresses: tuple[str, ...] = ()


class BuildHeard(Struct, frozen=True):
    """A CI outside of Signalbox says what it found of one commit; `run` and `attempt` are the host's own numbers."""

    source: str
    addresses: tuple[str, ...]
    """As of a push; empty when the payload names no repository, and then the secret alone says whose it is."""
    name: str
    """The workflow or pipeline."""
    commit: str
    verdict: Literal["success", "failure"]
    said: str
    """The host's own word for the verdict."""
    link: str
    run: int
    attempt: int
    delivery: str


class RunHeard(Struct, frozen=True):
    """A run ended; `event` is RunCompleted or RunStatusChanged."""

    run: str
    event: str
    status: str


class ModelHeard(Struct, frozen=True):
    """A model version was registered; `release` is its property, empty when it has none."""

    name: str
    version: str
    release: str


class ImageHeard(Struct, frozen=True):
    """A manifest was pushed to the image registry under a tag."""

    repository: str
    tag: str
    digest: str


class ServiceHeard(Struct, frozen=True):
    """A service answers for the first time."""

    service: str


class BlobHeard(Struct, frozen=True):
    """A blob was created or replaced; `etag` is without quotes, `size` in bytes, `time` in UTC or empty."""

    container: str
    name: str
    size: int
    etag: str
    sequencer: str
    time: str = ""


class DriftHeard(Struct, frozen=True):
    """A monitor says that data drifted; `window` names the time it looked at, so that a repeat is the same ask."""

    monitor: str
    window: str
    about: str


class DecisionGiven(Struct, frozen=True):
    """A person decided about the evidence they were shown; `how` says what proved who they are."""

    release: str
    approver: str
    decision: Literal["approve", "reject", "break-glass", "confirm"]
    reason: str
    evidence: str
    how: Proof = ""


class OpenAsked(Struct, frozen=True):
    """A person wants a release now, of the commit that is trained again; `key` is the Idempotency-Key."""

    project: str
    by: str
    reason: str
    key: str
    how: Proof = ""


class CancelAsked(Struct, frozen=True):
    """A person ends a release; what runs for it is stopped."""

    release: str
    by: str
    reason: str
    how: Proof = ""


class ResumeAsked(Struct, frozen=True):
    """A person lets a parked step try again."""

    release: str
    by: str
    reason: str
    how: Proof = ""


class RerunAsked(Struct, frozen=True):
    """A person wants an ended release tried again: the same commit, with the data of now."""

    release: str
    by: str
    reason: str
    key: str
    how: Proof = ""


class ReplayAsked(Struct, frozen=True):
    """A person wants what came in taken in again; `row` names it as `<project or ->:<line of its stream>`."""

    row: str
    by: str
    reason: str
    how: Proof = ""


class EnvironmentAsked(Struct, frozen=True):
    """A person rolls an environment back, holds it, or lifts the hold; `to` names a release, a version, or nothing."""

    project: str
    environment: Environment
    action: Literal["rollback", "hold", "lift"]
    by: str
    reason: str
    to: str = ""
    how: Proof = ""


class PolicyAccepted(Struct, frozen=True):
    """A person puts the policy that `projects.toml` says, by its digest, in force."""

    project: str
    digest: str
    by: str
    reason: str
    how: Proof = ""


Notice = (
    Pushed
    | Ignored
    | BuildHeard
    | RunHeard
    | ModelHeard
    | ImageHeard
    | ServiceHeard
    | BlobHeard
    | DriftHeard
    | DecisionGiven
    | OpenAsked
    | CancelAsked
    | ResumeAsked
    | RerunAsked
    | EnvironmentAsked
    | PolicyAccepted
)

LARGEST_KEPT = 4096
"""Bytes of a notice beyond which only what became of it is recorded."""
_KINDS: dict[str, type[Notice]] = {
    kind.__name__: kind for kind in (Pushed, Ignored, BuildHeard, BlobHeard, DriftHeard, ModelHeard)
}


def kept(notice: Notice) -> dict[str, Any]:
    """Return what stands in the row of a notice; empty for what a person asked, and for what is too large for a row."""
    if type(notice).__name__ not in _KINDS:
        return {}
    plain: dict[str, Any] = {"kind": type(notice).__name__} | msgspec.to_builtins(notice)
    return plain if len(msgspec.json.encode(plain)) <= LARGEST_KEPT else {}


def told_again(row: Mapping[str, Any]) -> Notice | None:
    """Return the notice that `kept` was given; None when none is kept, or when this version cannot read it."""
    kind = _KINDS.get(str(row.get("kind")))
    try:
        return msgspec.convert({name: row[name] for name in row if name != "kind"}, kind) if kind else None
    except msgspec.ValidationError:
        return None
