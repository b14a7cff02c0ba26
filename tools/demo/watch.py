"""Following a release as it goes along its line: rows rewritten in place on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.live import Live

from tools.cli import rows
from tools.cli.reach import Reach, Refused, release_path
from tools.demo.place import Trouble

LOOK_EVERY = 0.2
# Building an environment from nothing takes minutes on a slow line, and shows as one step that runs.
PATIENCE = 15 * 60.0
_OVER = {"passed", "failed", "stopped"}

View = dict[str, Any]


class Watch:
    """Shows one release; what was shown as a plain line is not shown again."""

    def __init__(self, stack: Reach, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._shown: set[tuple[str, str]] = set()
        self._first = 0

    def opened(self, project: str, fits: Callable[[View], bool], what: str, seconds: float = 60.0) -> View:
        """Wait for a release of the project that fits and return it; `what` is what should have opened it."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            for view in self._stack.get("releases", project=project)["releases"]:
                if fits(view):
                    return dict(view)
            time.sleep(LOOK_EVERY)
        raise Trouble(f"No release was opened for {what} within {seconds:g} s.")

    def follow(self, release: str, until: Callable[[View], bool]) -> View:
        """Show the release until it has ended or `until` says so, and return it as it then is."""
        if not self._console.is_terminal:
            return self._look(release, until, self._lines)
        with Live(console=self._console, auto_refresh=False, vertical_overflow="visible") as live:
            view = self._look(release, until, lambda view: live.update(rows.steps(self._rest(view)), refresh=True))
        names = [step["step"] for step in view["steps"]]
        self._first = names.index(view["standing"]) if view["standing"] else 0
        return view

    def _rest(self, view: View) -> View:
        """Return the release with the rows that are not on the terminal yet."""
        return view | {"steps": view["steps"][self._first :]}

    def _look(self, release: str, until: Callable[[View], bool], show: Callable[[View], None]) -> View:
        moved, before = time.monotonic(), None
        while True:
            view = self._view(release)
            if view["steps"] != before:
                moved, before = time.monotonic(), view["steps"]
                show(view)
            if view["state"] != "open" or until(view):
                return view
            if view["standing"] != "ask" and time.monotonic() - moved > PATIENCE:
                raise Trouble(f"Nothing has moved for {PATIENCE / 60:g} minutes: it waits for {view['waits_for']}.")
            time.sleep(LOOK_EVERY)

    def _view(self, release: str) -> View:
        view = dict(self._stack.get(release_path(release)))
        for step in view["steps"]:
            if step["state"] == "running" and step["step"] != "ask":
                step["sentence"] = self._newest(release, step["step"]) or step["sentence"]
        return view

    def _newest(self, release: str, step: str) -> str:
        """Return the last line that the job of a running step said; a step without a job says nothing."""
        try:
            lines = self._stack.text(release_path(release, "/log"), step=step).split("\n")
        except Refused:
            return ""
        return next((line.strip() for line in reversed(lines) if line.strip()), "")

    def _lines(self, view: View) -> None:
        for step in view["steps"]:
            asks = step["step"] == "ask" and view["standing"] == "ask" and step["sentence"]
            # The first environment takes minutes on a slow line: nobody should wonder what is going on.
            builds = step["state"] == "running" and step["sentence"].startswith("building")
            key = (step["step"], step["state"])
            if key not in self._shown and (step["state"] in _OVER or asks or builds):
                self._shown.add(key)
                self._console.print(rows.line(step), soft_wrap=True, markup=False)

    def explain(self, view: View) -> None:
        """Show why a release did not get where it should: its reason, what to do, and the end of the log."""
        why = view["reason"] or f"it waits for {view['waits_for']}"
        self._console.print(f"\n{view['alias']} is {view['state']}: {rows.plain(why)}", soft_wrap=True, markup=False)
        if view["advice"]:
            self._console.print(f"  {rows.plain(view['advice'])}", soft_wrap=True, markup=False)
        steps = [step["step"] for step in view["steps"] if step["state"] in {"failed", "stopped"}]
        for step in steps[:1] or [view["standing"]]:
            self._tail(view["release"], step)

    def _tail(self, release: str, step: str | None, most: int = 25) -> None:
        if step is None:
            return
        try:
            lines = self._stack.text(release_path(release, "/log"), step=step).splitlines()
        except Refused:
            # A step that submits no job has no log: what it said is the reason already.
            return
        self._console.print(f"\nThe end of the log of {step}:", markup=False)
        for line in lines[-most:]:
            self._console.print(f"  {rows.plain(line)}", soft_wrap=True, markup=False)
