"""Verify a whole ledger, or the streams of one release, against its keys and its checkpoints."""

from collections.abc import Iterable

from msgspec import Struct

from shared.errors import NotFound
from shared.ports import Checkpoints
from shared.release import audit, chain, checkpoint, facts
from shared.release.audit import Examined, Finding, Known
from shared.release.checkpoint import Kept
from shared.streams import AUDIT
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


async def verify(place: Place, only: Iterable[str] | None = None) -> Verified:
    """Verify every stream, or only these; the audit's own stream always, for it names the checkpoints."""
    kept, wrong = await gathered(place)
    lengths = await place.ledger.lengths("")
    covers = checkpoint.covers(kept)
    names = sorted(lengths.keys() | covers.keys())
    known = Known(
        prover=place.prover,
        covers=covers,
        first=checkpoint.first_signed(kept),
        names=names,
    )
    own = await place.ledger.read(AUDIT)
    known = Known(known.prover, known.covers, known.first, redacted(own, known), names)
    wrong += missing(own, kept, known) if place.checkpoints is not None else []
    wanted = names if only is None else sorted({AUDIT, *only} & set(names))
    found = [audit.examine(name, await place.ledger.read(name), known) for name in wanted]
    newest = kept[-1].checkpoint.number if kept else 0
    return Verified(tuple(found), newest, tuple(wrong), place.prover is not None)


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


def _said(content: bytes, known: Known) -> list[facts.Fact]:
    """Return the facts of the audit's own stream that prove themselves."""
    told: list[facts.Fact] = []
    for line in audit.lines_of(content):
        read = audit.read_line(line)
        # Nothing of this stream is redacted: one that says so keeps the signature of other words.
        if (
            read is None
            or read.was
            or (known.prover and not known.prover.proves(audit.signed_as(AUDIT, line, read), read.sig))
        ):
            continue
        told.append(chain.fact_of(read))
    return told


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
