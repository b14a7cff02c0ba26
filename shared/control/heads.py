"""Heads: the branches of all projects are compared with what was taken in, for a git host never sends a push again."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from shared.answers import Order
from shared.control.opening import Opening
from shared.errors import SignalboxError
from shared.ports import Outside
from shared.release import facts
from shared.streams import Streams, project_stream

log = logging.getLogger("signalbox")
AT_ONCE = 20
"""Branches that one look of the patrol asks for; the others have their turn in a minute."""
NEVER = datetime.min.replace(tzinfo=UTC)


class Branch(Struct, frozen=True):
    """A branch, and the projects whose releases come from it."""

    url: str
    name: str
    projects: tuple[str, ...]


class Heads(Struct, frozen=True):
    """Asks for each branch every so many minutes, however many projects it has; `looked` is when it was asked last."""

    outside: Outside
    streams: Streams
    opening: Opening
    minutes: float
    looked: dict[tuple[str, str], datetime]

    async def look(self) -> list[Order]:
        """Return orders for the heads that no push told about."""
        orders: list[Order] = []
        for branch in self._due():
            try:
                orders += await self._compared(branch)
            except SignalboxError as error:
                log.warning("about=%r its head cannot be compared now: error=%r", branch.projects, error)
        return orders

    def _due(self) -> Sequence[Branch]:
        """Return the branches whose turn it is, those that waited longest first; from now on they were looked at."""
        found: dict[tuple[str, str], list[str]] = {}
        for name, entry in self.outside.projects.items():
            found.setdefault((entry.repository, entry.branch), []).append(name)
        now = self.outside.clock()
        # Half a minute is taken off because no timer is exact: a look a little too early would wait a minute more.
        since = now - timedelta(minutes=self.minutes) + timedelta(seconds=30)
        due = [place for place in found if self.looked.get(place, NEVER) <= since]
        due = sorted(due, key=lambda place: self.looked.get(place, NEVER))[:AT_ONCE]
        # Before it is asked: a host that does not answer is asked no oftener than others.
        self.looked.update(dict.fromkeys(due, now))
        return [Branch(*place, tuple(found[place])) for place in due]

    async def _compared(self, branch: Branch) -> list[Order]:
        tip = await self.outside.repository.tip(branch.url, branch.name)
        return [order for name in branch.projects for order in await self._of(name, branch.name, tip)]

    async def _of(self, name: str, branch: str, tip: str | None) -> list[Order]:
        """Open a release of a head that was never taken in; one that was stays what it became, also when it ended."""
        entry, known = self.outside.projects[name], await self.streams.project(name)
        if tip is None or any(numbered.commit == tip for numbered in known.numbered.values()):
            return []
        if not known.data and entry.data is not None:
            return []
        reason = f"branch {branch} stands at {tip[:7]}, which no push told about"
        new = await self.opening.open(name, tip, "", "push", "", reason)
        row = facts.CameIn("patrol", f"refs/heads/{branch}", "release", reason, "", new.release)
        await self.streams.add(project_stream(name), [row])
        return [new.order] if new.order else []
