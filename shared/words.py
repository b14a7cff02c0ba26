"""Every sentence a person reads about a release, in one place.

A sentence says what happened, to what, and what to do next.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from shared.release import adopted, facts, gates
from shared.release.facts import Fact
from shared.release.ids import alias
from shared.release.line import known
from shared.release.people import among
from shared.release.policy import Verdict
from shared.release.state import State

PARKED = "Look at its log and mend the cause; then let it try again (signalbox resume), or cancel it"


def word(outcome: Fact) -> str:
    """Return the word or two that stand for an outcome in a row of progress."""
    match outcome:
        case facts.Checked():
            return "passed"
        case facts.Trained():
            return "trained"
        case facts.Evaluated(verdict=verdict):
            return verdict
        case facts.Certified(claims=claims):
            return "certified" if all(claim.verdict != "refused" for claim in claims) else "refused"
        case facts.VersionAdopted(number=number):
            return f"version {number}"
        case facts.Packaged():
            return "packaged"
        case facts.Staged():
            return "answering"
        case facts.Tried():
            return "passed"
        case facts.Approved():
            return "approved"
        case _:
            return "live"


def became(row: facts.CameIn) -> str:
    """Return what became of something that came in, to be read before a release or a reason."""
    if row.source == "dead-letter" and row.became == "recorded":
        return "dead-lettered"
    match row.became:
        case "release":
            return "started"
        case "duplicate":
            return "duplicate of" if row.release else "duplicate"
        case "recorded":
            return "merged into" if row.release else "suppressed"
        case "waiting":
            return "waits"
        case "refused":
            return "refused"


def sentence(outcome: Fact) -> str:
    """Return the one thing a person would ask next about an outcome."""
    match outcome:
        case facts.Checked():
            notes = "".join(f"; {note}" for note in outcome.notes)
            return f"{outcome.tests} tests, {outcome.rows} rows, {len(outcome.columns)} columns{notes}"
        case facts.Trained():
            return f"on {outcome.rows} rows, {outcome.holdout_rows} kept away from it; model of {size(outcome.bytes)}"
        case facts.Evaluated():
            return gates.compared(outcome)
        case facts.Certified():
            important = f"; most important: {', '.join(outcome.important[:3])}" if outcome.important else ""
            return _claims(outcome.claims) + important
        case facts.VersionAdopted():
            digest = f"{outcome.model[:19]}…" if outcome.model else "its digest is unknown"
            return f"{outcome.name} v{outcome.number}, {digest}"
        case facts.Packaged():
            if outcome.deploys:
                return deployed(outcome.deploys)
            return f"{outcome.image[:19]}…, {size(outcome.bytes)} of new layers"
        case facts.Staged():
            return outcome.url
        case facts.Tried():
            return (
                f"{outcome.golden} golden answers equal, {outcome.bad_inputs} bad inputs refused, "
                f"p95 {outcome.p95_ms:.3g} ms"
            )
        case facts.Approved():
            glass = "the glass was broken " if outcome.glass else ""
            return f"{glass}by {', '.join(outcome.by)} on {outcome.evidence[:19]}…"
        case facts.Promoted():
            return f"{outcome.address} (generation {outcome.generation})"
        case _:
            return ""


def deployed(names: Mapping[str, str]) -> str:
    """Say what will be deployed where that is no image of ours."""
    short = {what: f"{name[:19]}…" if name.startswith("sha256:") else name for what, name in names.items()}
    return ", ".join(f"{what} {name}" for what, name in short.items())


def _claims(claims: tuple[facts.Claim, ...]) -> str:
    warned = [claim.sentence for claim in claims if claim.verdict != "certified"]
    return f"{len(claims)} claims" + "".join(f"; {sentence}" for sentence in warned)


def size(count: int) -> str:
    """Return a number of bytes as people say it."""
    amount = float(count)
    for unit in ("B", "KB", "MB"):
        if amount < 1000:
            return f"{amount:.3g} {unit}"
        amount /= 1000
    return f"{amount:.3g} GB"


def said(by: str, how: str) -> str:
    """Return who did something, and that they only claim to be that person where nothing proved it."""
    return by if how or not by else f"{by} (claimed)"


def told(fact: Fact) -> str:
    """Return what a fact says, for the timeline."""
    match fact:
        case facts.ReleaseOpened():
            return f"opened as #{fact.number} by {fact.cause} ({fact.by or 'nobody named'}): {fact.reason}"
        case facts.StepOrdered():
            return f"{fact.step} ordered (round {fact.round})"
        case facts.StepStarted():
            return f"{fact.step} begins to make {fact.name}"
        case facts.Submitted():
            return f"{fact.step} waits for {fact.waits_for} about {fact.name}"
        case facts.Heard():
            return f"{fact.event} heard about {fact.subject} {fact.status}".rstrip()
        case facts.StepFailed():
            return f"{fact.step} failed: {fact.reason}"
        case facts.Blocked():
            return f"{fact.step} is blocked: {fact.reason}"
        case facts.Parked():
            return f"{fact.step} is parked: {fact.reason}"
        case facts.PutOff():
            return f"{fact.step} could not make {fact.name} now, which costs no attempt: {fact.reason}"
        case facts.Resumed():
            return f"{said(fact.by, fact.how)} lets {fact.step} try again: {fact.reason}"
        case facts.CarriedOver():
            return (
                f"a version that others registered: code and check are those of #{fact.number} ({alias(fact.release)})"
            )
        case facts.CodeRead():
            return f"code read: {fact.message.splitlines()[0] if fact.message else ''} ({fact.author} <{fact.email}>)"
        case facts.ChampionChosen():
            return f"compared with {alias(fact.release)}" if fact.release else "nothing is live to compare with"
        case facts.Asked():
            until = day(fact.expires)
            return f"{', '.join(fact.approvers)} asked about {fact.evidence[:19]}…, {fact.quorum} must agree by {until}"
        case facts.Decided():
            return f"{fact.approver} decided: {fact.decision} ({fact.reason})"
        case facts.Reminded():
            return f"{', '.join(fact.to)} reminded"
        case facts.GlassBroken():
            alone = "; NOBODY ELSE MAY CONFIRM IT" if fact.alone else ""
            return f"{fact.by} BROKE THE GLASS on {fact.evidence[:19]}…: {fact.reason}{alone}"
        case facts.GlassConfirmed():
            return f"{fact.by} confirmed the broken glass: {fact.reason}"
        case facts.GlassUnconfirmed():
            return f"NOBODY CONFIRMED the glass that {fact.by} broke: production is held"
        case facts.ProductionChanged():
            return f"production changed to {alias(fact.live)}: round {fact.round} begins"
        case facts.ReleaseEnded():
            by = f" by {said(fact.by, fact.proof)}" if fact.how == "cancelled" and fact.by else ""
            return f"ended as {fact.how} at {fact.step}{by}: {fact.reason}"
        case facts.Unknown():
            return "a fact of a newer version"
        case _:
            return f"{word(fact)}: {sentence(fact)}"


def waiting(state: State) -> str:
    """Return who must still decide, and by when."""
    asked = state.asked[state.round]
    given = state.decided.get(state.round, {})
    missing = [who for who in asked.approvers if who not in given]
    agreed = sum(decision.decision == "approve" for decision in given.values())
    count = "" if asked.quorum == 1 else f" ({agreed} of {asked.quorum} agreed)"
    who = " or ".join(missing) if asked.quorum == 1 else ", ".join(missing)
    return f"{who} must decide by {day(asked.expires)}{count}"


def fell_short(verdict: Verdict) -> str:
    """Say how many agreed, what is lacking, and whether anybody else may agree at all."""
    lacking = [f"{len(verdict.agreed)} of {len(verdict.agreed) + verdict.lacking} agreed"]
    lacking += [f"nobody of @{name} did" for name in verdict.groups]
    return ", ".join(lacking) + ("" if verdict.enough else "; nobody else may")


def _too_few(asked: facts.Asked) -> str:
    """Say that those who may agree are not enough, where makers are among those who are asked."""
    able = [who for who in asked.approvers if not among(who, asked.makers)]
    groups = [f"@{name}" for name, of in asked.required.items() if not any(among(who, of) for who in able)]
    if len(able) >= asked.quorum and not groups:
        return ""
    may = f"{', '.join(able) or 'nobody'} may agree, for the others made this change"
    need = f"{asked.quorum} must" + "".join(f", and somebody of {name}" for name in groups)
    return f"\nTHIS CANNOT BE APPROVED: {may}, and {need}. Name more people in projects.toml.\n"


def day(seconds: int) -> str:
    """Return a moment as a day in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y")


def moment(seconds: int) -> str:
    """Return a moment to the minute in UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %Y %H:%M")


def asking(state: State, asked: facts.Asked, approver: str, link: str) -> tuple[str, str]:
    """Return subject and text of the message that asks one person."""
    opened, name = state.release, alias(state.release.release)
    version = known(state, "register", facts.VersionAdopted).number
    evaluated = known(state, "evaluate", facts.Evaluated)
    subject = f"Approve {opened.project} v{version} ({name})?"
    commit, seen = ("Scored with commit", f"\n{adopted.MAY_HAVE_SEEN}.") if state.carried else ("Commit", "")
    text = f"""{opened.project} v{version} ({name}, release #{opened.number}) waits for your decision.

Compared with production: {gates.compared(evaluated)}{seen}
{commit}: {opened.commit[:7]} {state.code.message.splitlines()[0] if state.code and state.code.message else ""}
Evidence: {asked.evidence}

Read the evidence and decide (this link is yours alone, {approver}; opening it decides nothing):
{link}

Answer until {day(asked.expires)};
{asked.quorum} of {len(asked.approvers)} must agree; nobody answering means that production stays as it is.
{_too_few(asked)}"""
    return subject, text


def glass_broken(state: State, broken: facts.GlassBroken, link: str) -> tuple[str, str]:
    """Return subject and text of the message that asks one person to confirm a broken glass."""
    name = f"{state.release.project} ({alias(state.release.release)}, release #{state.release.number})"
    text = f"""{broken.by} broke the glass: {name} goes into production without those who must agree.

Why: {broken.reason}
Evidence: {broken.evidence}

Read the evidence:
{link}

Stand behind it until {moment(broken.confirm_by)} UTC: signalbox confirm {state.release.release} --reason "..."
If nobody but {broken.by} does, production is held.
"""
    return f"GLASS BROKEN: confirm {name}", text


def glass_unconfirmed(state: State, broken: facts.GlassBroken) -> tuple[str, str]:
    """Return subject and text of the message that nobody confirmed a broken glass."""
    name = f"{state.release.project} ({alias(state.release.release)}, release #{state.release.number})"
    text = f"""{broken.by} broke the glass of {name}, and nobody else confirmed that in time.

Why it was broken: {broken.reason}

Production is held: nothing goes live until somebody lifts it. Look at what is live, then either
roll back:  signalbox rollback {state.release.project} --reason "..."
or stand behind it, which neither {broken.by} nor a maker may:
            signalbox lift {state.release.project} --reason "..."
"""
    return f"PRODUCTION HELD: nobody confirmed {name}", text


def reminding(asking_: tuple[str, str]) -> tuple[str, str]:
    """Return subject and text of a message that asks once more."""
    return f"Reminder: {asking_[0]}", asking_[1]
