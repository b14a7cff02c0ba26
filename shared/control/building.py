"""Building: what a CI outside of Signalbox says of a commit is kept, and the releases of that commit look again."""

from msgspec import Struct

from shared.answers import Order
from shared.control.speaking import SpeaksFor, spoken_for
from shared.ports import Outside
from shared.release import facts, notices
from shared.release.notices import BuildHeard
from shared.streams import INBOX, Streams, project_stream


class Building(Struct, frozen=True):
    """Keeps the words of the CI that the operator named; they may come before the push, late, and again."""

    outside: Outside
    streams: Streams

    async def hear(self, notice: BuildHeard, speaks_for: SpeaksFor | None) -> tuple[list[Order], list[str]]:
        """Return the looks that are due because of it, and a sentence for each project that it is about."""
        names = spoken_for(self.outside.projects, notice.addresses, speaks_for)
        if not notice.addresses:
            # A build that names no repository is believed about the projects whose secret its sender has;
            # a person who has it taken in again stands behind it for those that wait for it.
            waiting = {name: "" for name, entry in self.outside.projects.items() if entry.outside_ci == notice.name}
            spoken = waiting if speaks_for is None else speaks_for
            names = {name: secret for name, secret in spoken.items() if name in self.outside.projects}
        if not names:
            reason = "no project that this sender may speak for has this repository"
            told = notices.kept(notice)
            row = facts.CameIn(notice.source, _subject(notice), "refused", reason, notice.delivery, notice=told)
            await self.streams.add(INBOX, [row])
            return [], [reason]
        orders: list[Order] = []
        said: list[str] = []
        for name, secret in names.items():
            due, sentence = await self._keep(name, notice, secret)
            orders += due
            said.append(sentence)
        return orders, said

    async def _keep(self, name: str, notice: BuildHeard, secret: str) -> tuple[list[Order], str]:
        about, wanted = (
            f"{notice.name} said {notice.said} of {notice.commit[:7]}",
            self.outside.projects[name].outside_ci,
        )
        if notice.name != wanted:
            waits = f"{name} waits for {wanted}" if wanted else f"{name} waits for no CI (outside_ci)"
            return [], await self._record(name, notice, "recorded", f"{about}; {waits}", secret)
        ended = facts.CiEnded(
            name=notice.name,
            commit=notice.commit,
            verdict=notice.verdict,
            said=notice.said,
            link=notice.link,
            run=notice.run,
            tries=notice.attempt,
        )
        known = await self.streams.project(name)
        if known.ci.get((ended.name, ended.commit)) == ended:
            said = await self._record(name, notice, "duplicate", f"{about}; it came in before", secret)
        else:
            said = await self._record(name, notice, "recorded", about, secret, ended)
            known = await self.streams.project(name)
        # Also for a repeat: the looks of its first coming may have been lost.
        looks = [
            Order("look", numbered.release, 0)
            for numbered in known.numbered.values()
            if numbered.commit == ended.commit and numbered.release not in known.closed
        ]
        return looks, said

    async def _record(
        self, name: str, notice: BuildHeard, became: facts.Became, said: str, secret: str, *kept: facts.Fact
    ) -> str:
        told = notices.kept(notice)
        row = facts.CameIn(notice.source, _subject(notice), became, said, notice.delivery, secret=secret, notice=told)
        await self.streams.add(project_stream(name), [*kept, row])
        return said


def _subject(notice: BuildHeard) -> str:
    return f"{notice.name} {notice.commit[:7]}"
