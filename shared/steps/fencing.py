"""Fencing: a release that ends before it is live must not become live by a switch whose answer never came."""

from shared.release import facts
from shared.release.ids import going_live
from shared.release.state import State
from shared.streams import Streams, environment_stream


async def live_after_all(streams: Streams, known: State) -> bool:
    """Return whether a release is live or was; from here on no attempt at its going live that was put off takes effect.

    Such an append may still be on its way. It names the position it was decided at, and this row moves that.
    """
    opened = known.release
    if going_live(opened.release) in known.attempts:
        row = facts.SwitchGivenUp(opened.release)
        await streams.add(environment_stream(opened.project, "production"), [row])
    production = await streams.environment(opened.project, "production")
    return production.ever_live(opened.release) is not None
