"""Which approval policy counts: the one in force, and the one under which people were asked."""

from shared.ports import Artifacts
from shared.release import facts, policy, state
from shared.release.config import Project
from shared.release.policy import ApprovalPolicy
from shared.release.project import ProjectState
from shared.release.state import State
from shared.steps.turn import Turn
from shared.streams import release_stream

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


def makers(of: State, known: ProjectState | None = None) -> tuple[str, ...]:
    """Return who made the commit of a release: author, pushers and who asked for it, as known."""
    opened = of.release
    named = [opened.by, of.code.email if of.code else ""]
    if known is not None:
        named += [each.by for each in known.numbered.values() if each.commit == opened.commit]
        named += known.pushers.get(opened.commit, ())
    return tuple(dict.fromkeys(who for who in named if who))


async def makers_since(turn: Turn) -> tuple[str, ...]:
    """Return who made what a release would put into production, with all that came since what is live.

    What is in a commit is not asked of the git host: that of every older release counts unless it is on no branch,
    and what was never taken in, such as a commit between two that were pushed at once, is not known.
    """
    live, opened = turn.production.live, turn.release
    since = {
        each.commit: each.release
        for each in turn.known.numbered.values()
        if (live.number if live else 0) < each.number < opened.number and turn.known.closed.get(each.release) != "stale"
    }
    before = [state.fold((await turn.streams.recall(release_stream(name))).facts) for name in since.values()]
    named = [who for each in before if each.opened is not None for who in makers(each, turn.known)]
    return tuple(dict.fromkeys((*makers(turn.state, turn.known), *named)))
