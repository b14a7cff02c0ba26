"""200 approvals and rejections of four approvers at once: one decision stands, and everybody else is told which."""

import json
import random
from dataclasses import dataclass

from shared.release import facts
from tools.cli.mail import Asked, questions
from tools.prove import stores
from tools.prove.flood import Asking, Told, flood, statuses, times
from tools.prove.ground import Ground, asks

APPROVERS = ("ana@example.org", "bo@example.org", "cy@example.org", "di@example.org")
VOTES = 200
SEED = 11


@dataclass(frozen=True)
class Vote:
    """What one approver says."""

    approver: str
    decision: str

    def asking(self, asked: Asked) -> Asking:
        """Return the request, by the link of the approver's own mail."""
        body = {"decision": self.decision, "reason": f"{self.decision} says {self.approver}"}
        headers = {"Authorization": f"Bearer {asked.token}", "Content-Type": "application/json"}
        return Asking(asked.url, json.dumps(body).encode(), headers)


def prove(ground: Ground, release: str) -> str:
    """Let all of them answer at once; return the decision that stands."""
    ground.until(release, "people to be asked", asks)
    mails = ground.wait("a mail to every approver", lambda: _mails(ground, release), 30.0)
    half = VOTES // len(APPROVERS) // 2
    votes = [Vote(who, what) for who in APPROVERS for what in ("approve", "reject")] * half
    random.Random(SEED).shuffle(votes)
    told = flood([vote.asking(mails[vote.approver]) for vote in votes], len(votes))
    decided = [fact for fact in stores.facts_of(ground.state, release) if isinstance(fact, facts.Decided)]
    telling = ground.telling
    telling.say(f"{len(votes)} answers of {len(APPROVERS)} approvers at once: {times(told)}")
    telling.equal("decisions that stand", len(decided), 1)
    stands = Vote(decided[0].approver, decided[0].decision)
    telling.say(f"{stands.approver} decided: {stands.decision}")
    same = [one for vote, one in zip(votes, told, strict=True) if vote == stands]
    others = [one for vote, one in zip(votes, told, strict=True) if vote != stands]
    telling.equal("the same answer of the same approver, by status", statuses(same), {200: half})
    telling.equal("every other answer, by status", statuses(others), {409: VOTES - half})
    telling.claim("everybody else is told that it was decided", all(map(_is_told, others)), _sentences(others))
    how = {"approve": "live", "reject": "rejected"}[stands.decision]
    view = ground.ended(release, how)
    telling.claim("and that is what is done", view["state"] == how, f"{view['alias']} is {view['state']}")
    return stands.decision


def _mails(ground: Ground, release: str) -> dict[str, Asked] | None:
    found = {asked.to: asked for asked in questions(ground.state, release)}
    return found if set(found) == set(APPROVERS) else None


def _is_told(answer: Told) -> bool:
    return "already" in str(answer.document["error"])


def _sentences(answers: list[Told]) -> str:
    found = sorted({str(one.document["error"]) for one in answers})
    return f"{len(found)} sentences, such as: {found[0]}"
