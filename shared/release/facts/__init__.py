"""Facts: what happened. Recorded once, past tense, never changed; one file for each kind of stream.

Rules for the editor of these files:
a kind is never renamed or removed, a field is only added and only with a default,
and `tests/histories` keeps a recorded stream of every version that must go on folding.
"""

from shared.release.facts.fact import (
    Became,
    BlobSeen,
    Cause,
    Claim,
    Ending,
    Fact,
    GovernedWhy,
    Unknown,
    Verdict,
    VersionSeen,
)
from shared.release.facts.of_audit import Accessed, CheckpointMade, Redacted, Restored
from shared.release.facts.of_environment import (
    Held,
    Lifted,
    LiveDecided,
    LiveSeen,
    SlotClaimed,
    SlotVacated,
    SwitchGivenUp,
)
from shared.release.facts.of_project import (
    ApprovalAsked,
    CameIn,
    CommitPassed,
    DataArrived,
    Governed,
    NewerBegun,
    PolicyBacked,
    PolicySet,
    ReleaseClosed,
    ReleaseNumbered,
    ReleaseParked,
    ReleaseResumed,
    ScheduleSet,
    TrainingWanted,
)
from shared.release.facts.of_release import (
    Approved,
    Asked,
    Blocked,
    CarriedOver,
    Certified,
    ChampionChosen,
    Checked,
    CodeRead,
    Decided,
    Evaluated,
    Heard,
    Packaged,
    Parked,
    ProductionChanged,
    Promoted,
    PutOff,
    ReleaseEnded,
    ReleaseOpened,
    Resumed,
    Staged,
    StepFailed,
    StepOrdered,
    StepStarted,
    Submitted,
    Trained,
    Tried,
    VersionAdopted,
)

__all__ = [
    "KINDS",
    "Accessed",
    "ApprovalAsked",
    "Approved",
    "Asked",
    "Became",
    "BlobSeen",
    "Blocked",
    "CameIn",
    "CarriedOver",
    "Cause",
    "Certified",
    "ChampionChosen",
    "Checked",
    "CheckpointMade",
    "Claim",
    "CodeRead",
    "CommitPassed",
    "DataArrived",
    "Decided",
    "Ending",
    "Evaluated",
    "Fact",
    "Governed",
    "GovernedWhy",
    "Heard",
    "Held",
    "Lifted",
    "LiveDecided",
    "LiveSeen",
    "NewerBegun",
    "Packaged",
    "Parked",
    "PolicyBacked",
    "PolicySet",
    "ProductionChanged",
    "Promoted",
    "PutOff",
    "Redacted",
    "ReleaseClosed",
    "ReleaseEnded",
    "ReleaseNumbered",
    "ReleaseOpened",
    "ReleaseParked",
    "ReleaseResumed",
    "Restored",
    "Resumed",
    "ScheduleSet",
    "SlotClaimed",
    "SlotVacated",
    "Staged",
    "StepFailed",
    "StepOrdered",
    "StepStarted",
    "Submitted",
    "SwitchGivenUp",
    "Trained",
    "TrainingWanted",
    "Tried",
    "Unknown",
    "Verdict",
    "VersionAdopted",
    "VersionSeen",
    "kind_of",
]


def _kinds() -> dict[str, type[Fact]]:
    return {kind.__name__: kind for kind in Fact.__subclasses__() if kind is not Unknown}


KINDS: dict[str, type[Fact]] = _kinds()


def kind_of(fact: Fact) -> str:
    """Return the name under which a fact stands in the ledger."""
    return fact.named if isinstance(fact, Unknown) else type(fact).__name__
