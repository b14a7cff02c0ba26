"""Checkpoints: once an hour the heads of all streams go to a second place, out of reach of the ledger's writers."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from msgspec import Struct

from shared.errors import NotFound, Unavailable
from shared.ports import Checkpoints, Ledger
from shared.release import audit, chain, checkpoint, facts
from shared.release.audit import Prover
from shared.release.checkpoint import Checkpoint, Covered, Kept
from shared.streams import AUDIT, Streams

LATE = timedelta(hours=2)
log = logging.getLogger("signalbox")


class Checkpointing(Struct, frozen=True):
    """Makes checkpoints of the whole ledger, reading of each stream only what came since the last one."""

    ledger: Ledger
    place: Checkpoints | None
    streams: Streams
    prover: Prover | None = None
    """Looks at every new line once there is a signed checkpoint; before that lines may be older than the key."""

    async def make(self) -> Checkpoint | None:
        """Make the next checkpoint; None when no second place is set, or nothing changed."""
        if self.place is None:
            return None
        names = checkpoint.ours(await self.place.names())
        kept, unread = await since_whole(self.place, names)
        covered = checkpoint.newest(kept)
        lengths = await self.ledger.lengths("")
        signed = self.streams.sign is not None
        # What is older than the key is proven by the first signed one, so that one waits for nothing.
        due = bool(kept) and signed and not checkpoint.first_signed(kept)
        # A stream that is gone is told of once; the row that tells of a checkpoint is no reason for another one.
        due = due or any(_gone(name) not in kept[-1].checkpoint.broken for name in covered if name not in lengths)
        if not due and not {name for name, length in lengths.items() if _length(covered, name) != length} - {AUDIT}:
            return None
        prover = self.prover if any(each.sig for each in kept) else None
        new, broken = await self._look(covered, lengths, prover)
        last, at = int(names[-1].partition(".")[0]) if names else 0, self.streams.clock()
        broken = unread + broken
        made = checkpoint.following(kept, new, broken, at.isoformat(timespec="seconds"), signed, last)
        content = checkpoint.encode(made, self.streams.sign)
        if not await self.place.put(checkpoint.name_of(made.number), content):
            raise Unavailable(f"checkpoint {made.number} was made by somebody else at the same time")
        length = _total({**covered, **{one.stream: one for one in new}})
        await self.streams.add(AUDIT, [facts.CheckpointMade(made.number, chain.sha256(content), length)])
        for said in broken:
            log.error("checkpoint=%d the ledger is not what it was: error=%r", made.number, said)
        return made

    async def last(self) -> dict[str, str | bool]:
        """Return when the last checkpoint was made, and whether one is late: what came since waits too long for it."""
        if self.place is None:
            return {}
        lengths = await self.ledger.lengths("")
        known = sum(length for name, length in lengths.items() if name != AUDIT)
        rows = [row for row in (await self.streams.read(AUDIT)).records if isinstance(row.fact, facts.CheckpointMade)]
        covered = {row.fact.length for row in rows[-1:] if isinstance(row.fact, facts.CheckpointMade)} or {0}
        since = rows[-1].at if rows else await self._begun(lengths)
        waited = self.streams.clock() - datetime.fromisoformat(since) if since else timedelta()
        return {"checkpoint": since if rows else "", "checkpoint_late": known not in covered and waited > LATE}

    async def _begun(self, lengths: Mapping[str, int]) -> str:
        """Return when the ledger began, about."""
        first = next((name for name in sorted(lengths) if name != AUDIT), "")
        return (await self.streams.read(first)).records[0].at if first else ""

    async def _look(
        self, covered: Mapping[str, Covered], lengths: Mapping[str, int], prover: Prover | None
    ) -> tuple[list[Covered], list[str]]:
        new: list[Covered] = []
        broken = [_gone(name) for name in covered if name not in lengths]
        for name, length in lengths.items():
            before = covered.get(name) or Covered(name, 0, 0, chain.first_head(name))
            if before.length == length:
                continue
            try:
                grown, lines = await self._grown(before)
                new.append(grown)
                if prover is not None:
                    broken += await asyncio.to_thread(audit.unproven, name, lines, before.lines, prover)
            except chain.Broken as error:
                broken.append(str(error))
        return new, broken

    async def _grown(self, before: Covered) -> tuple[Covered, list[bytes]]:
        """Return a stream as it is now, and the lines that came since."""
        known = chain.Stream(before.stream, (), before.length, before.head)
        came = await self.ledger.read(before.stream, before.length)
        try:
            grown = chain.go_on(known, came)
        except chain.Broken:
            grown = known
        if grown.records:
            now = Covered(before.stream, before.lines + len(grown.records), grown.position, grown.head)
            return now, audit.lines_of(came)
        # It is shorter, or does not go on where it ended: redacted lines may be of another length.
        return await self._anew(before)

    async def _anew(self, before: Covered) -> tuple[Covered, list[bytes]]:
        name = before.stream
        content = await self.ledger.read(name)
        lines = content.splitlines(keepends=True)
        seen = chain.decode(name, b"".join(lines[: before.lines]))
        if len(lines) < before.lines or seen.head != before.head:
            raise chain.Broken(f"stream {name}: its first {before.lines} lines are not those of the last checkpoint")
        whole = chain.go_on(seen, b"".join(lines[before.lines :]))
        return Covered(name, len(whole.records), whole.position, whole.head), lines[before.lines :]


def _gone(name: str) -> str:
    return f"stream {name} is gone"


def _total(covered: Mapping[str, Covered]) -> int:
    return sum(one.length for name, one in covered.items() if name != AUDIT)


def _length(covered: Mapping[str, Covered], name: str) -> int:
    return covered[name].length if name in covered else 0


async def since_whole(place: Checkpoints, names: Sequence[str]) -> tuple[list[Kept], list[str]]:
    """Return the newest checkpoints back to the last whole one, oldest first, and a sentence on each unreadable one."""
    kept: list[Kept] = []
    unread: list[str] = []
    for name in reversed(names):
        try:
            kept.append(checkpoint.decode(name, await place.get(name)))
        except NotFound:
            continue
        except chain.Broken as error:
            unread.append(str(error))
            continue
        if kept[-1].checkpoint.whole:
            break
    return kept[::-1], unread
