"""ask: the evidence is sealed and named by its digest, the approvers are told, and nothing runs while they think."""

from shared import words
from shared.ports import Outside
from shared.release import evidence, policy, tokens
from shared.release.facts import ApprovalAsked, Approved, Asked, Fact, PolicySet, ProductionChanged, ReleaseEnded
from shared.release.state import State
from shared.steps import outside_ci, policies
from shared.steps.bench import bench
from shared.steps.turn import Ended, Found, Pending, Turn, Wanted
from shared.streams import project_stream


async def look(turn: Turn) -> Found:
    """Say what was decided, or that nobody has; ask when nobody was asked in this round."""
    if (
        over := outside_ci.failed(turn)
        or changed(turn)
        or outrun(turn)
        or await _decided(turn)
        or _overtaken(turn)
        or await _expired(turn)
    ):
        return Ended((over,))
    name = turn.job_name("ask", turn.round)
    asked = turn.state.asked.get(turn.round)
    if asked is None and (waits := outside_ci.awaited(turn)):
        return waits
    if asked is not None and name in turn.state.submitted:
        return Pending(name, "a decision")
    question = asked or await _question(turn)

    async def ask() -> tuple[str, ...]:
        for approver in question.approvers:
            await _tell(turn, question, approver)
        opened = turn.release
        rows = [*_first(turn, question), ApprovalAsked(opened.release, opened.number)]
        await turn.streams.add(project_stream(opened.project), rows)
        return tuple(
            other.release
            for other in turn.known.numbered.values()
            if other.number < opened.number and other.release not in turn.known.closed
        )

    return Wanted(name, "a decision", ask, () if asked else (question,))


async def _question(turn: Turn) -> Asked:
    """Seal the evidence under the policy in force.

    What the ledger names by a digest is stored before it does, so that it always leads there.
    """
    artifacts = turn.outside.artifacts
    rules = await policies.in_force(artifacts, turn.known, turn.project)
    if turn.known.policy is None:
        await artifacts.put(rules.canonical)
    return Asked(
        round=turn.round,
        evidence=await artifacts.put(evidence.seal(turn.state, turn.production, turn.project, rules)),
        approvers=rules.approvers,
        quorum=rules.quorum,
        expires=int(turn.now.timestamp() + rules.answer_days * 86400),
        policy=rules.digest,
        makers=() if rules.self_approval else await policies.makers_since(turn),
        required=rules.required,
        at=int(turn.now.timestamp()),
    )


def _first(turn: Turn, question: Asked) -> list[Fact]:
    """Return that this policy is in force, when it is the first; who wrote it into the file is not known here."""
    if turn.known.policy is not None or not question.policy:
        return []
    return [PolicySet(question.policy, "", (), policies.FIRST_SEEN)]


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


async def _decided(turn: Turn) -> Fact | None:
    asked = turn.state.asked.get(turn.round)
    if asked is not None and (glass := turn.state.glass.get(turn.round)):
        return Approved(turn.round, glass.evidence, (glass.by,), glass=True)
    if asked is None or not turn.state.decided.get(turn.round):
        return None
    verdict = await _verdict(turn, asked)
    if verdict.rejected is not None:
        said = verdict.rejected
        reason = f"{said.approver}: {said.reason}"
        return ReleaseEnded("rejected", "ask", reason, "Mend what they named and push again", said.approver, said.how)
    return Approved(turn.round, asked.evidence, verdict.agreed) if verdict.approved else None


async def _verdict(turn: Turn, asked: Asked) -> policy.Verdict:
    judged_by = await bench(turn.outside.artifacts, turn.state, turn.known, asked, turn.project)
    return judged_by.verdict(turn.state, asked)


async def _expired(turn: Turn) -> Fact | None:
    asked = turn.state.asked.get(turn.round)
    if asked is None or turn.now.timestamp() < asked.expires:
        return None
    days = (asked.expires - asked.at) / 86400 if asked.at else turn.project.policy.answer_days
    advice = "Ask for a new release of the same commit when somebody can decide"
    reason = f"nobody answered within {days:g} days"
    verdict = await _verdict(turn, asked)
    if verdict.agreed or not verdict.enough:
        reason = words.fell_short(verdict)
    if not verdict.enough:
        advice = "Name more people in projects.toml, or let somebody else make the change; then open a new release"
    return ReleaseEnded("expired", "ask", reason, advice)


def approval_link(outside: Outside, release: str, asked: Asked, approver: str) -> str:
    """Return the link by which one person reads and decides what was asked."""
    token = tokens.sign(outside.approval_key, tokens.Grant(release, approver, asked.evidence, asked.expires))
    return f"{outside.public_url}/api/approvals/{release}?token={token}"


async def _tell(turn: Turn, asked: Asked, approver: str) -> None:
    subject, text = letter(turn.outside, turn.state, asked, approver)
    await turn.outside.notifier.notify(f"{turn.release.release}-ask-{turn.round}", approver, subject, text)


def letter(outside: Outside, state: State, asked: Asked, approver: str) -> tuple[str, str]:
    """Return subject and text of the message that asks one approver, with the link that is theirs alone."""
    return words.asking(state, asked, approver, approval_link(outside, state.release.release, asked, approver))
