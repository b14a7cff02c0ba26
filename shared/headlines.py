"""What is told outside of a release, in one sentence each: at its commit, in a channel, to one person.

All of it may hold what others wrote, so that it is one line of printable characters, and no longer than fits.
"""

from shared import words
from shared.release import facts, gates, line
from shared.release.environment import EnvironmentState
from shared.release.ids import alias
from shared.release.state import State
from shared.release.telling import Happened, Stand, missing, question

LONGEST = 140
"""Characters of a status that every git host takes and shows."""


def status(known: State, stand: Stand) -> str:
    """Return the sentence of a step, or of the release as a whole."""
    release = known.release
    sentence = (
        _step(known, stand.step) if stand.step else f"#{release.number} {alias(release.release)}: {_whole(known)}"
    )
    return one_line(sentence, LONGEST)


def _step(known: State, step: str) -> str:
    turn = (step, line.round_of(known, step))
    outcome = line.outcome(known, step)
    if turn in known.failed:
        return known.failed[turn].reason
    if known.ended is not None and known.ended.step == step and known.ended.how != "live":
        return f"{known.ended.how}: {known.ended.reason}"
    if outcome is not None:
        return ": ".join(filter(None, [words.word(outcome), words.sentence(outcome)]))
    if known.parked is not None:
        return f"parked: {known.parked.reason}"
    if question(known):
        return words.waiting(known)
    return line.STEPS[step].does if step in line.STEPS else "under way"


def _whole(known: State) -> str:
    return f"#{known.release.number} {alias(known.release.release)}: {_how(known)}"


def _how(known: State) -> str:
    if known.ended is not None:
        return f"{known.ended.how}: {known.ended.reason}"
    if known.parked is not None:
        return f"parked at {known.parked.step}: {known.parked.reason}"
    return f"waits for a decision of {', '.join(missing(known))}" if missing(known) else "on its way"


def headline(known: State, one: Happened) -> tuple[str, str]:
    """Return subject and text of what happened to a release."""
    subject, text = _headline(known, one)
    return one_line(subject, LONGEST), one_line(text, 1000)


def _headline(known: State, one: Happened) -> tuple[str, str]:
    name = _name(known)
    match one.fact:
        case facts.Asked() | facts.Reminded():
            evaluated = line.outcome(known, "evaluate")
            compared = gates.compared(evaluated) if isinstance(evaluated, facts.Evaluated) else ""
            how = f" Compared with production: {compared}." if compared else ""
            still = "still waits" if one.news == "reminded" else "waits"
            return f"{name} {still} for a decision", f"{words.waiting(known)}.{how}"
        case facts.Decided(approver=approver, decision=decision, reason=reason):
            did = "approved" if decision == "approve" else "rejected"
            return f"{approver} {did} {name}", f"The reason: {reason}"
        case facts.GlassBroken(by=by, reason=reason, confirm_by=until):
            advice = f"It goes live without those who must agree. A second must confirm that by {words.moment(until)}."
            return f"{by} BROKE THE GLASS of {name}", f"{reason}. {advice}"
        case facts.GlassConfirmed(by=by, reason=reason):
            return f"{by} confirmed the broken glass of {name}", f"The reason: {reason}"
        case facts.GlassUnconfirmed(by=by):
            return f"Nobody confirmed the glass that {by} broke of {name}", "Production is held: roll back, or lift it."
        case facts.Parked(step=step, reason=reason):
            return f"{name} is parked at {step}", f"{reason}. {words.PARKED}."
        case facts.ReleaseEnded(how="live"):
            return f"{name} is live", "Production answers from it."
        case facts.ReleaseEnded(how=how, step=step, reason=reason, advice=advice):
            return f"{name} {how} at {step}", f"{reason}. {advice}"
        case _:
            return name, words.told(one.fact)


def rolled_back(project: str, production: EnvironmentState) -> tuple[str, str]:
    """Return subject and text of a roll back that is the newest decision about production."""
    live, held = production.live, production.holds.get("")
    assert live is not None
    reason = f"The reason: {held.reason}. Nothing goes live until the hold is lifted." if held else ""
    subject = f"{words.said(live.by, live.how)} rolled {project} back to v{live.version} ({alias(live.release)})"
    return one_line(subject, LONGEST), one_line(reason, 1000)


def _name(known: State) -> str:
    version = line.outcome(known, "register")
    numbered = f" v{version.number}" if isinstance(version, facts.VersionAdopted) else ""
    return f"{known.release.project}{numbered} ({alias(known.release.release)}, release #{known.release.number})"


def one_line(text: str, longest: int) -> str:
    """Return a text as one line of printable characters; one that is too long ends in dots."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"
