"""The ground of one proof: a project in a git repository, data, and a stack of its own that is started as needed."""

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from tools.cli.reach import Reach, Refused, Unreachable, reach, release_path
from tools.demo import answer, place
from tools.demo.place import Given
from tools.demo.story import Story
from tools.demo.watch import View
from tools.local.stack import Stack
from tools.prove import stores
from tools.prove.telling import Telling, Unproven

LONG = 600.0
"""Seconds any one wait may take: an environment may have to be built from nothing."""
STILL = 3.0
"""Seconds in which nothing may happen before a release counts as standing."""


class Ground:
    """A demo's place below `root`; environments and unpacked layers are shared by all proofs there."""

    def __init__(self, root: Path, name: str, telling: Telling, given: Given = place.PATIENTS) -> None:
        state = root / name
        for kept in place.KEPT:
            (root / "shared" / kept).mkdir(parents=True, exist_ok=True)
        self._empty(state)
        for kept in place.KEPT:
            (state / kept).symlink_to((root / "shared" / kept).resolve(), target_is_directory=True)
        (self.at,) = place.prepare(state, given)
        self.state = state.resolve()
        self.telling = telling
        self.stack: Stack | None = None
        self._ports = (0, 0)

    @staticmethod
    def _empty(state: Path) -> None:
        """Remove what an earlier run left; `Trouble` when its stack is still up."""
        place.clear(state)
        if state.exists():
            shutil.rmtree(state)
        state.mkdir(mode=0o700, parents=True)

    # --- the stack

    def up(self, without: Sequence[str] = (), patrol: bool = True) -> None:
        """Start the stack; `without` takes subscriptions away."""
        host, grid = self._ports
        self.stack = Stack(self.state, self.at.projects_file, place.HOUSE, host, grid, without, patrol)
        self.stack.start()
        # Started again, it is where it was: what outlived it has its address.
        self._ports = (port(self.stack.host_url), port(self.stack.grid_url))

    def down(self) -> None:
        """Stop the stack as a person would."""
        if self.stack is not None:
            self.stack.stop()
            self.stack = None
            left = stores.working_in(self.state)
            self.telling.claim("the stack went down and left no process", not left, left or "")

    @property
    def running(self) -> Stack:
        """The stack, which is up."""
        if self.stack is None:
            raise Unproven("the stack is not up")
        return self.stack

    @property
    def reach(self) -> Reach:
        """The stack as a user reaches it."""
        return reach(self.state)

    @property
    def project(self) -> str:
        """The name of the project."""
        return self.at.project

    # --- what a user does

    def bring_data(self) -> None:
        """Upload the data and wait until the app was told."""
        Story(self.at, self.reach, self.running.keys.topic, Console(quiet=True), True).bring_data()

    def change(self, file: str, old: str, new: str) -> None:
        """Change a text in the working copy; `Unproven` when it is not there."""
        path = self.at.working / file
        text = path.read_text()
        if old not in text:
            raise Unproven(f"{file} has no {old!r}")
        path.write_text(text.replace(old, new))

    def alpha(self, value: float) -> str:
        """Give the model another regularisation and commit it; returns the commit."""
        script = self.at.working / "train.py"
        lines = [f"ALPHA = {value}" if line.startswith("ALPHA = ") else line for line in script.read_text().split("\n")]
        script.write_text("\n".join(lines))
        return place.commit(self.at.working, f"Ridge, alpha {value}")

    def push(self, commit: str) -> View:
        """Push, and return the release that the hook's webhook opened."""
        said = place.push(self.at.working)
        view = self.opened(commit)
        self.telling.say(f"git push {commit[:7]}: {said} ({view['release']})")
        return view

    def opened(self, commit: str) -> View:
        """Wait for the release of a commit."""
        found: View = self.wait(
            f"a release of {commit[:7]}",
            lambda: next((one for one in self.releases() if one["commit"] == commit), None),
            60.0,
        )
        return found

    def approve(self, release: str, reason: str = "shown to be better") -> str:
        """Approve as the approver, by the link of the mail."""
        view = self.until(release, "ask to be waiting", asks)
        asked = answer.mailed(self.state, release)
        return answer.approve(asked, view, reason)

    # --- what a user sees

    def releases(self) -> list[View]:
        """Return every release, newest first."""
        return [dict(one) for one in self.reach.get("releases", project=self.project)["releases"]]

    def view(self, release: str) -> View:
        """Return one release."""
        return dict(self.reach.get(release_path(release)))

    def until(self, release: str, what: str, holds: Callable[[View], bool], seconds: float = LONG) -> View:
        """Wait until a release is as said, or has ended without; `Unproven` then, with its reason."""

        def look() -> View | None:
            view = self.view(release)
            if holds(view):
                return view
            if view["state"] != "open":
                raise Unproven(f"waited for {what}, but it is {view['state']}: {view['reason']} {view['advice']}")
            return None

        found: View = self.wait(what, look, seconds)
        return found

    def ended(self, release: str, how: str = "", seconds: float = LONG) -> View:
        """Wait until a release has ended, as `how` if given."""
        return self.until(
            release,
            f"it to end as {how or 'anything'}",
            lambda view: view["state"] in ({how} if how else ENDS),
            seconds,
        )

    def standing(self, release: str, step: str) -> View:
        """Return the release once it is at rest, which must be at a step."""
        view = self.at_rest(release)
        if view["standing"] != step:
            raise Unproven(f"it did not stay at {step}: it is at {view['standing'] or view['state']}")
        return view

    def at_rest(self, release: str) -> View:
        """Return the release once nothing at all has happened for some seconds."""
        before, since = None, time.monotonic()
        until = since + LONG
        while time.monotonic() < until:
            view, busy = self.view(release), stores.busy(self.state)
            if view != before or busy:
                before, since = view, time.monotonic()
            if time.monotonic() - since >= STILL:
                return view
            time.sleep(0.2)
        raise Unproven(f"nothing came to rest: {busy}")

    def wait(self, what: str, look: Callable[[], Any], seconds: float = LONG) -> Any:
        """Ask until there is an answer; `Unproven` names what was waited for."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                found = look()
            except (Unreachable, Refused):
                found = None
            if found:
                return found
            time.sleep(0.1)
        raise Unproven(f"{what} did not happen within {seconds:g} s")


ENDS = {"live", "kept", "failed", "rejected", "expired", "superseded", "cancelled", "stale", "parked", "unchanged"}


def port(url: str) -> int:
    """Return the port of an address."""
    return int(url.rpartition(":")[2])


def asks(view: View) -> bool:
    """Say whether people are asked about a release."""
    return view["standing"] == "ask" and state_of(view, "ask") == "running"


def state_of(view: View, step: str) -> str:
    """Return the state of a step: waiting, running, passed, failed or stopped."""
    return next(str(one["state"]) for one in view["steps"] if one["step"] == step)
