"""Triggers: a push, new data, drift or a person opens a release; everything else that came in is recorded with why."""

from msgspec import Struct

from shared.control.opening import Opened, Opening
from shared.errors import Conflict, NotFound
from shared.ports import Outside
from shared.release import facts, project
from shared.release.addresses import same_repository
from shared.release.notices import BlobHeard, DriftHeard, Ignored, Notice, OpenAsked, Pushed
from shared.streams import Streams, project_stream

Pulled = tuple[list[Opened], list[str]]


class Triggers(Struct, frozen=True):
    """Finds the projects a notice is about, by the plain rule: each of them opens a release."""

    outside: Outside
    streams: Streams
    opening: Opening

    async def pull(self, notice: Notice, speaks_for: frozenset[str] | None) -> Pulled:
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
            case _:
                raise TypeError(f"{type(notice).__name__} opens no release")

    def _projects(self, addresses: tuple[str, ...], speaks_for: frozenset[str] | None) -> list[str]:
        return [
            name
            for name, entry in self.outside.projects.items()
            if (speaks_for is None or name in speaks_for)
            and any(same_repository(address, entry.repository) for address in addresses)
        ]

    async def _pushed(self, notice: Pushed, speaks_for: frozenset[str] | None) -> Pulled:
        names = self._projects(notice.addresses, speaks_for)
        if not names:
            where = notice.addresses[0] if notice.addresses else "an unnamed repository"
            reason = f"no project that this sender may speak for has the repository {where}"
            return [], [await self._record(None, notice.source, notice.ref, reason, notice.delivery, "refused")]
        opened: list[Opened] = []
        recorded: list[str] = []
        for name in names:
            branch = self.outside.projects[name].branch
            if notice.ref != f"refs/heads/{branch}":
                reason = f"{notice.ref} is not the branch {branch} that releases of {name} come from"
                recorded.append(await self._record(name, notice.source, notice.ref, reason, notice.delivery))
                continue
            said = notice.message.splitlines()[0] if notice.message else f"{notice.after[:7]} on {branch}"
            new = await self.opening.open(name, notice.after, "", "push", notice.by, said)
            await self._opened(name, notice.source, notice.ref, notice.delivery, new)
            opened.append(new)
        return opened, recorded

    async def _ignored(self, notice: Ignored, speaks_for: frozenset[str] | None) -> Pulled:
        names: list[str | None] = [*self._projects(notice.addresses, speaks_for)] or [None]
        said = [
            await self._record(name, notice.source, notice.subject, notice.reason, notice.delivery) for name in names
        ]
        return [], said[:1]

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
            return [], [await self._record(None, "data", subject, "no project reads this container", "", "refused")]
        for name in names:
            row = facts.DataArrived(notice.container, notice.name, notice.size, notice.etag, notice.sequencer)
            await self.streams.add(project_stream(name), [row])
            known = await self.streams.project(name)
            reason = f"data arrived: {subject} ({notice.size} bytes)"
            new = await self._again(name, known, "", "data", "", reason)
            if new is None:
                waits = f"{reason}; no commit of {name} has come in yet, so it waits for a push"
                recorded.append(await self._record(name, "data", subject, waits, ""))
            else:
                await self._opened(name, "data", subject, "", new)
                opened.append(new)
        return opened, recorded

    async def _drift(self, notice: DriftHeard) -> Pulled:
        names = [
            name
            for name, entry in self.outside.projects.items()
            if notice.monitor == name or notice.monitor in entry.drift_monitors
        ]
        if not names:
            reason = "no project has this monitor; name it in drift_monitors of projects.toml"
            return [], [await self._record(None, "drift", notice.monitor, reason, notice.window, "refused")]
        opened: list[Opened] = []
        recorded: list[str] = []
        for name in names:
            known = await self.streams.project(name)
            reason = f"drift seen by {notice.monitor}: {notice.about}"
            new = await self._again(name, known, f"drift {notice.monitor} {notice.window}", "drift", "", reason)
            if new is None:
                waits = f"{reason}; no commit of {name} has come in yet"
                recorded.append(await self._record(name, "drift", notice.monitor, waits, notice.window))
            else:
                await self._opened(name, "drift", notice.monitor, notice.window, new)
                opened.append(new)
        return opened, recorded

    async def _asked(self, notice: OpenAsked) -> Pulled:
        if notice.project not in self.outside.projects:
            known = ", ".join(self.outside.projects) or "none"
            raise NotFound(f"there is no project {notice.project} in projects.toml; known: {known}")
        state = await self.streams.project(notice.project)
        new = await self._again(notice.project, state, f"person {notice.key}", "person", notice.by, notice.reason)
        if new is None:
            raise Conflict(f"no commit of {notice.project} has come in yet; push one first")
        await self._opened(notice.project, "person", notice.by, notice.key, new)
        return [new], []

    async def _again(
        self, name: str, known: project.ProjectState, ask: str, cause: facts.Cause, by: str, reason: str
    ) -> Opened | None:
        """Open a release of the commit that is trained again; None when there is none."""
        if not known.commit:
            return None
        return await self.opening.open(name, known.commit, ask, cause, by, reason)

    async def _opened(self, name: str, source: str, subject: str, delivery: str, new: Opened) -> None:
        row = facts.CameIn(source, subject, "release", f"release #{new.number}", delivery, new.release)
        await self.opening.came_in(name, row)

    async def _record(
        self,
        name: str | None,
        source: str,
        subject: str,
        reason: str,
        delivery: str,
        became: facts.Became = "recorded",
    ) -> str:
        await self.opening.came_in(name, facts.CameIn(source, subject, became, reason, delivery))
        return reason
