"""Who may decide what: the approval policy of a project, and what it makes of the decisions that were given.

A policy is named by the SHA-256 of its canonical JSON.
What is asked is judged by the policy it was asked under; whoever the present one no longer names counts no more.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Literal

import msgspec
from msgspec import Struct

from shared.release import ids, people
from shared.release.config import Project
from shared.release.facts import Asked, Decided
from shared.release.people import Delegation, Roles, among, same
from shared.release.project import ProjectState

Role = Literal["viewer", "operator", "approver", "admin"]


class ApprovalPolicy(Struct, frozen=True):
    """The rules of one project, its groups resolved to people; of each required group one must agree."""

    approvers: tuple[str, ...]
    quorum: int = 1
    self_approval: bool = False
    answer_days: float = 7.0
    required: Mapping[str, tuple[str, ...]] = {}
    delegations: tuple[Delegation, ...] = ()
    roles: Roles | None = None

    @property
    def canonical(self) -> bytes:
        """The one form in which it is kept."""
        return ids.canonical(msgspec.to_builtins(self))

    @property
    def digest(self) -> str:
        """The name of that form."""
        return ids.sha256(self.canonical)

    @property
    def admins(self) -> tuple[str, ...]:
        """Who may change the rules: the admins, or the approvers where nobody is named."""
        return (self.roles.admin if self.roles else ()) or self.approvers

    def voices(self, person: str, day: date | None = None) -> tuple[str, ...]:
        """Return the approvers a person answers for: themselves, and who delegated to them, on a day or on any."""
        given = (each for each in self.delegations if same(each.to, person) and (day is None or day <= each.until))
        own = [approver for approver in self.approvers if same(approver, person)]
        return people.resolved([*own, *(each.giver for each in given if among(each.giver, self.approvers))], {})


class Verdict(Struct, frozen=True):
    """What the decisions come to: who agreed, what is lacking, and who may still agree."""

    agreed: tuple[str, ...]
    lacking: int
    groups: tuple[str, ...]
    """The required groups of which nobody agreed."""
    missing: tuple[str, ...]
    rejected: Decided | None = None
    enough: bool = True
    """Whether all who may still agree, together with those who did, are enough."""

    @property
    def approved(self) -> bool:
        """Whether it may go into production."""
        return self.rejected is None and not self.lacking and not self.groups


def of(project: Project) -> ApprovalPolicy:
    """Return the policy that an entry of `projects.toml` makes."""
    groups, roles = project.groups, project.roles
    return ApprovalPolicy(
        approvers=people.resolved(project.approvers, groups),
        quorum=project.quorum,
        self_approval=project.self_approval,
        answer_days=project.policy.answer_days,
        required={name.removeprefix("@"): people.resolved([name], groups) for name in sorted(set(project.required))},
        delegations=project.delegations,
        roles=Roles(
            viewer=people.resolved(roles.viewer, groups),
            operator=people.resolved(roles.operator, groups),
            admin=people.resolved(roles.admin, groups),
        )
        if roles
        else None,
    )


def read(content: bytes) -> ApprovalPolicy:
    """Return a policy as it was kept."""
    return msgspec.json.decode(content, type=ApprovalPolicy)


def waits(known: ProjectState, project: Project) -> bool:
    """Say whether an entry makes another policy than the one in force, which nobody accepted yet."""
    return known.policy is not None and known.policy.digest != of(project).digest


def before_policies(asked: Asked, project: Project | None) -> ApprovalPolicy:
    """Return the policy of a question from before policies were kept: what stands in it, and the rest as it is now."""
    return ApprovalPolicy(asked.approvers, asked.quorum, project is not None and project.self_approval)


def judge(
    policy: ApprovalPolicy,
    given: Iterable[Decided],
    makers: Collection[str],
    present: ApprovalPolicy | None = None,
    in_force: ApprovalPolicy | None = None,
) -> Verdict:
    """Return what the decisions about one evidence come to.

    `present` is the policy of the file: whom it no longer names agrees no more, at once.
    A rejection stands until that is accepted and `in_force`: the file alone undoes none.

    Each person agrees once and each approver is heard once, whoever of them answers;
    makers neither agree nor are answered for, unless they may.
    """
    barred = () if policy.self_approval and (present is None or present.self_approval) else makers
    rules = {"approve": present, "reject": in_force or present}
    heard = {who.approver: _heard(policy, who, barred, rules[who.decision]) for who in given}
    agreeing = {who.approver: heard[who.approver] for who in given if who.decision == "approve"}
    agreed = _matched(agreeing)
    rejected = [who for who in given if who.decision == "reject" and heard[who.approver]]
    free = [who for who in policy.approvers if not among(who, barred) and (present is None or present.voices(who))]
    missing = tuple(who for who in free if not among(who, [each.approver for each in given]))
    groups = tuple(
        name
        for name, members in policy.required.items()
        if not any(among(voice, members) for who in agreed for voice in heard[who])
    )
    at_most = len(_matched(agreeing | {who: (who,) for who in missing}))
    return Verdict(
        agreed=tuple(agreed),
        lacking=max(policy.quorum - len(agreed), 0),
        groups=groups,
        missing=missing,
        rejected=rejected[0] if rejected else None,
        enough=at_most >= policy.quorum
        and all(any(among(who, policy.required[name]) for who in missing) for name in groups),
    )


def _heard(
    policy: ApprovalPolicy, given: Decided, barred: Collection[str], present: ApprovalPolicy | None
) -> tuple[str, ...]:
    """Return the approvers that a decision may stand for."""
    person = given.approver
    if given.decision == "approve" and among(person, barred):
        return ()
    said = (person, *given.instead_of)
    voices = [voice for voice in policy.voices(person) if among(voice, said)]
    if present is not None:
        voices = [voice for voice in voices if among(voice, present.voices(person))]
    return tuple(voice for voice in voices if given.decision == "reject" or not among(voice, barred))


def _matched(heard: Mapping[str, Sequence[str]]) -> list[str]:
    """Return as many people as can each be heard for an approver of their own, in the order in which they answered."""
    taken: dict[str, str] = {}

    def place(person: str, seen: set[str]) -> bool:
        for voice in heard[person]:
            if voice not in seen:
                seen.add(voice)
                if voice not in taken or place(taken[voice], seen):
                    taken[voice] = person
                    return True
        return False

    return [person for person in heard if place(person, set())]


def may(policy: ApprovalPolicy, person: str, role: Role) -> bool:
    """Say whether a person may act in a role; where a project names no roles, everybody may look and operate."""
    if role == "admin":
        return among(person, policy.admins)
    if role == "approver":
        return bool(policy.voices(person))
    if policy.roles is None:
        return True
    allowed = (*policy.roles.operator, *policy.roles.admin)
    if role == "viewer":
        allowed += (*policy.roles.viewer, *policy.approvers, *(each.to for each in policy.delegations))
    return among(person, allowed)


def breakers(policy: ApprovalPolicy) -> tuple[str, ...]:
    """Return who may let something into production alone, in an emergency: who rules, or who operates."""
    return people.resolved([*policy.admins, *(policy.roles.operator if policy.roles else ())], {})


def confirmers(policy: ApprovalPolicy) -> tuple[str, ...]:
    """Return who may stand behind a broken glass: who may decide, rule or operate."""
    return people.resolved([*policy.approvers, *breakers(policy)], {})


def names(policy: ApprovalPolicy, person: str) -> bool:
    """Say whether a policy names a person for anything."""
    return among(person, (*confirmers(policy), *(policy.roles.viewer if policy.roles else ())))


def weaker(old: ApprovalPolicy, new: ApprovalPolicy) -> tuple[str, ...]:
    """Say in what a new policy lets through what the old one stops; nothing when it never does."""
    found = []
    if new.quorum < old.quorum:
        found.append(f"{new.quorum} must agree and not {old.quorum}")
    if new.self_approval and not old.self_approval:
        found.append("whoever made a change may approve it")
    found += [f"{who} may approve" for who in _added(old.approvers, new.approvers)]
    found += [
        f"nobody of @{name} need agree"
        for name, members in old.required.items()
        if not any(not _added(members, others) for others in new.required.values())
    ]
    found += [
        f"{each.to} may answer for {each.giver} until {each.until}"
        for each in new.delegations
        if not any(_covers(before, each) for before in old.delegations)
    ]
    found += [f"{who} may change the rules" for who in _added(old.admins, new.admins)]
    if old.roles is not None and new.roles is None:
        found.append("whoever has a function key may look and operate")
    if old.roles is not None and new.roles is not None:
        operate = (*old.roles.operator, *old.roles.admin), (*new.roles.operator, *new.roles.admin)
        found += [f"{who} may operate" for who in _added(*operate)]
    found += [f"{who} may break the glass" for who in _added(breakers(old), breakers(new))]
    return tuple(found)


def _added(old: Iterable[str], new: Iterable[str]) -> tuple[str, ...]:
    before = tuple(old)
    return tuple(who for who in new if not among(who, before))


def _covers(before: Delegation, new: Delegation) -> bool:
    return same(before.giver, new.giver) and same(before.to, new.to) and before.until >= new.until
