"""Adopting: a model version that no release of ours made is ignored, or judged and released, as the operator says."""

import re

from msgspec import Struct
from msgspec.structs import replace

from shared.answers import Order
from shared.control.opening import Opened, Opening
from shared.errors import Moved, Unavailable
from shared.ports import Outside
from shared.release import adopted, facts, ids, project, state
from shared.release.facts import Cause, VersionSeen
from shared.release.notices import ModelHeard
from shared.streams import Streams, project_stream, release_stream

SOURCE = "ModelRegistered"
AGAIN = "register it again"
_NUMBER = re.compile(r"[0-9]{1,9}")


class Adopting(Struct, frozen=True):
    """Opens the release of a version at evaluate, once; what cannot be opened is kept with what to do next."""

    outside: Outside
    streams: Streams
    opening: Opening

    async def hear(self, notice: ModelHeard) -> list[Order]:
        """Take in a version that others registered; raises `Unavailable` when the registry cannot be asked."""
        name, subject = notice.name, f"{notice.name}:{notice.version}"
        new = await self._heard(name, notice.version)
        if isinstance(new, str):
            await self.opening.came_in(name, facts.CameIn(SOURCE, subject, "recorded", new))
            return []
        row = facts.CameIn(SOURCE, subject, "release", f"release #{new.number}", "", new.release)
        await self.opening.came_in(name, row)
        return [new.order] if new.order else []

    async def _heard(self, name: str, number: str) -> Opened | str:
        about = f"version {number} of {name} was registered elsewhere"
        if self.outside.projects[name].registered_elsewhere == "ignore":
            advice = f'to have such versions judged, set registered_elsewhere = "adopt" in projects.toml and {AGAIN}'
            return f"{about} and is ignored; {advice}"
        if not _NUMBER.fullmatch(number):
            return f"{about}, and only versions that are numbers can be adopted; {AGAIN} with a number"
        ask = adopted.ask_of(name, int(number))
        known = await self.streams.project(name)
        if before := next((each for each in known.numbered.values() if each.ask == ask), None):
            return await self.opening.again(name, before.release)
        found = await self.outside.registry.version(name, int(number))
        if found is None:
            return f"{about}, and the model registry does not know it; if it was not deleted, {AGAIN}"
        if await self._is_ours(found.release):
            # Its event did not say so: the registry does, and the look of that release finds it.
            return f"version {number} of {name} is the one that release {found.release} made; nothing is to be done"
        version = VersionSeen(found.name, found.number, found.digest)
        return await self.open(name, version, ask, "adopted", "", about)

    async def _is_ours(self, release: str) -> bool:
        named = ids.release_in(release)
        return named is not None and bool((await self.streams.read(release_stream(named))).records)

    async def open(self, name: str, version: VersionSeen, ask: str, cause: Cause, by: str, reason: str) -> Opened | str:
        """Open the release of a version, or find it; return why there cannot be one, and what to do next."""
        async with self.opening.alone(name):
            numbered = await self._number(name, version, ask, cause, by, reason)
        return numbered if isinstance(numbered, str) else await self.opening.start(name, *numbered)

    async def _number(
        self, name: str, version: VersionSeen, ask: str, cause: Cause, by: str, reason: str
    ) -> tuple[project.ProjectState, facts.ReleaseNumbered] | str:
        """Give the release its number, or find it, with the project as it was before: its code passed check by then."""
        while True:
            stream = await self.streams.read(project_stream(name))
            known = self.streams.project_of(stream)
            if asked := next((each for each in known.numbered.values() if each.ask == ask), None):
                return project.before(stream.facts, asked.release), asked
            if known.passed is None or not await self._is_checked(known.passed, version):
                advice = f"push one, and {AGAIN} once it passed"
                return f"{reason}, and no commit of {name} passed check that it could be scored with; {advice}"
            new = self.opening.numbered(name, known, known.passed.commit, ask, cause, by, reason)
            new = replace(new, version=version)
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
            raise Unavailable(f"release #{passed.number} passed check, and its outcome is about to be recorded")
        return False
