"""Redaction and retention: what a person wrote, or is called, is taken out of the ledger, and the chain stays whole."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Protocol, cast

import msgspec
from msgspec import Struct

from shared.errors import Conflict, NotFound, NotUnderstood
from shared.release import audit, chain, environment, facts, project, redaction, state
from shared.streams import AUDIT, environment_stream, project_stream, release_stream, told_stream
from tools.audit.place import Place
from tools.audit.served import when
from tools.audit.telling import MONTHS

Change = Callable[[object], object]
"""What a line holds, and what it is to hold."""


class Rewritable(Protocol):
    """A ledger whose streams can be put anew."""

    async def rewrite(self, stream: str, content: bytes, at: int) -> None:
        """Put other bytes in place of a whole stream; `Conflict` unless it is `at` bytes long."""
        ...


class Asked(Struct, frozen=True):
    """Who has something redacted, and why; it stands in the ledger from then on."""

    by: str
    reason: str


class Done(Struct, frozen=True):
    """What was redacted: how many lines of which stream, and which streams were left since they are still at work.

    In those of `stands` a person is named where no text stands.
    """

    lines: dict[str, int]
    left: tuple[str, ...] = ()
    stands: tuple[str, ...] = ()


async def of_release(place: Place, release: str, asked: Asked) -> Done:
    """Take all texts of people out of a release that has ended, and out of what its project says of it."""
    name = release_stream(release)
    known = state.fold((await place.read.read(name)).facts)
    if known.opened is None:
        raise NotFound(f"there is no release {release}: give its id")
    if known.ended is None:
        raise Conflict(f"release {release} is still at work, and is decided by what stands in it")
    if await _glass_waits(place, known):
        raise Conflict(f"the broken glass of release {release} waits for a second person, who must be another one")

    opened = known.opened

    def about(data: object) -> object:
        return redaction.without_texts(data) if _concerns(data, release, opened.commit) else data

    changes: dict[str, Change] = {name: redaction.without_texts, project_stream(opened.project): about}
    changes |= dict.fromkeys(await place.ledger.streams(environment_stream(opened.project, "")), about)
    changes[told_stream(release)] = redaction.without_addresses
    return await redact(place, changes, asked)


def _concerns(data: object, release: str, commit: str) -> bool:
    """Say whether a line is about a release, or is what came in of its commit and became none."""
    if not isinstance(data, dict):
        return False
    notice = data.get("notice") or {}
    return data.get("release") == release or (bool(commit) and commit in (notice.get("after"), notice.get("commit")))


async def of_person(place: Place, person: str, asked: Asked) -> Done:
    """Take every mention of a person out of all streams, but for releases that are still at work."""
    if len(person) < 4:
        raise NotUnderstood(f"{person!r} is too short to name one person: give the whole e-mail address or name")
    left = []
    changes: dict[str, Change] = {}
    for name in await place.ledger.streams(""):
        if not await _names(place, name, person):
            continue
        if name == AUDIT or not await _over(place, name):
            left.append(name)
        else:
            changes[name] = lambda data: redaction.without_person(data, person)
    done = await redact(place, changes, asked)
    stands = [name for name in changes if await _names(place, name, person)]
    return Done(done.lines, tuple(left), tuple(stands))


async def _names(place: Place, name: str, person: str) -> bool:
    return redaction.mentions((await place.ledger.read(name)).decode(errors="replace"), person)


async def older_than(place: Place, days: int, now: datetime, asked: Asked) -> Done:
    """Take all texts of people out of what ended so many days ago: releases, and months of the access log."""
    before = now - timedelta(days=days)
    done: dict[str, int] = {}
    for name in await place.ledger.streams("release/"):
        stream = await place.read.read(name)
        if stream.records and when(stream.records[-1].at) < before and await _ended(place, name):
            done |= (await of_release(place, name.removeprefix("release/"), asked)).lines
    for name in await place.ledger.streams(MONTHS):
        stream = await place.read.read(name)
        if name.removeprefix(MONTHS) < f"{before:%Y-%m}" and stream.records:
            done |= (await redact(place, {name: redaction.without_texts}, asked)).lines
    return Done(done)


async def _over(place: Place, name: str) -> bool:
    """Say whether nothing is decided any more by what stands in a stream, or in the release that it tells of."""
    kind, _, release = name.partition("/")
    ours = release_stream(release)
    return kind not in ("release", "told") or not await place.ledger.read(ours) or await _ended(place, ours)


async def _ended(place: Place, name: str) -> bool:
    known = state.fold((await place.read.read(name)).facts)
    return known.ended is not None and not await _glass_waits(place, known)


async def _glass_waits(place: Place, known: state.State) -> bool:
    if not known.glass or known.opened is None:
        return False
    told = await place.read.project(known.opened.project)
    return any(release == known.opened.release for release, _ in told.glass - told.settled)


async def redact(place: Place, changes: dict[str, Change], asked: Asked) -> Done:
    """Change what lines hold; `Conflict` before anything is rewritten when a stream could not be read back then."""
    if not hasattr(place.ledger, "rewrite"):
        raise Conflict("append blobs cannot be changed: redact in a copy that was restored into a state folder")
    rewritten: list[tuple[str, bytes, int, list[facts.Redacted]]] = []
    for name, change in changes.items():
        content = await place.ledger.read(name)
        chain.decode(name, content)
        new, redacted = _changed(name, audit.lines_of(content), change, asked)
        _read_back(name, b"".join(new))
        rewritten.append((name, b"".join(new), len(content), redacted))
    streams = place.streams
    for name, after, length, redacted in rewritten:
        if redacted:
            # Said first: a line that is as it was proves itself, one that was changed and of which nothing is said not.
            await streams.add(AUDIT, redacted)
            await _rewritten(place, name, after, length)
    return Done({name: len(redacted) for name, _, _, redacted in rewritten if redacted})


async def _rewritten(place: Place, name: str, after: bytes, length: int) -> None:
    """Put a stream anew, with what came behind it meanwhile: a project's stream never rests."""
    before = (await place.ledger.read(name))[:length]
    while True:
        try:
            return await cast(Rewritable, place.ledger).rewrite(name, after, length)
        except Conflict:
            now = await place.ledger.read(name)
            if now[:length] != before or len(now) == length:
                raise
            before, after, length = now, after + now[length:], len(now)


FOLDS = {"release": state.fold, "project": project.fold, "environment": environment.fold}


def _read_back(name: str, content: bytes) -> None:
    """Read a stream as the app will; the ledger's own error would come when nothing can be done any more."""
    try:
        known = chain.decode(name, content).facts
    except chain.Broken as error:
        raise Conflict(f"nothing was redacted: {error}") from error
    if fold := FOLDS.get(name.partition("/")[0]):
        fold(known)


def _changed(
    name: str, lines: Iterable[bytes], change: Change, asked: Asked
) -> tuple[list[bytes], list[facts.Redacted]]:
    head, new, redacted = chain.first_head(name), [], []
    for number, line in enumerate(lines, start=1):
        read = audit.read_line(line)
        assert read is not None
        head = chain.next_head(head, line, read.was)
        held = msgspec.json.decode(read.data)
        left = change(held)
        if left != held:
            line = redaction.taken_out(line, read, head, msgspec.json.encode(left))
            redacted.append(facts.Redacted(name, number, chain.sha256(line), asked.by, asked.reason))
        new.append(line)
    return new, redacted
