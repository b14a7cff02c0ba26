"""Triggers: a push or a person opens a release, data and drift want one; all that came in is recorded with why."""

from fnmatch import fnmatchcase

from msgspec import Struct

from shared.control.adopting import Adopting
from shared.control.governing import Governing
from shared.control.opening import Opened, Opening
from shared.control.speaking import SpeaksFor, spoken_for
from shared.errors import Conflict, NotFound
from shared.ports import Outside
from shared.release import facts, ids, project, state
from shared.release.config import OURS
from shared.release.notices import BlobHeard, DriftHeard, Ignored, Notice, OpenAsked, Pushed, RerunAsked
from shared.streams import Streams, project_stream, release_stream

Pulled = tuple[list[Opened], list[str]]


class Triggers(Struct, frozen=True):
    """Finds the projects a notice is about; what nobody stands behind is for the governor to answer."""

    outside: Outside
    streams: Streams
    opening: Opening
    governing: Governing
    adopting: Adopting

    async def pull(self, notice: Notice, speaks_for: SpeaksFor | None) -> Pulled:
        """Return the releases a notice opened or led to, and a sentence for each thing that was only recorded."""
        match notice:
            case Pushed():
                return await self._pushed(notice, speaks_for)
            case Ignored():
                return await self._ignored(notice, speaks_for)
            case BlobHeard():
                return await self._data(notice)
            case DriftHeard():
                return await self._drift(notice)
            case OpenAsked():
                return await self._asked(notice)
            case RerunAsked():
                return await self._rerun(notice)
            case _:
                raise TypeError(f"{type(notice).__name__} opens no release")

    async def _pushed(self, notice: Pushed, speaks_for: SpeaksFor | None) -> Pulled:
        names = spoken_for(self.outside.projects, notice.addresses, speaks_for)
        if not names:
            where = notice.addresses[0] if notice.addresses else "an unnamed repository"
            reason = f"no project that this sender may speak for has the repository {where}"
            return [], [await self._record(None, notice, notice.source, notice.ref, reason, "refused")]
        opened: list[Opened] = []
        recorded: list[str] = []
        for name, secret in names.items():
            branch = self.outside.projects[name].branch
            if notice.ref != f"refs/heads/{branch}":
                reason = f"{notice.ref} is not the branch {branch} that releases of {name} come from"
                row = facts.CameIn(notice.source, notice.ref, "recorded", reason, notice.delivery, secret=secret)
                recorded.append(await self._keep(name, row, notice))
                continue
            said = notice.message.splitlines()[0] if notice.message else f"{notice.after[:7]} on {branch}"
            new = await self.opening.open(name, notice.after, "", "push", notice.by, said)
            await self._opened(name, notice, notice.source, notice.ref, new, secret)
            opened.append(new)
        return opened, recorded

    async def _ignored(self, notice: Ignored, speaks_for: SpeaksFor | None) -> Pulled:
        names = spoken_for(self.outside.projects, notice.addresses, speaks_for)
        for name, secret in names.items() or [(None, "")]:
            row = facts.CameIn(notice.source, notice.subject, "recorded", notice.reason, notice.delivery, secret=secret)
            await self._keep(name, row, notice)
        return [], [notice.reason]

    async def _data(self, notice: BlobHeard) -> Pulled:
        opened: list[Opened] = []
        recorded: list[str] = []
        subject = f"{notice.container}/{notice.name}"
        names = [
            name
            for name, entry in self.outside.projects.items()
            if entry.data and entry.data.container == notice.container and notice.name.startswith(entry.data.prefix)
        ]
        if not names:
            ours = "one of the app's own containers: nothing in it trains a model"
            reason = ours if notice.container.startswith(OURS) else "no project reads this container"
            return [], [await self._record(None, notice, "data", subject, reason, "refused")]
        for name in names:
            new, said = await self._arrived(name, notice, subject)
            opened += new
            recorded += said
        return opened, recorded

    async def _arrived(self, name: str, notice: BlobHeard, subject: str) -> Pulled:
        entry, known = self.outside.projects[name], await self.streams.project(name)
        row = facts.DataArrived(notice.container, notice.name, notice.size, notice.etag, notice.sequencer, notice.time)
        announces = bool(entry.data and entry.data.manifest and fnmatchcase(notice.name, entry.data.manifest))
        if not notice.size and not announces:
            said = "an empty blob: it has nothing to learn from"
            return [], [await self._record(name, notice, "data", subject, said)]
        reason = f"data arrived: {subject} ({notice.size} bytes)"
        key = f"data {subject} {notice.etag} {notice.sequencer}"
        if key not in known.keys and known.holds(row):
            said = f"this version of {subject}, or a later one, came in before"
            return [], [await self._record(name, notice, "data", subject, said, "duplicate")]
        if entry.data and entry.data.manifest and not announces and not _late(known, row, entry.data.manifest):
            await self.streams.add(project_stream(name), [row])
            said = f"{reason}; it waits for {entry.data.manifest}"
            return [], [await self._record(name, notice, "data", subject, said, "waiting")]
        wanted = facts.TrainingWanted(key, "data", subject, reason, self._now())
        return await self._want(name, wanted, (row,), notice)

    async def _drift(self, notice: DriftHeard) -> Pulled:
        names = [
            name
            for name, entry in self.outside.projects.items()
            if notice.monitor == name or notice.monitor in entry.drift_monitors
        ]
        if not names:
            reason = "no project has this monitor; name it in drift_monitors of projects.toml"
            return [], [await self._record(None, notice, "drift", notice.monitor, reason, "refused")]
        opened: list[Opened] = []
        recorded: list[str] = []
        for name in names:
            key = f"drift {notice.monitor} {notice.window}"
            reason = f"drift seen by {notice.monitor}: {notice.about}"
            wanted = facts.TrainingWanted(key, "drift", notice.monitor, reason, self._now(), key)
            new, said = await self._want(name, wanted, (), notice)
            opened += new
            recorded += said
        return opened, recorded

    async def _want(
        self, name: str, wanted: facts.TrainingWanted, rows: tuple[facts.Fact, ...], notice: BlobHeard | DriftHeard
    ) -> Pulled:
        """Record that a training is wanted and let the governor answer; a repeat heals what its first coming began."""
        known = await self.streams.project(name)
        source, subject, answer = wanted.cause, wanted.subject, known.keys.get(wanted.key)
        if answer is not None:
            said = f"{wanted.reason}; it came in before"
            row = facts.CameIn(source, subject, "duplicate", said, _delivery(notice), answer)
            await self.opening.came_in(name, row, notice)
        else:
            await self.streams.add(project_stream(name), [*rows, wanted])
        if answer:
            return [await self.opening.again(name, answer)], []
        ruling = await self.governing.govern(name)
        if ruling.opened is not None:
            await self._opened(name, notice, source, subject, ruling.opened)
            return [ruling.opened], []
        if answer is not None:
            return [], [wanted.reason]
        if ruling.waits is None:
            return [], [await self._answered_meanwhile(name, wanted, notice)]
        said = f"{wanted.reason}; {ruling.waits.reason}"
        became: facts.Became = "waiting" if ruling.waits.decision == "waits" else "recorded"
        row = facts.CameIn(source, subject, became, said, _delivery(notice), ruling.waits.release)
        await self.opening.came_in(name, row, notice)
        return [], [said]

    async def _answered_meanwhile(self, name: str, wanted: facts.TrainingWanted, notice: BlobHeard | DriftHeard) -> str:
        """Record that what came in is in a release which the governor began for others that came at the same time."""
        release = (await self.streams.project(name)).keys.get(wanted.key, "")
        said = f"{wanted.reason}; it is in the release that was opened for all that came at the same time"
        row = facts.CameIn(wanted.cause, wanted.subject, "recorded", said, _delivery(notice), release)
        await self.opening.came_in(name, row, notice)
        return said

    async def _rerun(self, notice: RerunAsked) -> Pulled:
        known = state.fold((await self.streams.read(release_stream(notice.release))).facts)
        if known.opened is None:
            raise NotFound(f"there is no release {notice.release}")
        number, ended = known.opened.number, known.ended
        if ended is None:
            raise Conflict(f"release #{number} is still open; cancel it first, or resume it when it is parked")
        if ended.how in ("live", "kept"):
            raise Conflict(f"release #{number} ended as {ended.how}; only what did not come through is run again")
        name, commit = known.opened.project, known.opened.commit
        if name not in self.outside.projects:
            raise NotFound(f"project {name} of this release is no longer in projects.toml")
        ask = f"rerun {notice.release} {notice.key}".strip()
        reason = f"#{number} ({ids.alias(notice.release)}) again: {notice.reason}"
        numbered = (await self.streams.project(name)).numbered[notice.release]
        if numbered.version is None:
            new: Opened | str = await self.opening.open(name, commit, ask, "rerun", notice.by, reason, notice.how)
        else:
            new = await self.adopting.open(name, numbered.version, ask, "rerun", notice.by, reason, notice.how)
        if isinstance(new, str):
            raise Conflict(new)
        await self._opened(name, notice, "person", notice.by, new)
        return [new], []

    async def _asked(self, notice: OpenAsked) -> Pulled:
        if notice.project not in self.outside.projects:
            others = ", ".join(self.outside.projects) or "none"
            raise NotFound(f"there is no project {notice.project} in projects.toml; known: {others}")
        known, ask = await self.streams.project(notice.project), f"person {notice.key}"
        if not known.commit:
            raise Conflict(f"no commit of {notice.project} has come in yet; push one first")
        newer = next((each for each in known.running if each.cause == "push" and each.commit != known.commit), None)
        if newer is not None and all(each.ask != ask for each in known.numbered.values()):
            # The older commit would come after it, and take its place.
            advice = "ask again when it passed check, or cancel it first"
            raise Conflict(f"release #{newer.number} of the newer commit {newer.commit[:7]} is in training; {advice}")
        new = await self.opening.open(notice.project, known.commit, ask, "person", notice.by, notice.reason, notice.how)
        await self._opened(notice.project, notice, "person", notice.by, new)
        return [new], []

    async def _opened(
        self, name: str, notice: Notice, source: str, subject: str, new: Opened, secret: str = ""
    ) -> None:
        became: facts.Became = "duplicate" if new.before else "release"
        said = f"release #{new.number}"
        await self._keep(
            name, facts.CameIn(source, subject, became, said, _delivery(notice), new.release, secret), notice
        )

    async def _record(
        self,
        name: str | None,
        notice: Notice,
        source: str,
        subject: str,
        reason: str,
        became: facts.Became = "recorded",
    ) -> str:
        return await self._keep(name, facts.CameIn(source, subject, became, reason, _delivery(notice)), notice)

    async def _keep(self, name: str | None, row: facts.CameIn, notice: Notice) -> str:
        await self.opening.came_in(name, row, notice)
        return row.reason

    def _now(self) -> int:
        return int(self.outside.clock().timestamp())


def _delivery(notice: Notice) -> str:
    """Return the name by which its sender knows what came in, or empty when it gives none."""
    match notice:
        case Pushed(delivery=name) | Ignored(delivery=name) | DriftHeard(window=name):
            return name
        case OpenAsked(key=name) | RerunAsked(key=name):
            return name
        case _:
            return ""


def _late(known: project.ProjectState, row: facts.DataArrived, manifest: str) -> bool:
    """Say whether a blob was written before a manifest that came first: events come in any order."""
    announced = [each.time for each in known.arrivals.values() if fnmatchcase(each.name, manifest)]
    return bool(row.time) and any(row.time < time for time in announced)
