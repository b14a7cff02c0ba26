"""Streams of facts over the ledger port: read and verified, appended at the position read."""

from collections.abc import Callable, Sequence
from datetime import datetime

from msgspec import Struct, field

from shared.errors import Conflict, Moved
from shared.ports import Ledger
from shared.release import chain, environment, project
from shared.release.facts import Fact
from shared.release.project import ProjectState

KEPT = 256
"""Streams whose beginning a process remembers; what was read and verified once only grows."""


class Streams(Struct, frozen=True):
    """The three kinds of stream, by name; `clock` gives the time that people read."""

    ledger: Ledger
    clock: Callable[[], datetime]
    sign: chain.Sign | None = None
    """Signs every line; None where the operator gave no key."""
    kept: dict[str, chain.Stream] = field(default_factory=dict)
    folded: dict[str, tuple[chain.Stream, ProjectState]] = field(default_factory=dict)

    async def read(self, name: str) -> chain.Stream:
        """Read a stream; one that does not exist is empty. Only what came since it was read last is fetched."""
        before = self.kept.get(name) or chain.begin(name)
        try:
            stream = chain.go_on(before, await self.ledger.read(name, before.position))
        except chain.Broken:
            if not before.position:
                raise
            # One that was put back from a backup may have grown past what is remembered: the whole of it tells.
            self.kept.pop(name, None)
            return await self.read(name)
        self._keep(stream)
        return stream

    async def recall(self, name: str) -> chain.Stream:
        """Return a stream as this process saw it last, without asking; one it never saw is read.

        It may have grown since. So what is decided from it holds by an append at its position,
        or once `still` found that nothing came since.
        """
        return self.kept.get(name) or await self.read(name)

    async def still(self, stream: chain.Stream) -> None:
        """Ask whether a stream that was recalled is all there is; raises `Moved` when it has grown."""
        if (await self.read(stream.name)).position != stream.position:
            raise Moved(f"{stream.name} moved on from {stream.position}")

    async def append(self, stream: chain.Stream, facts: Sequence[Fact]) -> chain.Stream:
        """Append in one piece at the position read and return the stream; `Moved` when something else came first."""
        lines = chain.encode(facts, self._now(), stream.head, self.sign, stream.name)
        try:
            await self.ledger.append(stream.name, lines, stream.position)
        except Conflict as conflict:
            await self._moved(stream)
            raise Moved(f"{stream.name} moved on from {stream.position}") from conflict
        appended = chain.go_on(stream, lines)
        self._keep(appended)
        return appended

    async def add(self, name: str, facts: Sequence[Fact]) -> None:
        """Append rows that commute, at whatever position."""
        lines = chain.encode(facts, self._now(), None, self.sign, name)
        length = await self.ledger.append(name, lines, None)
        before = self.kept.get(name)
        # Rows of others in between are fetched when the stream is read.
        if before is not None and before.position + len(lines) == length:
            self._keep(chain.go_on(before, lines))

    async def add_while(self, wanted: Callable[[chain.Stream], bool], stream: chain.Stream, fact: Fact) -> None:
        """Append a row that is wanted by a stream that was recalled, unless it is not by what came since."""
        try:
            await self.append(stream, [fact])
        except Moved:
            if wanted(await self.read(stream.name)):
                await self.add(stream.name, [fact])

    def _keep(self, stream: chain.Stream) -> None:
        # Another reader may have come further meanwhile.
        longest = max(stream, self.kept.pop(stream.name, stream), key=lambda each: each.position)
        if longest.records:
            self.kept[stream.name] = longest
            if len(self.kept) > KEPT:
                del self.kept[next(iter(self.kept))]

    async def _moved(self, stream: chain.Stream) -> None:
        """Fetch what came first, so that the next decision knows it."""
        came = await self.ledger.read(stream.name, stream.position)
        try:
            self._keep(chain.go_on(stream, came))
        except chain.Broken:
            came = b""
        # A stream that was put back from a backup is shorter than what is remembered: only then read it whole.
        if not came:
            self.kept.pop(stream.name, None)

    async def project(self, name: str) -> ProjectState:
        """Return what is known of a project."""
        return self.project_of(await self.read(project_stream(name)))

    def project_of(self, stream: chain.Stream) -> ProjectState:
        """Return what is known of a project after this stream; only what came since the last fold is folded.

        A project's stream never ends, and every ingest asks what is known.
        """
        before, state = self.folded.get(stream.name, (chain.begin(stream.name), ProjectState()))
        count = len(before.records)
        # Two that read at once decode the same line each: it is equal, and not the same object.
        if count and (count > len(stream.records) or stream.records[count - 1] != before.records[-1]):
            count, state = 0, ProjectState()
        for record in stream.records[count:]:
            project.learn(state, record.fact)
        self.folded[stream.name] = (stream, state)
        return project.copied(state)

    async def environment(self, name: str, which: str) -> environment.EnvironmentState:
        """Return what is known of an environment of a project."""
        return environment.fold((await self.read(environment_stream(name, which))).facts)

    def _now(self) -> str:
        return self.clock().isoformat(timespec="milliseconds")


def release_stream(release: str) -> str:
    """Return the name of a release's stream."""
    return f"release/{release}"


def project_stream(project: str) -> str:
    """Return the name of a project's stream."""
    return f"project/{project}"


def environment_stream(project: str, environment: str) -> str:
    """Return the name of the stream of a project's environment."""
    return f"environment/{project}/{environment}"


AUDIT = "audit"
"""The stream of what concerns the ledger itself: checkpoints and redactions."""


def told_stream(about: str) -> str:
    """Return the name of the stream of what was told outside about a release or an environment."""
    return f"told/{about}"


INBOX = "inbox"
"""The stream of what came in and belongs to no project."""
