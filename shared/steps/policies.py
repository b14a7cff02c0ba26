"""Which approval policy counts: the one in force, and the one under which people were asked."""

from shared.ports import Artifacts
from shared.release import facts, policy
from shared.release.config import Project
from shared.release.policy import ApprovalPolicy
from shared.release.project import ProjectState
from shared.release.state import State

FIRST_SEEN = "first seen in projects.toml"


async def in_force(artifacts: Artifacts, known: ProjectState, entry: Project) -> ApprovalPolicy:
    """Return the policy in force: that of `projects.toml`, unless it was changed and nobody accepted that yet."""
    present = policy.of(entry)
    if known.policy is None or known.policy.digest == present.digest:
        return present
    return policy.read(await artifacts.get(known.policy.digest))


async def asked_under(artifacts: Artifacts, asked: facts.Asked, entry: Project | None) -> ApprovalPolicy:
    """Return the policy under which people were asked, which stays theirs whatever is in force since."""
    if not asked.policy:
        return policy.before_policies(asked, entry)
    if entry is not None and (present := policy.of(entry)).digest == asked.policy:
        return present
    return policy.read(await artifacts.get(asked.policy))


def makers(state: State, known: ProjectState | None = None) -> tuple[str, ...]:
    """Return who made what a release would put into production: author, pushers and who asked for it, as known."""
    opened = state.release
    named = [opened.by, state.code.email if state.code else ""]
    if known is not None:
        named += [each.by for each in known.numbered.values() if each.commit == opened.commit]
    return tuple(dict.fromkeys(who for who in named if who))
