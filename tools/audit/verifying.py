"""Verify a whole ledger, or the streams of one release, against its keys and its checkpoints."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import timedelta

import msgspec
from msgspec import Struct, structs

from shared.errors import NotFound
from shared.ports import Checkpoints
from shared.release import audit, chain, checkpoint, facts
from shared.release.audit import Examined, Finding, Known
from shared.release.checkpoint import Kept
from shared.streams import AUDIT, release_stream
from tools.audit.place import Place


class Verified(Struct, frozen=True):
    """What an audit found; `checkpoint` is the number of the newest one that counts, 0 without any."""

    streams: tuple[Examined, ...]
    checkpoint: int
    wrong: tuple[str, ...]
    """A sentence on each checkpoint that does not count."""
    signing: bool

    @property
    def findings(self) -> list[Finding]:
        """Everything that is wrong, stream by stream."""
        return [found for stream in self.streams for found in stream.findings]

    @property
    def whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not self.wrong


async def verify(place: Place, only: Collection[str] | None = None) -> Verified:
    """Verify every stream, or only these; the audit's own stream always, for it names the checkpoints.

    `NotFound` when one of these is nowhere, and nothing that proves itself says that it was there.
    """
    kept, wrong = await gathered(place)
    lengths = await place.ledger.lengths("")
    covers = checkpoint.covers(kept)
    names = sorted(lengths.keys() | covers.keys())
    known = Known(
        prover=place.prover,
        covers=covers,
        first=checkpoint.first_signed(kept),
        names=names,
        retired=checkpoint.retired(kept),
    )
    own = await place.ledger.read(AUDIT)
    known = structs.replace(known, redacted=redacted(own, known))
    wrong += missing(own, kept, known) if place.checkpoints is not None else []
    lost = await lost_releases(place, known)
    wanted = {AUDIT, *(names if only is None else only)} & set(names)
    if only is not None and (strange := set(only) - {*wanted, *(one.stream for one in lost)}):
        raise NotFound(f"there is no stream {', '.join(sorted(strange))}")
    found = [await _examined(place, name, lengths.get(name, 0), known) for name in sorted(wanted)]
    gone = [Examined(one.stream, 0, 0, 0, 0, (one,)) for one in lost if only is None or one.stream in only]
    newest = kept[-1].checkpoint.number if kept else 0
    return Verified((*found, *gone), newest, tuple(wrong), place.prover is not None)


async def _examined(place: Place, name: str, length: int, known: Known) -> Examined:
    content = await place.ledger.read(name)
    told = audit.examine(name, content, known)
    # It may have grown since; a stack goes on while it is verified.
    if length <= len(content) <= max(length, (await place.ledger.lengths(name)).get(name, 0)):
        return told
    said = f"the storage says that it is {length} bytes long, and {len(content)} are there"
    return structs.replace(told, findings=(*told.findings, Finding(name, told.lines + 1, "edited", said)))


BEGUN = timedelta(hours=1)
"""After this a release that has its number has also begun, or its mark is there by which the patrol begins it."""


async def lost_releases(place: Place, known: Known) -> list[Finding]:
    """Return what is gone with its whole stream, and is known by the number that its project gave it."""
    marked = {name.removeprefix("open/") for name, _ in await place.ledger.marks("open/")}
    now = place.read.clock().timestamp()
    found = []
    for name in await place.ledger.streams("project/"):
        for number, fact in _proven(name, await place.ledger.read(name), known):
            if not isinstance(fact, facts.ReleaseNumbered) or fact.release in marked:
                continue
            if release_stream(fact.release) not in known.names and fact.at < now - BEGUN.total_seconds():
                said = f"the whole stream is gone, and {name} numbers it in line {number}"
                found.append(Finding(release_stream(fact.release), 1, "removed", said))
    return found


async def gathered(place: Place) -> tuple[list[Kept], list[str]]:
    """Return all checkpoints that count, oldest first, and a sentence on each that does not."""
    if place.checkpoints is None:
        return [], []
    kept, wrong = await _read(place.checkpoints)

    def proven(each: Kept) -> bool:
        return place.prover is None or place.prover.proves(each.message, each.sig)

    good, bad = checkpoint.linked(kept, proven)
    return good, wrong + bad


async def _read(place: Checkpoints) -> tuple[list[Kept], list[str]]:
    kept: list[Kept] = []
    wrong: list[str] = []
    for name in checkpoint.ours(await place.names()):
        try:
            kept.append(checkpoint.decode(name, await place.get(name)))
        except (chain.Broken, NotFound) as error:
            wrong.append(str(error))
    return kept, wrong


def _proven(name: str, content: bytes, known: Known) -> Iterator[tuple[int, facts.Fact]]:
    """Yield the facts of a stream that prove themselves, with the numbers of their lines.

    A redacted one keeps the signature of other words, so it counts only as it was recorded: in the audit's own, never.
    """
    for number, line in enumerate(audit.lines_of(content), start=1):
        read = audit.read_line(line)
        if read is None or (read.was and known.redacted.get((name, number)) != chain.sha256(line)):
            continue
        if known.prover and not known.prover.proves(audit.signed_as(name, line, read), read.sig):
            continue
        # What cannot be read as its kind is a finding of the stream that it stands in.
        with suppress(msgspec.MsgspecError, UnicodeDecodeError):
            yield number, chain.fact_of(read)


def _said(content: bytes, known: Known) -> list[facts.Fact]:
    """Return the facts of the audit's own stream that prove themselves."""
    return [fact for _, fact in _proven(AUDIT, content, known)]


def redacted(content: bytes, known: Known) -> dict[tuple[str, int], str]:
    """Return the SHA-256 of each line that was redacted, as the audit's stream says."""
    told = (fact for fact in _said(content, known) if isinstance(fact, facts.Redacted))
    return {(fact.stream, fact.line): fact.now for fact in told}


def missing(content: bytes, kept: list[Kept], known: Known) -> list[str]:
    """Return a sentence on each checkpoint that the ledger knows and the second place does not hold as it was."""
    told = _said(content, known)
    # After a restore the checkpoints begin anew, in a place of their own.
    restored = max((number for number, fact in enumerate(told) if isinstance(fact, facts.Restored)), default=-1)
    there = {each.checkpoint.number: each.digest for each in kept}
    said = []
    for fact in told[restored + 1 :]:
        if isinstance(fact, facts.CheckpointMade) and there.get(fact.number) != fact.digest:
            what = "is not the one" if fact.number in there else "is gone"
            said.append(f"checkpoint {fact.number} {what} that the ledger tells of")
    return said
