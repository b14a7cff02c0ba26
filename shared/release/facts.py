"""Facts: what happened. Recorded once, past tense, never changed.

Rules for the editor of this file:
a kind is never renamed or removed, a field is only added and only with a default,
and `tests/histories` keeps a recorded stream of every version that must go on folding.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

Cause = Literal["push", "data", "drift", "schedule", "person", "rerun"]
Ending = Literal["live", "kept", "failed", "rejected", "expired", "superseded", "cancelled", "stale"]
Became = Literal["release", "recorded", "refused"]
Verdict = Literal["first", "better", "not better", "inconclusive"]


class Fact(Struct, frozen=True):
    """Base of every fact; its kind in the ledger is the name of its class."""


class BlobSeen(Struct, frozen=True):
    """One blob of a data version; `size` in bytes, `etag` without quotes."""

    container: str
    name: str
    size: int
    etag: str


class Claim(Struct, frozen=True):
    """One thing said of a model or a service, and whether it holds."""

    name: str
    verdict: Literal["certified", "warning", "refused"]
    sentence: str
    value: float | None = None
    bound: float | None = None


# --- the release stream: what was asked


class ReleaseOpened(Fact, frozen=True):
    """One commit and one data version start on their way; `line` is the line they keep for life."""

    release: str
    project: str
    number: int
    commit: str
    data: str
    blobs: tuple[BlobSeen, ...]
    ask: str
    cause: Cause
    by: str
    reason: str
    line: tuple[str, ...]
    policy: str
    """SHA-256 of the operator's entry for the project at that moment."""
    promote_when: Literal["better", "not worse"] = "better"


# --- the release stream: how a step goes


class StepOrdered(Fact, frozen=True):
    step: str
    round: int


class StepStarted(Fact, frozen=True):
    """An attempt at making `name` outside is about to begin; the order's dequeue count makes it one attempt."""

    step: str
    round: int
    name: str
    attempt: str


class Submitted(Fact, frozen=True):
    """`name` exists outside; the step now waits for `waits_for`."""

    step: str
    round: int
    name: str
    waits_for: str


class Heard(Fact, frozen=True):
    """An event arrived about something with our name on it; early ones count when their turn comes."""

    event: str
    subject: str
    status: str = ""


class StepFailed(Fact, frozen=True):
    """The work said no. `log` names the job whose log holds the whole story."""

    step: str
    round: int
    reason: str
    advice: str = ""
    log: str = ""


class PutOff(Fact, frozen=True):
    """An attempt met an outside service that could not be asked: it does not count."""

    step: str
    round: int
    name: str
    attempt: str
    reason: str


class Parked(Fact, frozen=True):
    """A step used up its attempts without an outcome; people decide."""

    step: str
    round: int
    reason: str


class Resumed(Fact, frozen=True):
    """A person looked at a parked step and lets it try again, with all its attempts."""

    step: str
    round: int
    by: str
    reason: str


# --- the release stream: outcomes, one kind a step


class Checked(Fact, frozen=True):
    """`environment` is the digest of the lock, `content` of all the data read, `schema` JSON of the inputs."""

    round: int
    environment: str
    tests: int
    rows: int
    columns: tuple[str, ...]
    content: str
    schema: str
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


class Trained(Fact, frozen=True):
    """`model` is the digest of the files the training job wrote; `labels` are the project's own words on it."""

    round: int
    job: str
    model: str
    bytes: int
    rows: int
    holdout_rows: int
    labels: dict[str, Any] = {}
    seconds: float = 0.0


class Evaluated(Fact, frozen=True):
    """Both models rescored by us on one holdout; `gain` is positive when the candidate is better, [low, high] 95 %."""

    round: int
    job: str
    verdict: Verdict
    metric: str
    rows: int
    candidate: float
    champion: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    against: str = ""
    """Release id of the live model it was compared with, empty when nothing was live."""
    note: str = ""
    seconds: float = 0.0


class Certified(Fact, frozen=True):
    round: int
    claims: tuple[Claim, ...]
    important: tuple[str, ...] = ()
    seconds: float = 0.0


class VersionAdopted(Fact, frozen=True):
    """Which version in the model registry is ours; every other one is not used."""

    round: int
    name: str
    number: int
    model: str


class Packaged(Fact, frozen=True):
    """`image` is the manifest digest; `bytes` are the layers that were new."""

    round: int
    image: str
    bytes: int = 0
    seconds: float = 0.0


class Staged(Fact, frozen=True):
    round: int
    slot: str
    url: str
    seconds: float = 0.0


class Tried(Fact, frozen=True):
    round: int
    golden: int
    bad_inputs: int
    p95_ms: float
    claims: tuple[Claim, ...] = ()
    seconds: float = 0.0


class CodeRead(Fact, frozen=True):
    """The commit stands on the configured branch and was read; `code` is the artifact digest of its files."""

    code: str
    settings: str
    """JSON of signalbox.toml as read."""
    author: str
    email: str
    message: str


class ChampionChosen(Fact, frozen=True):
    """Which live model the candidate is compared with in a round; empty and 0 when nothing is live."""

    round: int
    release: str
    generation: int
    image: str


class Asked(Fact, frozen=True):
    """The evidence is sealed and people are told; no outcome yet. `expires` in seconds since 1970."""

    round: int
    evidence: str
    approvers: tuple[str, ...]
    quorum: int
    expires: int


class Decided(Fact, frozen=True):
    round: int
    approver: str
    decision: Literal["approve", "reject"]
    reason: str
    evidence: str


class Approved(Fact, frozen=True):
    """Enough of those asked agreed on exactly this evidence."""

    round: int
    evidence: str
    by: tuple[str, ...]


class Promoted(Fact, frozen=True):
    """The stable address answered from this release's slot."""

    round: int
    slot: str
    generation: int
    address: str
    seconds: float = 0.0


class ProductionChanged(Fact, frozen=True):
    """What is live is not what the candidate was compared with: evaluate and ask begin a new round."""

    round: int
    live: str
    generation: int


class ReleaseEnded(Fact, frozen=True):
    how: Ending
    step: str
    reason: str
    advice: str = ""
    by: str = ""


# --- the project stream


class DataArrived(Fact, frozen=True):
    container: str
    name: str
    size: int
    etag: str
    sequencer: str


class CameIn(Fact, frozen=True):
    """Something came in and this became of it; `release` is empty when nothing was opened."""

    source: str
    subject: str
    became: Became
    reason: str
    delivery: str = ""
    release: str = ""


class ReleaseNumbered(Fact, frozen=True):
    """A release takes its place in the order of its project; with it stands all that was asked for.

    Its data are the arrivals that stand before this fact.
    """

    release: str
    number: int
    commit: str
    data: str
    cause: Cause
    ask: str = ""
    by: str = ""
    reason: str = ""


class CommitPassed(Fact, frozen=True):
    """A commit passed check: new data and drift may train it again."""

    release: str
    number: int
    commit: str


class ApprovalAsked(Fact, frozen=True):
    """People are asked about this release; older ones that still wait are superseded."""

    release: str
    number: int


class ReleaseClosed(Fact, frozen=True):
    release: str
    how: str


# --- the environment stream


class SlotClaimed(Fact, frozen=True):
    release: str
    slot: str
    version: int


class SlotVacated(Fact, frozen=True):
    slot: str


class LiveDecided(Fact, frozen=True):
    """Which slot the stable address is to answer from; `generation` is its place in the order."""

    generation: int
    release: str
    number: int
    slot: str
    version: int
    image: str
    by: str
    why: Literal["promoted", "rolled back"]
    evidence: str = ""


class LiveSeen(Fact, frozen=True):
    generation: int
    release: str


class Held(Fact, frozen=True):
    by: str
    reason: str


class Lifted(Fact, frozen=True):
    by: str
    reason: str


class Unknown(Fact, frozen=True):
    """A kind this version does not know: kept as it is, folded into nothing."""

    named: str
    content: msgspec.Raw


def _kinds() -> dict[str, type[Fact]]:
    return {kind.__name__: kind for kind in Fact.__subclasses__() if kind is not Unknown}


KINDS: dict[str, type[Fact]] = _kinds()


def kind_of(fact: Fact) -> str:
    """Return the name under which a fact stands in the ledger."""
    return fact.named if isinstance(fact, Unknown) else type(fact).__name__
