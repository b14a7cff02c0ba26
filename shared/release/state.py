"""What is known of one release: the fold of its facts.

Every field is keyed and the first word stands, so that repeats and early arrivals change nothing;
only a person's `Resumed`, and what blocks a step now, depend on where they stand, and the ledger says where.
Nothing here is stored; it is read from the facts each time.
"""

from collections.abc import Iterable

from msgspec import Struct, field

from shared.release import facts
from shared.release.facts import Fact

Outcome = (
    facts.Checked
    | facts.Trained
    | facts.Evaluated
    | facts.Certified
    | facts.VersionAdopted
    | facts.Packaged
    | facts.Staged
    | facts.Tried
    | facts.Approved
    | facts.Promoted
)

OUTCOMES: dict[type[Fact], str] = {
    facts.Checked: "check",
    facts.Trained: "train",
    facts.Evaluated: "evaluate",
    facts.Certified: "certify",
    facts.VersionAdopted: "register",
    facts.Packaged: "package",
    facts.Staged: "stage",
    facts.Tried: "try",
    facts.Approved: "ask",
    facts.Promoted: "promote",
}


class State(Struct):
    """Knowledge of one release; a key (step, round) names one turn of a step."""

    opened: facts.ReleaseOpened | None = None
    round: int = 1
    ordered: set[tuple[str, int]] = field(default_factory=set)
    attempts: dict[str, set[str]] = field(default_factory=dict)
    put_off: dict[str, set[str]] = field(default_factory=dict)
    submitted: dict[str, facts.Submitted] = field(default_factory=dict)
    heard: set[tuple[str, str]] = field(default_factory=set)
    outcomes: dict[tuple[str, int], Outcome] = field(default_factory=dict)
    failed: dict[tuple[str, int], facts.StepFailed] = field(default_factory=dict)
    blocked: dict[tuple[str, int], facts.Blocked] = field(default_factory=dict)
    """What blocked a step last."""
    code: facts.CodeRead | None = None
    carried: facts.CarriedOver | None = None
    """Where code and check come from, when the model is one that others registered."""
    champions: dict[int, facts.ChampionChosen] = field(default_factory=dict)
    asked: dict[int, facts.Asked] = field(default_factory=dict)
    decided: dict[int, dict[str, facts.Decided]] = field(default_factory=dict)
    reminded: dict[tuple[int, str], facts.Reminded] = field(default_factory=dict)
    """By round and `due`."""
    glass: dict[int, facts.GlassBroken] = field(default_factory=dict)
    confirmed: dict[int, facts.GlassConfirmed] = field(default_factory=dict)
    unconfirmed: set[int] = field(default_factory=set)
    """The rounds whose broken glass nobody confirmed in time."""
    parked: facts.Parked | None = None
    ended: facts.ReleaseEnded | None = None

    def tried(self, name: str) -> set[str]:
        """Return the attempts at making `name` that count."""
        return self.attempts.get(name, set()) - self.put_off.get(name, set())

    @property
    def release(self) -> facts.ReleaseOpened:
        """The opening fact; every recorded release has one, because it is the first append."""
        assert self.opened is not None
        return self.opened


def learn(state: State, fact: Fact) -> None:
    """Add one fact to what is known; a fact that is known already, or of an unknown kind, changes nothing."""
    # What every step leaves comes first: a release is folded at each step, and cases are tried in this order.
    match fact:
        case _ if type(fact) in OUTCOMES:
            key = (OUTCOMES[type(fact)], fact.round)  # type: ignore[attr-defined]
            state.outcomes.setdefault(key, fact)  # type: ignore[arg-type]
        case facts.StepOrdered(step=step, round=round):
            state.ordered.add((step, round))
        case facts.StepStarted(name=name, attempt=attempt):
            state.attempts.setdefault(name, set()).add(attempt)
        case facts.Submitted(name=name):
            state.submitted.setdefault(name, fact)
        case facts.Heard(event=event, subject=subject):
            state.heard.add((event, subject))
        case facts.ReleaseOpened():
            state.opened = state.opened or fact
        case facts.PutOff(name=name, attempt=attempt):
            state.put_off.setdefault(name, set()).add(attempt)
        case facts.StepFailed(step=step, round=round):
            state.failed.setdefault((step, round), fact)
        case facts.Blocked(step=step, round=round):
            state.blocked[step, round] = fact
        case facts.CarriedOver():
            state.carried = state.carried or fact
        case facts.CodeRead():
            state.code = state.code or fact
        case facts.ChampionChosen(round=round):
            state.champions.setdefault(round, fact)
        case facts.Asked(round=round):
            state.asked.setdefault(round, fact)
        case facts.Decided(round=round, approver=approver):
            state.decided.setdefault(round, {}).setdefault(approver, fact)
        case facts.Reminded(round=round, due=due):
            state.reminded.setdefault((round, due), fact)
        case facts.GlassBroken(round=round):
            state.glass.setdefault(round, fact)
        case facts.GlassConfirmed(round=round):
            state.confirmed.setdefault(round, fact)
        case facts.GlassUnconfirmed(round=round):
            state.unconfirmed.add(round)
        case facts.Parked():
            state.parked = state.parked or fact
        case facts.Resumed():
            state.parked = None
            state.attempts.clear()
        case facts.ProductionChanged(round=round):
            state.round = max(state.round, round)
        case facts.ReleaseEnded():
            state.ended = state.ended or fact
        case _:
            pass


def fold(known: Iterable[Fact]) -> State:
    """Return what is known after these facts."""
    state = State()
    for fact in known:
        learn(state, fact)
    return state
