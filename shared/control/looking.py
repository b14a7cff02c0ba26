"""Looking around: what pages show of many releases at once, read so that a thousand of them cost no more than a few.

A project's stream tells of every release its number, its cause and its end.
So only what a page shows in full is read.
"""

import asyncio
import json
from collections.abc import Iterable
from typing import Any, Literal

from msgspec import Struct

from shared.control import judging
from shared.control.reading import ENVIRONMENTS, Reading
from shared.errors import NotAllowed, NotFound
from shared.release import environment, facts, policy, project, state
from shared.release.known import Agreement, Before, CameInRow, KnownEnvironment, KnownProject, KnownRelease, Seen
from shared.release.notices import DecisionGiven
from shared.steps import policies
from shared.steps.snapshot import read_member
from shared.streams import INBOX, environment_stream, project_stream

ROWS = 50
"""Rows on a page of a list."""
IN_FULL = 10
"""Releases of a project that the first page shows with what they wait for."""
DECISIONS: tuple[Literal["approve", "reject"], ...] = ("approve", "reject")
LARGEST_LIST = 64 * 1024
"""Bytes of a list of requirements that is compared."""


class Looking(Struct, frozen=True):
    """Reads for one person, who sees these projects and no other."""

    reading: Reading

    async def seen_by(self, person: str) -> frozenset[str]:
        """Return the projects whose pages a person may see, by the policy in force and by the file at once.

        Where a project names no roles, its approvers see it.
        """
        return frozenset([name for name in self.reading.outside.projects if await self._may_look(name, person)])

    async def _may_look(self, name: str, person: str) -> bool:
        outside = self.reading.outside
        entry = outside.projects[name]
        known = self.reading.streams.project_of(await self.reading.streams.recall(project_stream(name)))
        both = (policy.of(entry), await policies.in_force(outside.artifacts, known, entry))
        return all(policy.may(rules, person, "viewer" if rules.roles else "approver") for rules in both)

    async def agreement(self, known: state.State, who: str) -> Agreement:
        """Return what is lacking for the newest question of a release, and what somebody may not decide about it."""
        outside = self.reading.outside
        asked = known.asked[max(known.asked)]
        bench = await judging.bench(outside, self.reading.streams, known, asked)
        refused: dict[str, str] = {}
        for decision in DECISIONS:
            given = DecisionGiven(known.release.release, bench.spelt(who), decision, "", asked.evidence)
            try:
                bench.stands_for(given, outside.clock().date())
            except NotAllowed as error:
                refused[decision] = str(error)
        return Agreement(bench.rules, bench.verdict(known, asked), refused)

    async def projects(self, see: frozenset[str]) -> list[KnownProject]:
        """Return every project with its environments and the newest of its open releases."""
        return list(await asyncio.gather(*(self._project(name) for name in self._sorted(see))))

    async def _project(self, name: str) -> KnownProject:
        reading = self.reading
        known = await reading.streams.project(name)
        still = [release for release in reversed(known.numbered) if release not in known.closed]
        opened = [each for each in [await self._found(release) for release in still[:IN_FULL]] if each]
        asked = [release for release in still if release in known.asked]
        waiting = tuple(each for each in [await self._found(release) for release in asked[:IN_FULL]] if each)
        environments = tuple([await self._environment(name, which, known, waiting) for which in ENVIRONMENTS])
        return KnownProject(name, known, environments, tuple(opened), len(still))

    async def _environment(
        self, name: str, which: str, known: project.ProjectState, waiting: tuple[KnownRelease, ...]
    ) -> KnownEnvironment:
        outside = self.reading.outside
        stream = await self.reading.streams.read(environment_stream(name, which))
        return KnownEnvironment(
            project=name,
            name=which,
            state=environment.fold(stream.facts),
            stream=stream,
            waiting=waiting,
            address=outside.hosting.address(name, which),
            rules_wait=policy.waits(known, outside.projects[name]),
            glass=tuple(sorted({release for release, _ in known.glass - known.settled})),
        )

    async def _found(self, release: str) -> KnownRelease | None:
        try:
            return await self.reading.release(release)
        except NotFound:
            # It has its number, and its opening is still to come.
            return None

    async def numbered(
        self, see: frozenset[str], only: str, upto: int | None
    ) -> Seen[tuple[str, facts.ReleaseNumbered, str]]:
        """Return releases by project, number and end, newest first; `upto` counts from the oldest."""
        rows: list[tuple[str, facts.ReleaseNumbered, str]] = []
        for name in self._chosen(see, only):
            known = await self.reading.streams.project(name)
            rows += [(name, each, known.closed.get(each.release, "")) for each in known.numbered.values()]
        rows.sort(key=lambda row: (row[1].at, row[1].number))
        return _page(rows, upto)

    async def came_in(self, see: frozenset[str], only: str, upto: int | None) -> Seen[CameInRow]:
        """Return what came in and what the governor decided, newest first; `upto` counts from the oldest.

        What is nobody's is shown to those who see every project.
        """
        named = {name: project_stream(name) for name in self._chosen(see, only)}
        if not only and see >= self.reading.outside.projects.keys():
            named[""] = INBOX
        rows = [
            CameInRow(name, record, number)
            for name, stream in named.items()
            for number, record in enumerate((await self.reading.streams.read(stream)).records, start=1)
            if isinstance(record.fact, facts.CameIn | facts.Governed)
        ]
        rows.sort(key=lambda row: row.record.at)
        return _page(rows, upto)

    async def release(self, see: frozenset[str], name: str) -> KnownRelease:
        """Return a release of a project that may be seen; one of another project is as if it were not there."""
        return await self.reading.release(name, see)

    async def before(self, known: state.State, evidence: dict[str, Any]) -> Before:
        """Return what the release would replace, and all that says what changed since."""
        ours = await self.reading.streams.project(known.release.project)
        replaced = evidence["replaces"]
        old = await self._found(replaced["release"]) if replaced else None
        return Before(
            old=old.state if old else None,
            between=_between(ours, old.state if old else None, known.release.number),
            requirements=await self._requirements(known),
            old_requirements=await self._requirements(old.state) if old else "",
            newer=_newer(ours, known),
        )

    async def _requirements(self, known: state.State) -> str:
        if known.code is None:
            return ""
        path = json.loads(known.code.settings).get("train", {}).get("requirements", "requirements.txt")
        try:
            snapshot = await self.reading.outside.artifacts.get(known.code.code)
        except NotFound:
            # What retention removed is compared with nothing.
            return ""
        found = read_member(snapshot, path) or b""
        return found[:LARGEST_LIST].decode("utf-8", "replace")

    def _sorted(self, see: Iterable[str]) -> list[str]:
        return [name for name in sorted(self.reading.outside.projects) if name in set(see)]

    def _chosen(self, see: frozenset[str], only: str) -> list[str]:
        if only and only not in see:
            raise NotFound(f"there is no project {only} that you may see")
        return [only] if only else self._sorted(see)


def _page(rows: list[Any], upto: int | None) -> Seen[Any]:
    end = len(rows) if upto is None else min(upto, len(rows))
    start = max(0, end - ROWS)
    return Seen(rows[start:end][::-1], len(rows), start, end)


def _between(known: project.ProjectState, old: state.State | None, number: int) -> tuple[facts.ReleaseNumbered, ...]:
    """Return the pushes after what is live, up to this release; without its own."""
    since = old.release.number if old else number - 1
    pushed = [each for each in known.numbered.values() if since < each.number < number and each.cause == "push"]
    return tuple(pushed)


def _newer(known: project.ProjectState, about: state.State) -> str:
    """Return the release that people are asked about in place of this one; empty when there is none."""
    newer = {number: release for release, number in known.asked.items() if number > about.release.number}
    return newer[max(newer)] if newer else ""
