"""The bench: what a question is judged by, for the step that counts decisions and for whoever gives one."""

from datetime import date

from msgspec import Struct

from shared.errors import NotAllowed
from shared.ports import Artifacts
from shared.release import facts, people, policy, state
from shared.release.config import Project
from shared.release.notices import DecisionGiven
from shared.release.people import among
from shared.release.policy import ApprovalPolicy, Verdict
from shared.release.project import ProjectState
from shared.steps import policies


class Bench(Struct, frozen=True):
    """The policies a question is judged by: its own, the file's, the one in force; and who made what it is about."""

    project: str
    rules: ApprovalPolicy
    present: ApprovalPolicy | None
    in_force: ApprovalPolicy | None
    makers: tuple[str, ...]

    def spelt(self, person: str) -> str:
        """Return a person as the policy spells them, so that one person is one, whichever case they write."""
        named = (*self.rules.approvers, *(each.to for each in self.rules.delegations))
        return next((each for each in named if among(person, [each])), person)

    def voices(self, who: str, day: date) -> tuple[str, ...]:
        """Return the approvers a person answers for on a day, by the policy of the question and by the present one."""
        now = self.present.voices(who, day) if self.present else self.rules.voices(who, day)
        return tuple(voice for voice in self.rules.voices(who, day) if among(voice, now))

    def stands_for(self, given: DecisionGiven, day: date) -> tuple[str, ...]:
        """Return the others for whom a person decides on a day; `NotAllowed` when they may not decide."""
        who = given.approver
        if not self.rules.voices(who, day):
            raise NotAllowed(f"{who} was not asked about this release")
        voices = self.voices(who, day)
        if not voices:
            raise NotAllowed(f"{who} is no longer an approver of {self.project}")
        if given.decision == "approve" and not self.makers_may:
            if among(who, self.makers):
                raise NotAllowed(f"{who} made this change, and somebody else must approve it")
            if all(among(voice, self.makers) for voice in voices):
                raise NotAllowed(
                    f"{voices[0]}, for whom {who} answers, made this change: somebody else must approve it"
                )
        return tuple(voice for voice in voices if not among(voice, [who]))

    @property
    def makers_may(self) -> bool:
        """Whether the policy of the question, and the present one, let makers agree to what they made."""
        return self.rules.self_approval and (self.present is None or self.present.self_approval)

    @property
    def seconds(self) -> tuple[str, ...]:
        """Who may stand behind a broken glass: whom the rules named then or name since, and the file still names."""
        named = [*policy.confirmers(self.rules), *policy.confirmers(self.in_force or self.rules)]
        still = policy.confirmers(self.present or self.rules)
        barred = () if self.makers_may else self.makers
        return tuple(who for who in people.resolved(named, {}) if among(who, still) and not among(who, barred))

    def verdict(self, known: state.State, asked: facts.Asked) -> Verdict:
        """Return what the decisions about the evidence of this question come to."""
        given = known.decided.get(asked.round, {}).values()
        about = [decision for decision in given if decision.evidence == asked.evidence]
        return policy.judge(self.rules, about, self.makers, self.present, self.in_force)


async def bench(
    artifacts: Artifacts, known: state.State, project: ProjectState, asked: facts.Asked, entry: Project | None
) -> Bench:
    """Return what a question of this release is judged by, as far as its project is known."""
    rules = await policies.asked_under(artifacts, asked, entry)
    makers = (*policies.makers(known, project), *asked.makers)
    if entry is None:
        return Bench(known.release.project, rules, None, None, makers)
    in_force = await policies.in_force(artifacts, project, entry)
    return Bench(known.release.project, rules, policy.of(entry), in_force, makers)
