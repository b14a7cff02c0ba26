"""The operator's outside CI, as a gate before people are asked: was it green for exactly this commit?"""

from shared.release.facts import CiEnded, ReleaseEnded
from shared.steps.turn import Pending, Turn


def failed(turn: Turn) -> ReleaseEnded | None:
    """Say that the outside CI found something wrong with the commit; None when it did not, or when none is asked."""
    ended = _ended(turn)
    if ended is None or ended.verdict == "success":
        return None
    reason = f'the outside CI "{ended.name}" said {ended.said} of commit {ended.commit[:7]}'
    advice = "Mend the commit and push again; when its run was at fault, let that succeed, then run this release again"
    return ReleaseEnded("failed", turn.step, f"{reason} {ended.link}".rstrip(), advice)


def awaited(turn: Turn) -> Pending | None:
    """Return what people wait for before they are asked; None once the outside CI was green."""
    if not turn.project.outside_ci or _ended(turn) is not None:
        return None
    return Pending(f"commit {turn.release.commit[:7]}", f'the outside CI "{turn.project.outside_ci}"')


def _ended(turn: Turn) -> CiEnded | None:
    return turn.known.ci.get((turn.project.outside_ci, turn.release.commit))
