"""What is to be told outside of a release: derived from what is known of it, less what was told already.

Statuses say how each step stands at a commit; news say once that something happened; mails ask one person.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from shared.release import facts, line
from shared.release.config import News
from shared.release.environment import EnvironmentState
from shared.release.facts import Fact
from shared.release.state import State

Stands = Literal["pending", "success", "failure"]

# A newer one that takes its place, or a model that is no better, is nothing that went wrong at this commit.
_GOOD = frozenset({"live", "kept", "unchanged", "superseded"})


class Stand(Struct, frozen=True):
    """How a step stands, or with no step the release as a whole."""

    step: str
    state: Stands


class Happened(Struct, frozen=True):
    """Something that is told once, by its `what` and `who`; `fact` is what the sentence is about."""

    news: News
    what: str
    fact: Fact
    who: str = ""


class Telling(Struct, frozen=True):
    """One thing to be told to one target; `who` is whom it is about or who is asked."""

    target: str
    what: str
    said: str
    text: str
    subject: str = ""
    state: Stands = "pending"
    who: str = ""


def stands(known: State) -> list[Stand]:
    """Return how each step stands that was reached, and last how the release does.

    Nothing before the configured repository was asked for the commit: until then it is what somebody says.
    Nothing of a version that others registered: its commit only scores it.
    """
    at_home = known.code or known.failed or (known.ended and known.ended.how == "unchanged")
    if known.opened is None or known.carried is not None or not at_home:
        return []
    reached = [Stand(step, state) for step in known.opened.line if (state := _state(known, step))]
    return [*reached, Stand("", _whole(known))]


def _state(known: State, step: str) -> Stands | None:
    turn = (step, line.round_of(known, step))
    ended = known.ended
    if turn in known.failed:
        return "failure"
    if ended is not None and ended.step == step:
        return "success" if ended.how in _GOOD else "failure"
    if line.outcome(known, step) is not None:
        return "success"
    if line.standing(known) != step:
        return None
    return "failure" if known.parked else "pending"


def _whole(known: State) -> Stands:
    if known.ended is not None:
        return "success" if known.ended.how in _GOOD else "failure"
    return "failure" if known.parked else "pending"


def happened(known: State) -> list[Happened]:
    """Return what happened to a release that people want to hear of."""
    found = [*_asked(known), *_decided(known), *_broken(known)]
    if known.parked is not None:
        found.append(Happened("failed", f"parked {known.parked.step} {known.parked.round}", known.parked))
    match known.ended:
        case facts.ReleaseEnded(how="live"):
            found.append(Happened("live", "live", known.ended))
        case facts.ReleaseEnded(how="failed"):
            found.append(Happened("failed", "failed", known.ended))
        case facts.ReleaseEnded(how="expired"):
            found.append(Happened("decided", "expired", known.ended))
    return found


def question(known: State) -> facts.Asked | None:
    """Return what people are asked now, None when nobody is."""
    return known.asked.get(known.round) if line.standing(known) == "ask" else None


def missing(known: State) -> tuple[str, ...]:
    """Return who was asked, and neither decided nor had somebody decide for them."""
    asked = question(known)
    given = known.decided.get(known.round, {}).values()
    heard = {who for decision in given for who in (decision.approver, *decision.instead_of)}
    return tuple(who for who in asked.approvers if who not in heard) if asked else ()


def _asked(known: State) -> list[Happened]:
    """Return the question that is open and the reminders of it; what was asked before is nobody's question now."""
    asked = question(known)
    if asked is None or not missing(known):
        return []
    reminders = [
        Happened("reminded", f"reminded {turn} {due}", reminded)
        for (turn, due), reminded in known.reminded.items()
        if turn == known.round
    ]
    return [Happened("asked", f"asked {asked.round}", asked), *reminders]


def _decided(known: State) -> list[Happened]:
    return [
        Happened("decided", f"decided {turn}", decision, who)
        for turn, given in known.decided.items()
        for who, decision in given.items()
    ]


def _broken(known: State) -> list[Happened]:
    late = [facts.GlassUnconfirmed(turn, glass.by) for turn, glass in known.glass.items() if turn in known.unconfirmed]
    return [
        *(Happened("decided", f"glass broken {turn}", broken) for turn, broken in known.glass.items()),
        *(Happened("decided", f"glass confirmed {turn}", second) for turn, second in known.confirmed.items()),
        *(Happened("failed", f"glass unconfirmed {one.round}", one) for one in late),
    ]


def rolled_back(production: EnvironmentState) -> list[Happened]:
    """Return what happened to production that no release tells of."""
    live = production.live
    if live is None or live.why != "rolled back":
        return []
    return [Happened("rolled back", f"rolled back {live.generation}", live)]


def due(wanted: Iterable[Telling], told: Iterable[Fact]) -> list[Telling]:
    """Return what is wanted and was not told, or not as it is now; what was given up is not wanted again."""
    last: dict[tuple[str, str, str], str] = {}
    for fact in told:
        if isinstance(fact, facts.Told | facts.NotTold):
            last[fact.target, fact.what, fact.who] = fact.said
    return [one for one in wanted if last.get((one.target, one.what, one.who)) != one.said]


def lost(told: Iterable[Fact]) -> dict[str, str]:
    """Return the targets that nothing reaches now, each with the reason."""
    found: dict[str, str] = {}
    for fact in told:
        match fact:
            case facts.TargetLost(target=target, reason=reason):
                found[target] = reason
            case facts.TargetBack(target=target):
                found.pop(target, None)
    return found
