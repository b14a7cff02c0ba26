"""Adopting: a model version that no release of ours made is ignored, or judged and released, as the operator says."""

import re

from msgspec import Struct
from msgspec.structs import replace

from shared.answers import Order
from shared.control.opening import Opened, Opening
from shared.errors import Absent, Conflict, Moved, NotYet
from shared.ports import Outside
from shared.release import adopted, facts, ids, project, state
from shared.release.facts import Cause, VersionSeen
from shared.release.notices import ModelHeard
from shared.streams import Streams, project_stream, release_stream

SOURCE = "ModelRegistered"
REGISTER, RUN = "register it again", "run it again"
"""What to do next: whoever registered a version, and whoever asked for a release of it once more."""
_NUMBER = re.compile(r"[0-9]{1,9}")


class Ours(Struct, frozen=True):
    """A version that a release of ours made, though its event did not say so."""

    release: str


class Adopting(Struct, frozen=True):
    """Opens the release of a version at evaluate, once; what cannot be opened is kept with what to do next."""

    outside: Outside
    streams: Streams
    opening: Opening

    async def hear(self, notice: ModelHeard) -> list[Order] | Ours:
        """Take in a version whose event names no release, or say which release made it.

        Raises `Unavailable` when the registry cannot be asked, `Absent` when it does not know the version, and
        `NotYet` while a newer commit is in training.
        """
        name, subject = notice.name, f"{notice.name}:{notice.version}"
        new = await self._heard(name, notice.version)
        if isinstance(new, Ours):
            return new
        if isinstance(new, str):
            await self.opening.came_in(name, facts.CameIn(SOURCE, subject, "recorded", new), notice)
            return []
        became: facts.Became = "duplicate" if new.before else "release"
        row = facts.CameIn(SOURCE, subject, became, f"release #{new.number}", "", new.release)
        await self.opening.came_in(name, row, notice)
        return [new.order] if new.order else []

    async def _heard(self, name: str, number: str) -> Opened | Ours | str:
        about = f"version {number} of {name} was registered elsewhere"
        if not _NUMBER.fullmatch(number):
            return f"{about}, and only versions that are numbers can be adopted; {REGISTER} with a number"
        ask = adopted.ask_of(name, int(number))
        known = await self.streams.project(name)
        if before := next((each for each in known.numbered.values() if each.ask == ask), None):
            return await self.opening.again(name, before.release)
        # Also for who ignores those of others: whose it is, only the registry says.
        found = await self.outside.registry.version(name, int(number))
        if found is None:
            raise Absent(f"{about}, and the model registry does not know it; if it was not deleted, {REGISTER}")
        if made_by := await self._made_by(found.release):
            return Ours(made_by)
        version = VersionSeen(found.name, found.number, found.digest)
        return await self.open(name, version, ask, "adopted", "", about)

    async def _made_by(self, release: str) -> str:
        """Return the release of ours that this property of a version leads to; empty when there is none."""
        named = ids.release_in(release)
        return named if named and (await self.streams.read(release_stream(named))).records else ""

    async def open(
        self, name: str, version: VersionSeen, ask: str, cause: Cause, by: str, reason: str, how: str = ""
    ) -> Opened | str:
        """Open the release of a version, or find it; return why there cannot be one, and what to do next."""
        async with self.opening.alone(name):
            numbered = await self._number(name, version, ask, cause, by, reason, how)
        return numbered if isinstance(numbered, str) else await self.opening.start(name, *numbered)

    async def _number(
        self, name: str, version: VersionSeen, ask: str, cause: Cause, by: str, reason: str, how: str
    ) -> tuple[project.ProjectState, facts.ReleaseNumbered] | str:
        """Give the release its number, or find it, with the project as it was before: its code passed check by then."""
        while True:
            stream = await self.streams.read(project_stream(name))
            known = self.streams.project_of(stream)
            if asked := next((each for each in known.numbered.values() if each.ask == ask), None):
                return project.before(stream.facts, asked.release), asked
            if self.outside.projects[name].registered_elsewhere == "ignore":
                return _ignored(cause, reason)
            _let_pass(known, cause)
            if known.passed is None or not await self._is_checked(known.passed, version):
                advice = f"push one, and {_again(cause)} once it passed"
                return f"{reason}, and no commit of {name} passed check that it could be scored with; {advice}"
            new = self.opening.numbered(name, known, known.passed.commit, ask, cause, by, reason)
            new = replace(new, version=version, how=how)
            try:
                await self.streams.append(stream, [new])
            except Moved:
                continue
            return known, new

    async def _is_checked(self, passed: facts.CommitPassed, version: VersionSeen) -> bool:
        """Say whether the outcome of that check is recorded; the project hears of it first."""
        source = state.fold((await self.streams.read(release_stream(passed.release))).facts)
        if adopted.begins_with(version, source):
            return True
        if source.ended is None:
            raise NotYet(f"release #{passed.number} passed check, and its outcome is about to be recorded")
        return False


def _again(cause: Cause) -> str:
    return REGISTER if cause == "adopted" else RUN


def _ignored(cause: Cause, reason: str) -> str:
    advice = f'to have such versions judged, set registered_elsewhere = "adopt" in projects.toml and {_again(cause)}'
    if cause == "adopted":
        return f"{reason} and is ignored; {advice}"
    return f'registered_elsewhere is "ignore" now, and others registered this version; {advice}'


def _let_pass(known: project.ProjectState, cause: Cause) -> None:
    """Let a newer commit than the last that passed check go first: what is adopted would take its place once live.

    Raises `NotYet`, so that the event comes again, and `Conflict` for a person.
    """
    passed = known.passed
    running = [each for each in known.running if each.version is None]
    newer = [each for each in running if passed and each.number > passed.number and each.commit != passed.commit]
    if not newer:
        return
    first = f"release #{newer[0].number} of commit {newer[0].commit[:7]} is in training; it comes first"
    if cause == "adopted":
        raise NotYet(first)
    raise Conflict(f"{first}: {_again(cause)} when it passed check, or cancel it first")
