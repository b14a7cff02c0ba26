"""The facts of a release: what was asked, how its steps go, their outcomes, how it ended."""

from collections.abc import Mapping
from typing import Any, Literal

from msgspec import field

from shared.release.facts.fact import BlobSeen, Cause, Claim, Ending, Fact, Verdict


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


class CarriedOver(Fact, frozen=True):
    """A version that others registered is adopted: the code and the check after this are those of another release.

    `release` read and checked this commit, with the data version `data`; nothing is known of what trained the model.
    """

    release: str
    number: int
    data: str


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


class Blocked(Fact, frozen=True):
    """A step cannot go on until an operator mends something outside; it goes on by itself then."""

    step: str
    round: int
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
    how: str = ""
    """What proved who `by` is; empty when they only said so."""


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
    labels: dict[str, Any] = field(default_factory=dict)
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
    """Which version in the model registry is ours; every other one is not used.

    `model` is the digest of its files; empty for one that others registered and whose digest nobody knows.
    """

    round: int
    name: str
    number: int
    model: str


class Packaged(Fact, frozen=True):
    """`image` is the manifest digest; `bytes` are the layers that were new.

    Where no image is deployed, `deploys` names what is, and `image` is the digest of the manifest that names it.
    """

    round: int
    image: str
    bytes: int = 0
    seconds: float = 0.0
    deploys: Mapping[str, str] = {}


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
    adopted: bool = False
    """Others registered it, and nobody knows on which rows it was trained."""


class Asked(Fact, frozen=True):
    """The evidence is sealed and people are told; no outcome yet. `at` and `expires` in seconds since 1970."""

    round: int
    evidence: str
    approvers: tuple[str, ...]
    quorum: int
    expires: int
    policy: str = ""
    """SHA-256 of the approval policy under which it is decided; empty for a question from before policies were kept."""
    makers: tuple[str, ...] = ()
    """Who made what is asked about, and may not approve it unless the policy lets them."""
    required: Mapping[str, tuple[str, ...]] = {}
    """The groups of each of which one must agree, with their members."""
    at: int = 0


class Decided(Fact, frozen=True):
    """One person decided, for themselves and `instead_of` the approvers who delegated to them on that day.

    `how` says what proved who they are: the link that was sent to them, a pass, or the platform's sign-in.
    """

    round: int
    approver: str
    decision: Literal["approve", "reject"]
    reason: str
    evidence: str
    instead_of: tuple[str, ...] = ()
    how: str = ""


class Reminded(Fact, frozen=True):
    """Who had not decided was told again: at `half` of the time, or for the `last` time, a day before its end."""

    round: int
    due: Literal["half", "last"]
    to: tuple[str, ...]


class GlassBroken(Fact, frozen=True):
    """One person let exactly this evidence into production without the others; a second must confirm it in time.

    `how` says what proved who they are, `confirm_by` is in seconds since 1970.
    """

    round: int
    by: str
    reason: str
    evidence: str
    confirm_by: int
    how: str = ""
    alone: bool = False
    """Nobody else might confirm it when it was broken."""


class GlassConfirmed(Fact, frozen=True):
    """A second person stands behind a broken glass."""

    round: int
    by: str
    reason: str
    how: str = ""


class GlassUnconfirmed(Fact, frozen=True):
    """Nobody confirmed a broken glass in time: production is held."""

    round: int
    by: str
    """Who broke it."""


class Approved(Fact, frozen=True):
    """Enough of those asked agreed on exactly this evidence, or one of them broke the glass."""

    round: int
    evidence: str
    by: tuple[str, ...]
    glass: bool = False


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
    proof: str = ""
    """What proved who `by` is; empty when they only said so."""
