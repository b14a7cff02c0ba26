"""One project's feed: months that arrive as any blob client puts them, and what must be true of every one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tools.demo.watch import View
from tools.prove import stores
from tools.prove.ground import Ground


class Feed:
    """The months of a project on its ground, and the claims that each of them is held to."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.months: Sequence[Path] = ground.at.files

    def put(self, name: str, text: str) -> None:
        """Put a blob with this text."""
        file = self.ground.state / "feed" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        self.ground.reach.put(self.ground.project, name, file)

    def bring(self, months: Sequence[Path]) -> None:
        """Put months as they should be."""
        for month in months:
            self.ground.reach.put(self.ground.project, month.name, month)

    def opened_by(self, act: Callable[[], Any]) -> View:
        """Do something and return the release that it opens."""
        known = {view["release"] for view in self.ground.releases()}
        act()
        new: View = self.ground.wait(
            "a release to be opened",
            lambda: next((view for view in self.ground.releases() if view["release"] not in known), None),
            120.0,
        )
        return new

    def settled(self, how: str) -> View | None:
        """Return the newest release once nothing is open and it ended as `how`."""
        views = self.ground.releases()
        done = all(view["state"] != "open" for view in views) and views[0]["state"] == how
        return views[0] if done else None

    def rows(self) -> list[dict[str, Any]]:
        """Return what came in for the project, newest first."""
        return list(self.ground.reach.get(f"events/{self.ground.project}")["events"])

    def recorded(self, subject: str, became: str, says: str) -> None:
        """Claim that there is a row about a subject that says what became of it."""

        def look() -> dict[str, Any] | None:
            rows = (row for row in self.rows() if subject in row["subject"] and row["became"] == became)
            return next((row for row in rows if says in row["reason"]), None)

        row = self.ground.wait(f"a row about {subject} that says {says!r}", look, 60.0)
        self.ground.telling.claim("it is recorded", True, f"{row['became']}: {row['reason']}")

    def only_checked(self, view: View) -> None:
        """Claim that a release had its check and no other job."""
        runs = [run.removeprefix(f"{view['release']}-") for run in stores.runs(self.ground.state, view["release"])]
        self.ground.telling.equal("its jobs", runs, ["check-1"])

    def unmoved(self, live: View) -> None:
        """Claim that production is what it was."""
        there = self.ground.reach.get("environments")["environments"]
        now = next(one["live"] for one in there if one["environment"] == "production")
        same = (now["release"], now["generation"]) == (live["release"], 1)
        self.ground.telling.claim("production is what it was", same, f"v{now['version']} {now['alias']}")
