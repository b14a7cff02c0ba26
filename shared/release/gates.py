"""Gates: pure questions that let a release on or stop it, with the reason a person reads."""

from msgspec import Struct

from shared.release import facts
from shared.release.facts import Ending, Fact


class Stop(Struct, frozen=True):
    """Why a release goes no further, and what to do next."""

    how: Ending
    reason: str
    advice: str


def gate(opened: facts.ReleaseOpened, outcome: Fact) -> Stop | None:
    """Return why this outcome stops the release, None when it may go on."""
    match outcome:
        case facts.Evaluated():
            return _evaluated(opened, outcome)
        case facts.Certified(claims=claims) | facts.Tried(claims=claims):
            return _claimed(claims)
        case _:
            return None


def _evaluated(opened: facts.ReleaseOpened, outcome: facts.Evaluated) -> Stop | None:
    passes = {"first", "better"} | ({"inconclusive"} if opened.promote_when == "not worse" else set())
    if outcome.verdict in passes:
        return None
    word, advice = "not better", "Not an error: nothing is to be done"
    if outcome.verdict == "not better" and (outcome.gain or 0) > 0:
        word = "less than the operator wants for a release (policy.min_gain)"
    if outcome.verdict == "inconclusive":
        word = "not surely better"
        advice = 'Not an error: more data may tell, or the operator may set promote_when = "not worse"'
    return Stop("kept", f"{compared(outcome)}: {word}, production stays as it is", advice)


def compared(outcome: facts.Evaluated) -> str:
    """Say how the candidate did against the live model, with the 95 % interval of the gain."""
    if outcome.champion is None or outcome.gain is None:
        beside = f" ({outcome.note})" if outcome.note else ""
        return f"{outcome.metric} {outcome.candidate:.4g} on {outcome.rows} rows, nothing to compare with{beside}"
    how = f"{'better' if outcome.gain > 0 else 'worse'} by {abs(outcome.gain):.3g}" if outcome.gain else "no difference"
    # Adding zero takes the sign from a minus zero.
    low, high = outcome.low, outcome.high
    interval = "" if low is None or high is None else f", gain [{low + 0.0:.3g}, {high + 0.0:.3g}]"
    return f"{outcome.metric} {outcome.candidate:.4g} against {outcome.champion:.4g}: {how}{interval}"


def _claimed(claims: tuple[facts.Claim, ...]) -> Stop | None:
    refused = [claim.sentence for claim in claims if claim.verdict == "refused"]
    if not refused:
        return None
    advice = "Mend the model, or ask the operator about the bound where it has one, then push again"
    return Stop("failed", "; ".join(refused), advice)
