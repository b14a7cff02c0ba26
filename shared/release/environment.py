"""What is known of one environment of a project: the fold of its stream."""

from collections.abc import Iterable

from msgspec import Struct, field

from shared.release import facts
from shared.release.facts import Fact


class EnvironmentState(Struct):
    """Knowledge of one environment; `history` holds every decision of what is to be live, oldest first."""

    history: list[facts.LiveDecided] = field(default_factory=list)
    seen: int = 0
    slots: dict[str, facts.SlotClaimed] = field(default_factory=dict)
    vacated: set[str] = field(default_factory=set)
    """Slots that were stopped, and that nothing went live from since."""
    holds: dict[str, facts.Held] = field(default_factory=dict)
    """The holds by the release whose broken glass nobody confirmed; a person's own is under the empty name."""

    @property
    def held(self) -> facts.Held | None:
        """What must be lifted first: a hold for a broken glass stands above a person's own."""
        glass = next((held for release, held in self.holds.items() if release), None)
        return glass or self.holds.get("")

    @property
    def live(self) -> facts.LiveDecided | None:
        """The newest decision: what the stable address is to answer from."""
        return self.history[-1] if self.history else None

    @property
    def generation(self) -> int:
        """The place of the newest decision in the order; 0 while nothing was ever live."""
        return self.history[-1].generation if self.history else 0

    @property
    def before(self) -> facts.LiveDecided | None:
        """The newest decision for an older release than the live one: what a plain roll back goes to."""
        live = self.live
        return next((old for old in reversed(self.history) if live and old.number < live.number), None)

    def ever_live(self, name: str) -> facts.LiveDecided | None:
        """Return the newest decision for a release id or a model version such as `v3`."""
        return next((old for old in reversed(self.history) if name in (old.release, f"v{old.version}")), None)


def learn(state: EnvironmentState, fact: Fact) -> None:
    """Add one fact to what is known of the environment."""
    match fact:
        case facts.LiveDecided(generation=generation):
            if generation > state.generation:
                state.history.append(fact)
                state.vacated.discard(fact.slot)
        case facts.LiveSeen(generation=generation):
            state.seen = max(state.seen, generation)
        case facts.SlotClaimed(slot=slot):
            state.slots[slot] = fact
            state.vacated.discard(slot)
        case facts.SlotVacated(slot=slot):
            state.slots.pop(slot, None)
            state.vacated.add(slot)
        case facts.Held(release=release):
            state.holds[release] = fact
        case facts.Lifted(release=release):
            state.holds.pop(release, None)
        case _:
            pass


def fold(known: Iterable[Fact]) -> EnvironmentState:
    """Return what is known of the environment after these facts."""
    state = EnvironmentState()
    for fact in known:
        learn(state, fact)
    return state
