"""Record what a version of the code writes: `python -m tests.histories.record 1` makes the folder `version-1`.

Names of stories after the version record those alone: what they tell is new, and the others read as they did.

Recorded once when a version is released, and never again: later code must fold and finish what earlier code wrote.
A history is everything the ledger was told, in order: any beginning of it is a moment at which the process died.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from shared.backends.memory import MemoryLedger
from shared.release import notices
from tests.world import FILES, World

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
    release = world.push(letter, files("unchanged" if world.projects["houses"].path else "live"))
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


def retrained(world: World) -> str:
    """Tell of data that arrive while other data are in training, and are the next training."""
    live(world)
    better(world)
    world.data("in/february.csv")
    world.run()
    world.data("in/march.csv")
    world.wait(minutes=6)
    world.tick()
    world.run()
    return newest(world)


def scheduled(world: World) -> str:
    """Tell of a training that is due by the clock."""
    live(world)
    better(world)
    world.tick()
    world.wait(hours=20)
    world.tick()
    world.run()
    return newest(world)


def run_again(world: World) -> str:
    """Tell of a release that failed, and that a person ran again."""
    world.data()
    world.failing["train"] = "the disk was full"
    failed = world.push("a")
    world.run()
    world.failing.clear()
    world.take_in(notices.RerunAsked(failed, "dee@example.org", "there is room again", ""))
    world.run()
    return newest(world)


def overtaken(world: World) -> str:
    """Tell of a push that takes the place of one in training, because the operator wants it so."""
    live(world)
    better(world)
    world.running.add("train")
    world.push("b")
    world.run()
    world.running.clear()
    release = world.push("c")
    world.run()
    return release


def resumed(world: World) -> str:
    """Tell of a step that used up its attempts, and that a person let try again."""
    world.data()
    world.losing.add("train")
    release = world.push("a")
    world.run()
    while not world.state(release).parked:
        world.patrol()
        world.run()
    world.losing.clear()
    world.take_in(notices.ResumeAsked(release, "bo@example.org", "there is memory again"))
    world.run()
    return release


def unchanged(world: World) -> str:
    """Tell of a push that was for others in the repository."""
    live(world)
    release = world.push("b", files("unchanged"))
    world.run()
    return release


def blocked(world: World) -> str:
    """Tell of a repository that nobody may read until an operator mends that."""
    world.data()
    world.refusing["repository"] = "the git host answers 401"
    release = world.push("a")
    world.run_unless_away()
    world.refusing.clear()
    world.patrol()
    world.run()
    return release


def adopted(world: World) -> str:
    """Tell of a version that a colleague registered, and of production rolled back while people think."""
    live(world)
    better(world)
    second = world.push("b")
    world.run()
    world.decide(second)
    world.run()
    world.register_elsewhere()
    world.run()
    back = notices.EnvironmentAsked("houses", "production", "rollback", "ana@example.org", "bad answers since noon")
    world.take_in(back)
    world.patrol()
    world.run()
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "ana@example.org", "understood"))
    return newest(world)


def as_in_azure(world: World) -> str:
    """Tell of packages that name what the platform deploys, and of production rolled back to one while people think."""
    first = live(world)
    better(world)
    second = world.push("b")
    world.run()
    world.decide(second)
    world.run()
    third = world.push("c")
    world.run()
    back = notices.EnvironmentAsked("houses", "production", "rollback", "ana@example.org", "bad answers since noon")
    world.take_in(back)
    world.patrol()
    world.run()
    assert world.live() == first
    world.take_in(notices.EnvironmentAsked("houses", "production", "lift", "ana@example.org", "understood"))
    return third


def newest(world: World) -> str:
    """Return the release that took its number last."""
    return next(reversed(world.state_of_project().numbered))


def approved(tell: Callable[[World], str]) -> Callable[[World], str]:
    """Let what a story ends with go live."""

    def told(world: World) -> str:
        release = tell(world)
        world.decide(release)
        world.run()
        return release

    return told


STORIES: dict[str, Callable[[World], str]] = {
    "live": live,
    "kept": kept,
    "rejected": rejected,
    "second-round": second_round,
    "retrained": approved(retrained),
    "scheduled": approved(scheduled),
    "run-again": approved(run_again),
    "overtaken": approved(overtaken),
    "resumed": approved(resumed),
    "unchanged": unchanged,
    "blocked": approved(blocked),
    "adopted": approved(adopted),
    "as-in-azure": approved(as_in_azure),
}
NEW_IN_3 = {"adopted"}
NEW_IN_4 = {"as-in-azure"}
DEPLOYS = {"model": "houses:{}", "environment": "signalbox-houses-0123456789ab:1", "source": "sha256:" + "5" * 64}
"""What packages name in Azure, of a version."""
RULES: dict[str, dict[str, str]] = {
    "scheduled": {"schedule": "0 0 2 * * *"},
    "overtaken": {"on_newer": "cancel"},
    "unchanged": {"path": "models/houses"},
    "adopted": {"registered_elsewhere": "adopt"},
}
"""What the operator decided for a story otherwise than for the others."""


def ruled(story: str, **given: Any) -> World:
    """Return the world of a story; `given` as World takes it."""
    world = World(**given, deploys=DEPLOYS if story in NEW_IN_4 else {})
    world.projects["houses"] = msgspec.structs.replace(world.projects["houses"], **RULES.get(story, {}))
    return world


def files(story: str) -> dict[str, str]:
    """Return the files of every commit of a story."""
    path = RULES.get(story, {}).get("path", "")
    return {f"{path}/{name}" if path else name: text for name, text in FILES.items()}


def main(version: str, *only: str) -> None:
    """Write one file a story, of all or of those named; a version that was recorded stays as it is."""
    folder = HERE / f"version-{version}"
    folder.mkdir()
    for name, tell in STORIES.items():
        if only and name not in only:
            continue
        journal = Journal()
        world = ruled(name, ledger=journal)
        release = tell(world)
        about = {"release": release, "ended": world.ended(release), "commits": world.branch, "now": str(world.now)}
        rows = [about, *journal.rows]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
