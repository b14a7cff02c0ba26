"""Reading for people: which release a name means, and everything known of it; nothing is written here."""

import asyncio
import json
import re
from collections.abc import Collection
from typing import Any, get_args

from msgspec import Struct

from shared.errors import Conflict, NotFound
from shared.ports import Outside
from shared.release import chain, environment, facts, ids, line, policy, project, state
from shared.release.config import Project, Source
from shared.release.known import CameInRow, KnownEnvironment, KnownRelease, LastHeard
from shared.release.line import outcome
from shared.streams import INBOX, Streams, environment_stream, project_stream, release_stream

ENVIRONMENTS = ("staging", "production")
OUTSIDE = get_args(Source)
RELEASES_HEARD = 20
"""Releases of a project whose events are shown."""


class Reading(Struct, frozen=True):
    """Reads streams, never a copy of them."""

    outside: Outside
    streams: Streams

    async def release(self, name: str, among: Collection[str] | None = None) -> KnownRelease:
        """Return the release that an id, an alias, `project#number` or `project@v3` means.

        With `among`, one of another project than these is told of in the words for one that is not there.
        """
        release = name if ids.release_in(name) == name else await self._named(name, among)
        stream = await self.streams.read(release_stream(release)) if release else chain.begin(name)
        known = self._known(stream)
        opened = known.state.opened
        if not stream.records or (among is not None and (opened is None or opened.project not in among)):
            raise NotFound(f"there is no release {name}; list them with GET /api/releases")
        return known

    def _known(self, stream: chain.Stream) -> KnownRelease:
        known = state.fold(stream.facts)
        address = self.outside.hosting.address(known.release.project, "production") if known.opened else ""
        return KnownRelease(known, stream, address)

    async def releases(self, only: str = "") -> list[KnownRelease]:
        """Return the releases of a project, or of all, newest first within a project."""
        if only and only not in self.outside.projects:
            raise NotFound(f"there is no project {only} in projects.toml")
        names = [only] if only else list(self.outside.projects)
        found = [await self.streams.project(name) for name in names]
        ordered = [release for known in found for release in reversed(known.numbered)]
        streams = await asyncio.gather(*(self.streams.read(release_stream(release)) for release in ordered))
        return [self._known(stream) for stream in streams if stream.records]

    async def _named(self, name: str, among: Collection[str] | None) -> str:
        """Return the id of what is called so, empty when nothing is; only for a version release streams are read."""
        numbered = re.fullmatch(r"([a-z][a-z0-9-]*)(#|@v)(\d{1,9})", name)
        looked = [
            each
            for each in self.outside.projects
            if (among is None or each in among) and (numbered is None or each == numbered[1])
        ]
        meant: list[str] = []
        for each in looked:
            if numbered and numbered[2] == "@v":
                found = [known.state for known in await self.releases(each)]
                meant += [known.release.release for known in found if _version(known) == int(numbered[3])]
                continue
            rows = (await self.streams.project(each)).numbered.values()
            meant += [row.release for row in rows if _called(row, name, numbered)]
        if len(meant) > 1:
            raise Conflict(f"{name} may mean several releases: {', '.join(meant)}; use the id")
        return meant[0] if meant else ""

    async def environments(self, only: str = "") -> list[KnownEnvironment]:
        """Return both environments of a project, or of all projects."""
        if only and only not in self.outside.projects:
            raise NotFound(f"there is no project {only} in projects.toml")
        return [
            await self._environment(name, which)
            for name in ([only] if only else list(self.outside.projects))
            for which in ENVIRONMENTS
        ]

    async def _environment(self, name: str, which: str) -> KnownEnvironment:
        stream = await self.streams.read(environment_stream(name, which))
        waiting: tuple[KnownRelease, ...] = ()
        pending, rules_wait, glass = "", False, set[str]()
        if which == "production":
            known = await self.streams.project(name)
            glass = {release for release, _ in known.glass - known.settled}
            waiting = tuple(open for open in await self._open(known) if line.standing(open.state) == "ask")
            pending, rules_wait = _pending(known), policy.waits(known, self.outside.projects[name])
        address = self.outside.hosting.address(name, which)
        now, broken = environment.fold(stream.facts), tuple(sorted(glass))
        return KnownEnvironment(name, which, now, stream, waiting, address, pending, rules_wait, broken)

    async def _open(self, known: project.ProjectState) -> list[KnownRelease]:
        still = [release for release in known.numbered if release not in known.closed]
        read = [await self.streams.read(release_stream(release)) for release in still]
        return [self._known(stream) for stream in read if stream.records]

    async def came_in(self, only: str, most: int) -> list[CameInRow]:
        """Return the newest of what came in and what the governor decided: of a project, or of all and of nobody's.

        What was heard of runs, versions, images and services is kept by the release that it is about; that of the
        newest releases is among them.
        """
        if only and only not in self.outside.projects:
            raise NotFound(f"there is no project {only} in projects.toml")
        named = {only: project_stream(only)} if only else {name: project_stream(name) for name in self.outside.projects}
        named |= {} if only else {"": INBOX}
        rows = [
            CameInRow(name, record, number)
            for name, stream in named.items()
            for number, record in enumerate((await self.streams.read(stream)).records, start=1)
            if isinstance(record.fact, facts.CameIn | facts.Governed)
        ]
        for name in filter(None, named):
            rows += await self._heard(name)
        return sorted(rows, key=lambda row: (row.record.at, row.line), reverse=True)[:most]

    async def _heard(self, name: str) -> list[CameInRow]:
        newest = list((await self.streams.project(name)).numbered)[-RELEASES_HEARD:]
        streams = await asyncio.gather(*(self.streams.read(release_stream(release)) for release in newest))
        return [
            CameInRow(name, record, release=release)
            for release, stream in zip(newest, streams, strict=True)
            for record in stream.records
            if isinstance(record.fact, facts.Heard)
        ]

    async def last_heard(self) -> list[LastHeard]:
        """Return when each source last told each project something, as the ledger has it."""
        found = []
        for name, entry in self.outside.projects.items():
            records = (await self.streams.read(project_stream(name))).records
            rows = ((each.fact, each.at) for each in records)
            last: dict[str, tuple[str, str]] = dict.fromkeys(entry.expect, ("", ""))
            last |= {
                row.source: (at, row.secret)
                for row, at in rows
                if isinstance(row, facts.CameIn) and row.source in OUTSIDE
            }
            found += [
                LastHeard(name, source, at, _hours(entry, source), secret if secret in entry.secrets[1:] else "")
                for source, (at, secret) in last.items()
            ]
        return found

    async def asked(self, name: str) -> tuple[state.State, dict[str, Any]]:
        """Return what is known of a release whose evidence is sealed, and that evidence."""
        known = (await self.release(name)).state
        return known, json.loads(await self._evidence(known))

    async def evidence(self, name: str) -> bytes:
        """Return the sealed evidence of the newest round, exactly as it was sealed."""
        return await self._evidence((await self.release(name)).state)

    async def _evidence(self, known: state.State) -> bytes:
        if not known.asked:
            waits = line.waiting_for(known) or "nothing: it has ended"
            raise NotFound(f"no evidence is sealed yet; the release waits for {waits}")
        return await self.outside.artifacts.get(known.asked[max(known.asked)].evidence)

    async def log(self, name: str, step: str) -> str:
        """Return the log of the job of a step, of its present round."""
        if step not in line.JOBS:
            raise NotFound(f"there is no log of {step[:40]!r}; there is one of {', '.join(line.JOBS)}")
        known = (await self.release(name)).state
        job = ids.run_name(known.release.release, step, line.round_of(known, step))
        return await self.outside.jobs.log(job)


def _hours(entry: Project, source: str) -> float:
    return next((hours for name, hours in entry.expect.items() if name == source), 0.0)


def _pending(known: project.ProjectState) -> str:
    if not known.wanted:
        return ""
    last = list(known.wanted.values())[-1]
    more = f" (and {len(known.wanted) - 1} more)" if len(known.wanted) > 1 else ""
    return f"{last.reason}{more}; {known.waits.reason if known.waits else 'the governor looks at it next'}"


def _called(row: facts.ReleaseNumbered, name: str, numbered: re.Match[str] | None) -> bool:
    return row.number == int(numbered[3]) if numbered else ids.alias(row.release) == name


def _version(known: state.State) -> int:
    registered = outcome(known, "register")
    return registered.number if isinstance(registered, facts.VersionAdopted) else 0
