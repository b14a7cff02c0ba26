"""Replaying: what came in is taken in once more because a person says so; ids are computed, so it is safe always."""

from collections.abc import Awaitable, Callable, Sequence

from msgspec import Struct

from shared.answers import Answer
from shared.control.opening import Opening
from shared.control.returning import Told
from shared.control.speaking import SpeaksFor
from shared.errors import Conflict, NotFound
from shared.ports import Outside
from shared.release import facts
from shared.release.notices import Notice, ReplayAsked, told_again
from shared.streams import INBOX, Streams, project_stream

TakeIn = Callable[[Sequence[Notice], SpeaksFor | None], Awaitable[Answer]]
NOBODYS = "-"
"""What stands for the project in the name of a row that is no project's."""


class Replaying(Struct, frozen=True):
    """Finds the row that a person names, and what it told."""

    outside: Outside
    streams: Streams
    opening: Opening

    async def replay(self, asked: ReplayAsked, told: Told, take_in: TakeIn) -> Answer:
        """Take in again what this row told; one that led to a release orders that release's step again.

        `NotFound` when there is no such row, `Conflict` when what it told was not kept.
        """
        name, row = await self._row(asked.row)
        said = f"{asked.row} again: {asked.reason}"
        if row.release:
            begun = await self.opening.again(name, row.release)
            await self._record(name, facts.CameIn("person", asked.by, "duplicate", said, "", row.release))
            return Answer(202, {"releases": [begun.plain()], "recorded": []}, (begun.order,) if begun.order else ())
        notices = told(await self.outside.artifacts.get(row.delivery)) if row.source == "dead-letter" else []
        if kept := told_again(row.notice):
            notices = [kept]
        if not notices:
            raise Conflict(f"what {asked.row} told was not kept: let its sender send it again")
        await self._record(name, facts.CameIn("person", asked.by, "recorded", said))
        # Who operates one project stands behind what came to it, and not behind what it would be of another.
        return await take_in(notices, {name: row.secret} if name else None)

    async def _row(self, named: str) -> tuple[str, facts.CameIn]:
        project, _, number = named.rpartition(":")
        name = "" if project == NOBODYS else project
        if name and name not in self.outside.projects:
            raise NotFound(f"there is no project {name} in projects.toml")
        records = (await self.streams.read(project_stream(name) if name else INBOX)).records
        place = int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0
        row = records[place - 1].fact if 0 < place <= len(records) else None
        if not isinstance(row, facts.CameIn):
            raise NotFound(f"there is no event {named}; list them with GET /api/events")
        return name, row

    async def _record(self, name: str, row: facts.CameIn) -> None:
        await self.streams.add(project_stream(name) if name else INBOX, [row])
