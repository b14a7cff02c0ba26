"""ask: the evidence is sealed and named by its digest, the approvers are told, and nothing runs while they think."""

from shared import words
from shared.release import evidence, ids, tokens
from shared.release.facts import ApprovalAsked, Approved, Asked, Decided, Fact, ProductionChanged, ReleaseEnded
from shared.steps.turn import Ended, Found, Pending, Turn, Wanted
from shared.streams import project_stream


async def look(turn: Turn) -> Found:
    """Say what was decided, or that nobody has; ask when nobody was asked in this round."""
    if over := changed(turn) or outrun(turn) or _decided(turn) or _overtaken(turn) or _expired(turn):
        return Ended((over,))
    name = turn.job_name("ask", turn.round)
    asked = turn.state.asked.get(turn.round)
    if asked is not None and name in turn.state.submitted:
        return Pending(name, "a decision")
    sealed = evidence.seal(turn.state, turn.production, turn.project)
    question = asked or Asked(
        round=turn.round,
        evidence=ids.sha256(sealed),
        approvers=tuple(dict.fromkeys(turn.project.approvers)),
        quorum=turn.project.quorum,
        expires=int(turn.now.timestamp() + turn.project.policy.answer_days * 86400),
    )
    # Stored before anybody is asked: a digest that is in the ledger always leads to its evidence.
    if asked is None:
        await turn.outside.artifacts.put(sealed)

    async def ask() -> tuple[str, ...]:
        for approver in question.approvers:
            await _tell(turn, question, approver)
        opened = turn.release
        await turn.streams.add(project_stream(opened.project), [ApprovalAsked(opened.release, opened.number)])
        return tuple(
            other.release
            for other in turn.known.numbered.values()
            if other.number < opened.number and other.release not in turn.known.closed
        )

    return Wanted(name, "a decision", ask, () if asked else (question,))


def changed(turn: Turn) -> Fact | None:
    """Say that what is live is not what the candidate was compared with, so that both begin a new round."""
    champion = turn.state.champions[turn.round]
    live = turn.production.live
    if live is None or live.release in (champion.release, turn.release.release):
        return None
    if live.number > turn.release.number and live.why == "promoted":
        return None
    return ProductionChanged(turn.round + 1, live.release, live.generation)


def outrun(turn: Turn) -> Fact | None:
    """Say that a newer release is live: an older one never replaces it."""
    live = turn.production.live
    if live is None or live.why != "promoted" or live.number <= turn.release.number:
        return None
    return _superseded(turn, f"release #{live.number} is newer and live")


def _overtaken(turn: Turn) -> Fact | None:
    """Say that people are asked about a newer release; what was approved before that still goes live."""
    if turn.known.asking <= turn.release.number:
        return None
    return _superseded(turn, f"people are asked about the newer release #{turn.known.asking}")


def _superseded(turn: Turn, reason: str) -> Fact:
    return ReleaseEnded("superseded", turn.step, reason, "Nothing is to be done: look at the newer one")


def _decided(turn: Turn) -> Fact | None:
    asked = turn.state.asked.get(turn.round)
    if asked is None:
        return None
    given = turn.state.decided.get(turn.round, {}).values()
    for decision in given:
        if decision.decision == "reject":
            advice = "Mend what they named and push again"
            reason = f"{decision.approver}: {decision.reason}"
            return ReleaseEnded("rejected", "ask", reason, advice, decision.approver)
    agreed = tuple(decision.approver for decision in given if _counts(decision, asked))
    return Approved(turn.round, asked.evidence, agreed) if len(agreed) >= asked.quorum else None


def _counts(decision: Decided, asked: Asked) -> bool:
    return decision.decision == "approve" and decision.evidence == asked.evidence


def _expired(turn: Turn) -> Fact | None:
    asked = turn.state.asked.get(turn.round)
    if asked is None or turn.now.timestamp() < asked.expires:
        return None
    reason = f"nobody answered within {turn.project.policy.answer_days:g} days"
    return ReleaseEnded("expired", "ask", reason, "Ask for a new release of the same commit when somebody can decide")


async def _tell(turn: Turn, asked: Asked, approver: str) -> None:
    grant = tokens.Grant(turn.release.release, approver, asked.evidence, asked.expires)
    token = tokens.sign(turn.outside.approval_key, grant)
    link = f"{turn.outside.public_url}/api/approvals/{turn.release.release}?token={token}"
    subject, text = words.asking(turn.state, asked, approver, link)
    await turn.outside.notifier.notify(f"{turn.release.release}-ask-{turn.round}", approver, subject, text)
