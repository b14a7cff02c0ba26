"""Record what a version of the code writes: `python -m tests.histories.record 1` makes the folder `version-1`.

Recorded once when a version is released, and never again: later code must fold and finish what earlier code wrote.
A history is everything the ledger was told, in order: any beginning of it is a moment at which the process died.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path

from shared.backends.memory import MemoryLedger
from shared.release import notices
from tests.world import World

HERE = Path(__file__).parent


class Journal(MemoryLedger):
    """A ledger that also keeps what it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[dict[str, str]] = []

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append, and keep what took effect."""
        length = await super().append(stream, lines, at)
        self.rows.append({"append": stream, "lines": lines.decode()})
        return length

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark, and keep it."""
        self.rows.append({"mark": name, "content": content.decode()})
        return await super().mark(name, content)

    async def unmark(self, name: str) -> None:
        """Remove a mark, and keep that."""
        self.rows.append({"unmark": name})
        await super().unmark(name)


def live(world: World, letter: str = "a") -> str:
    """Tell of a push that is approved and goes live."""
    world.data(etag=letter)
    release = world.push(letter)
    world.run()
    world.decide(release)
    world.run()
    return release


def better(world: World) -> None:
    """Let whatever is evaluated from now on be better than what is live."""
    world.results["evaluate"].update(verdict="better", champion=4.0, gain=0.5, low=0.1, high=0.9)


def kept(world: World) -> str:
    """Tell of a second push that is not better."""
    live(world)
    world.results["evaluate"].update(verdict="not better", champion=3.5, gain=-0.4, low=-0.9, high=-0.1)
    release = world.push("b")
    world.run()
    return release


def rejected(world: World) -> str:
    """Tell of a push that somebody does not want."""
    world.data()
    release = world.push("a")
    world.run()
    world.decide(release, "bo@example.org", "reject")
    world.run()
    return release


def second_round(world: World) -> str:
    """Tell of a release that waits while production is rolled back: evaluated and approved anew, then live."""
    live(world)
    better(world)
    live(world, "b")
    release = world.push("c")
    world.run()
    back = notices.EnvironmentAsked("houses", "production", "rollback", "ana@example.org", "bad answers since noon")
    world.take_in(back)
    world.patrol()
    world.run()
    world.decide(release)
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "ana@example.org", "understood"))
    world.run()
    return release


STORIES: dict[str, Callable[[World], str]] = {
    "live": live,
    "kept": kept,
    "rejected": rejected,
    "second-round": second_round,
}


def main(version: str) -> None:
    """Write one file a story; a version that was recorded stays as it is."""
    folder = HERE / f"version-{version}"
    folder.mkdir()
    for name, tell in STORIES.items():
        journal = Journal()
        world = World(ledger=journal)
        release = tell(world)
        about = {"release": release, "ended": world.ended(release), "commits": world.branch, "now": str(world.now)}
        rows = [about, *journal.rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main(sys.argv[1])
