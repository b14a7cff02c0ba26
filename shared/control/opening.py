"""Opening a release: recorded in its project's stream, marked, opened, and only then answered."""

import asyncio
from collections.abc import MutableMapping, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from shared.answers import Order
from shared.control.working import again
from shared.errors import Moved
from shared.ports import Outside
from shared.release import adopted, chain, facts, ids, line, project, state
from shared.release.facts import Cause, Fact
from shared.release.notices import Notice, kept
from shared.streams import INBOX, Streams, project_stream, release_stream


class Opened(Struct, frozen=True):
    """A release that a trigger leads to; `order` is the step it stands at, or its close; None when it is closed."""

    release: str
    project: str
    number: int
    order: Order | None
    before: bool = False
    """It had its number before this trigger came."""

    def plain(self) -> dict[str, Any]:
        """Return what a caller is told."""
        known = {"release": self.release, "alias": ids.alias(self.release)}
        return known | {"project": self.project, "number": self.number}


class Opening(Struct, frozen=True):
    """Turns a trusted trigger into a release, once."""

    outside: Outside
    streams: Streams
    locks: MutableMapping[str, asyncio.Lock]

    def alone(self, name: str) -> asyncio.Lock:
        """Return the lock of a project: of many at once in a process, each would read again for each that was first."""
        return self.locks.setdefault(f"project/{name}", asyncio.Lock())

    async def open(self, name: str, commit: str, ask: str, cause: Cause, by: str, reason: str, how: str = "") -> Opened:
        """Open the release this trigger computes to, or find it; it takes the project's data version of this moment."""
        async with self.alone(name):
            known, numbered, before = await self._number(name, commit, ask, cause, by, reason, how)
        return replace(await self.start(name, known, numbered), before=before)

    async def _number(
        self, name: str, commit: str, ask: str, cause: Cause, by: str, reason: str, how: str
    ) -> tuple[project.ProjectState, facts.ReleaseNumbered, bool]:
        """Give the release its number, or find it; return it with the project as it was before, and if it was found."""
        while True:
            stream = await self.streams.recall(project_stream(name))
            known = self.streams.project_of(stream)
            new = replace(self.numbered(name, known, commit, ask, cause, by, reason), how=how)
            numbered = _asked_before(known, new) or known.numbered.get(new.release)
            try:
                if numbered is None:
                    await self.streams.append(stream, [new])
                    return known, new, False
                # Data that came in since make it another release.
                await self.streams.still(stream)
            except Moved:
                continue
            return project.before(stream.facts, numbered.release), numbered, True

    def numbered(
        self, name: str, known: project.ProjectState, commit: str, ask: str, cause: Cause, by: str, reason: str
    ) -> facts.ReleaseNumbered:
        """Return the fact by which a release takes the next number, with the data version that is known."""
        data = known.data_version
        return facts.ReleaseNumbered(
            release=ids.release_id(name, commit, data, ask),
            number=known.next_number,
            commit=commit,
            data=data,
            cause=cause,
            ask=ask,
            by=by,
            reason=reason,
            at=int(self.outside.clock().timestamp()),
        )

    async def again(self, name: str, release: str) -> Opened:
        """Find a release that has its number; what of its beginning was lost is made again."""
        stream = await self.streams.read(project_stream(name))
        numbered = self.streams.project_of(stream).numbered[release]
        begun = await self.start(name, project.before(stream.facts, release), numbered)
        return replace(begun, before=True)

    async def start(self, name: str, then: project.ProjectState, numbered: facts.ReleaseNumbered) -> Opened:
        """Mark and begin a release that has its number; `then` is the project as it was at that moment."""
        release = numbered.release
        # Whoever begins it has just numbered it, or read that it has a number.
        if release in self.streams.project_of(await self.streams.recall(project_stream(name))).closed:
            return Opened(release, name, numbered.number, None)
        entry = self.outside.projects[name]
        opened = facts.ReleaseOpened(
            release=release,
            project=name,
            number=numbered.number,
            commit=numbered.commit,
            data=numbered.data,
            blobs=then.data,
            ask=numbered.ask,
            cause=numbered.cause,
            by=numbered.by,
            reason=numbered.reason,
            line=line.ADOPTED if numbered.version else line.NAMES,
            policy=entry.digest,
            promote_when=entry.policy.promote_when,
        )
        first = [opened, *await self._begins_with(then, numbered)]
        await self.outside.ledger.mark(f"open/{release}", chain.encode(first, "", None))
        return await self.begin(opened, first)

    async def _begins_with(self, then: project.ProjectState, numbered: facts.ReleaseNumbered) -> tuple[Fact, ...]:
        """Return what is known of an adopted version; of every other release nothing is known when it opens."""
        if numbered.version is None or then.passed is None:
            return ()
        checked_by = state.fold((await self.streams.read(release_stream(then.passed.release))).facts)
        return adopted.begins_with(numbered.version, checked_by)

    async def begin(self, opened: facts.ReleaseOpened, first: Sequence[Fact]) -> Opened:
        """Make the first append of a release unless it is there; the open mark holds it, the opening fact first."""
        stream = await self.streams.recall(release_stream(opened.release))
        if not stream.records:
            fresh = state.fold(first)
            try:
                stream = await self.streams.append(stream, [*first, *line.due(fresh)])
            except Moved:
                stream = await self.streams.recall(stream.name)
        else:
            stream = await self.streams.read(stream.name)
        # One that has ended is closed again: this mark may have been put after the close took it away.
        due = again(state.fold(stream.facts))
        return Opened(opened.release, opened.project, opened.number, due[0] if due else None)

    async def came_in(self, name: str | None, row: facts.CameIn, notice: Notice) -> None:
        """Record what came in and what became of it, in the project's stream or in the inbox."""
        await self.streams.add(project_stream(name) if name else INBOX, [replace(row, notice=kept(notice))])


def _asked_before(known: project.ProjectState, new: facts.ReleaseNumbered) -> facts.ReleaseNumbered | None:
    """Return the release of the same ask: what was asked once stays that, also when new data or commits came between.

    A push asks for its commit, once: told again, by whoever kept what a git host signed, it trains nothing.
    """
    told = known.numbered.values()
    if new.ask:
        return next((each for each in told if each.ask == new.ask), None)
    return next((each for each in told if new.cause == each.cause == "push" and each.commit == new.commit), None)
