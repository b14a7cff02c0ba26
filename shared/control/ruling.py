"""Ruling: who may act in which role, and how a change of the rules themselves comes into force."""

from collections.abc import Sequence

from msgspec import Struct

from shared.answers import Answer, Order
from shared.errors import Conflict, Moved, NotAllowed, NotFound
from shared.ports import Outside
from shared.release import facts, policy, redaction
from shared.release.config import Project
from shared.release.known import KnownPolicy
from shared.release.notices import PolicyAccepted
from shared.release.people import among, same
from shared.release.policy import ApprovalPolicy, Role
from shared.release.project import ProjectState
from shared.steps import policies
from shared.streams import Streams, project_stream

EVERYWHERE = ("entra", "pass")
"""What proves who somebody is whatever they do; a link is about one release."""


class Ruling(Struct, frozen=True):
    """Goes by the policy in force and by the file at once, so that stricter rules count when they are written."""

    outside: Outside
    streams: Streams

    async def allow(self, name: str, who: str, how: str, role: Role) -> None:
        """Raise `NotAllowed` unless this person may act in this role; `how` says what proved who they are.

        Where a project names no roles, whoever may ask at all may look and operate, as whom they say.
        """
        entry = self.outside.projects.get(name)
        if entry is None:
            return
        for rules in (policy.of(entry), await self.in_force(name, entry)):
            if rules.roles is None and role != "admin":
                continue
            if how not in EVERYWHERE:
                advice = "sign in, or send the pass that `signalbox login` makes as a Bearer token"
                raise NotAllowed(f"{name} says who may do this, and nothing proves who you are: {advice}")
            if not policy.may(rules, who, role):
                raise NotAllowed(f"{who} may not do this: it takes the role {role} of {name} in projects.toml")

    async def in_force(self, name: str, entry: Project) -> ApprovalPolicy:
        """Return the policy in force."""
        return await policies.in_force(self.outside.artifacts, await self.streams.project(name), entry)

    async def waiting(self) -> int:
        """Return how many projects have a changed policy that nobody accepted, as this process knows."""
        known = {name: await self.streams.recall(project_stream(name)) for name in self.outside.projects}
        entries = self.outside.projects
        return sum(policy.waits(self.streams.project_of(stream), entries[name]) for name, stream in known.items())

    async def show(self, name: str) -> KnownPolicy:
        """Return the policy in force and the one in the file, which waits when it is another."""
        entry, known = self._entry(name), await self.streams.project(name)
        rules, written = await self.in_force(name, entry), policy.of(entry)
        backed = tuple(each.by for each in self._backed(known, rules, written))
        return KnownPolicy(name, rules, written, policy.weaker(rules, written), backed, known.policy)

    async def accept(self, asked: PolicyAccepted) -> Answer:
        """Put the file's policy in force; a weaker one takes two people. A repeat gives the same answer."""
        entry, kept = self._entry(asked.project), False
        while True:
            stream = await self.streams.read(project_stream(asked.project))
            known = self.streams.project_of(stream)
            written = policy.of(entry)
            if asked.digest != written.digest:
                raise Conflict(f"projects.toml says another policy by now, {written.digest}: look at it again")
            if known.policy is None or known.policy.digest == written.digest:
                return _accepted(asked, "in force", "This policy is in force.")
            rules = await policies.in_force(self.outside.artifacts, known, entry)
            new = _ruled(asked, rules, written, known.policy.digest, self._backed(known, rules, written), self._now())
            if new is None:
                return _accepted(asked, "waits", "You agreed already; somebody else must too.")
            if not kept:
                # Stored before it is in force: a digest that is in the ledger always leads to its policy.
                await self.outside.artifacts.put(written.canonical)
                kept = True
            try:
                await self.streams.append(stream, [new])
            except Moved:
                continue
            if isinstance(new, facts.PolicyBacked):
                return _accepted(asked, "waits", "It is weaker than the one in force: somebody else must agree too.")
            return _accepted(asked, "in force", "This policy is in force. What was asked before goes by the old one.")

    async def look(self, name: str) -> list[Order]:
        """End what was backed when the file says another policy: who backed one has not seen what came between."""
        stream = await self.streams.recall(project_stream(name))
        backed, written = self.streams.project_of(stream).backed, policy.of(self.outside.projects[name]).digest
        over = [digest for digest in backed if digest != written]
        if over:
            ended = [facts.BackingEnded(digest, "projects.toml says another policy since") for digest in over]
            await self.streams.append(stream, ended)
        return []

    def _backed(
        self, known: ProjectState, rules: ApprovalPolicy, written: ApprovalPolicy
    ) -> tuple[facts.PolicyBacked, ...]:
        """Return who agreed to the file's policy and is still named by it, for as long as answers count."""
        since = self._now() - rules.answer_days * 86400
        backed = known.backed.get(written.digest, ())
        return tuple(each for each in backed if each.at > since and policy.names(written, each.by))

    def _now(self) -> int:
        return int(self.outside.clock().timestamp())

    def _entry(self, name: str) -> Project:
        entry = self.outside.projects.get(name)
        if entry is None:
            raise NotFound(f"there is no project {name} in projects.toml")
        return entry


def _ruled(
    asked: PolicyAccepted,
    rules: ApprovalPolicy,
    written: ApprovalPolicy,
    old: str,
    backed: Sequence[facts.PolicyBacked],
    now: int,
) -> facts.PolicySet | facts.PolicyBacked | None:
    """Return what an acceptance comes to, None when this person said so already."""
    if asked.how not in EVERYWHERE:
        raise NotAllowed("nothing proves who you are: sign in, or send the pass that `signalbox login` makes")
    # Where one person alone rules, the second is one of those whom the new policy names.
    seconds = rules.admins if len(rules.admins) > 1 else (*rules.admins, *written.admins)
    weaker = policy.weaker(rules, written)
    # Whoever was redacted may be the one who asks now.
    first = next((each.by for each in backed if each.by != redaction.WORD), "")
    if not among(asked.by, seconds if first else rules.admins):
        raise NotAllowed(f"{asked.by} may not change the rules of {asked.project}: {', '.join(rules.admins)} may")
    if not policy.names(written, asked.by):
        raise NotAllowed(f"projects.toml no longer names {asked.by}, who says nothing about rules that leave them out")
    if weaker and not first:
        return facts.PolicyBacked(written.digest, old, asked.by, asked.reason, now)
    if weaker and same(first, asked.by):
        return None
    by = (first, asked.by) if weaker else (asked.by,)
    return facts.PolicySet(written.digest, old, by, asked.reason, weaker)


def _accepted(asked: PolicyAccepted, state: str, message: str) -> Answer:
    body = {"project": asked.project, "digest": asked.digest, "state": state, "message": message}
    return Answer(200 if state == "in force" else 202, body)
