"""The ledger on append blobs: every append is made at a position, so that a repeated one cannot land twice."""

import asyncio
import contextlib
import threading
import uuid
from functools import partial

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

from shared.backends.blobs.account import Account, Patience, Unanswered, make, once, repeated
from shared.backends.blobs.segments import BLOCKS, Grown, Segment, Segments
from shared.errors import Conflict

WRITER = "writer"
REMEMBERED = 4096
"""Streams of which the last look is kept; it saves a request for each append."""


class BlobLedger:
    """`Ledger` in the containers `signalbox-ledger` and `signalbox-marks`; safe across threads, processes and machines.

    An append whose answer was lost is looked for before it is made again:
    bytes that stand where ours would be are taken for ours, as the same bytes at the same place say the same.
    """

    def __init__(self, account: Account, blocks: int = BLOCKS) -> None:
        self._account = account
        self._segments = Segments(account.container("ledger"), blocks)
        # Apart, so that a policy may forbid every change and removal in the ledger's container.
        self._marks_in = account.container("marks")
        # Both are what was seen last, never what is believed: each append is conditional on it.
        self._tails: dict[str, Segment] = {}
        self._ends: dict[tuple[str, int], int] = {}
        # The ETags of the marks that this process made, so that removing one costs no look.
        self._own: dict[str, str] = {}
        # Writers of one process wait for one another here, where it costs no request.
        self._turns = [threading.Lock() for _ in range(64)]

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes from position `start` to the end."""
        return await self._account.do(self._read, stream, start)

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append in one block and return the new length; `Conflict` when `at` is not the length."""
        return await self._account.do(self._append, stream, lines, at)

    async def streams(self, prefix: str) -> list[str]:
        """List the names of streams, sorted."""
        return sorted(await self._account.do(self._segments.lengths, prefix))

    async def lengths(self, prefix: str) -> dict[str, int]:
        """Return the length of every stream whose name begins with `prefix`."""
        return dict(sorted((await self._account.do(self._segments.lengths, prefix)).items()))

    async def mark(self, name: str, content: bytes) -> bool:
        """Create a mark if it is absent."""
        return await self._account.do(self._mark, name, content)

    async def unmark(self, name: str) -> None:
        """Remove a mark."""
        await self._account.do(self._unmark, name)

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List marks with their contents, sorted by name."""
        names = sorted(await self._account.do(self._names, prefix))
        contents = await asyncio.gather(*(self._account.do(self._content, name) for name in names))
        return [(name, content) for name, content in zip(names, contents, strict=True) if content is not None]

    def _read(self, stream: str, start: int) -> bytes:
        tail = self._tails.get(stream)
        pieces, at = [], 0
        while True:
            end = self._ends.get((stream, at))
            if end is not None and end <= start:
                at = end
                continue
            # Most readers know all but what came since, and mostly nothing came: that is one request.
            seen = tail if tail is not None and tail.made and (tail.start, tail.end) == (at, start) else None
            segment, content = self._segments.load(stream, at, max(0, start - at), seen=seen)
            if segment is None:
                if at == 0:
                    self._keep(stream, self._segments.first())
                break
            pieces.append(content)
            self._keep(stream, segment)
            if not segment.full:
                break
            at = segment.end
        return b"".join(pieces)

    def _append(self, stream: str, lines: bytes, at: int | None) -> int:
        with self._turns[hash(stream) % len(self._turns)]:
            tail = self._tails.get(stream)
            if tail is None and at == 0:
                # It is made on condition that it is not there, which asks the same.
                tail = self._segments.first()
            if tail is None or not lines or (at is not None and tail.end != at):
                tail = self._tail(stream)
            if lines:
                return self._append_behind(stream, tail, lines, at)
            self._must_be_at(stream, tail, at)
            return tail.end

    def _append_behind(self, stream: str, tail: Segment, lines: bytes, at: int | None) -> int:
        patience, lost = Patience(), None
        while True:
            self._must_be_at(stream, tail, at)
            try:
                added = self._segments.add(stream, tail, lines)
                self._keep(stream, added)
                return added.end
            except Grown:
                patience.contend(stream)
            except Unanswered as error:
                lost = tail
                patience.wait(error)
            tail = self._tail(stream)
            if lost is not None and tail.end > lost.end:
                if self._segments.holds(stream, lost, lines):
                    return lost.end + len(lines)
                # Somebody else stands there: ours was not taken, and cannot be taken there any more.
                lost = None

    @staticmethod
    def _must_be_at(stream: str, tail: Segment, at: int | None) -> None:
        if at is not None and tail.end != at:
            raise Conflict(f"{stream} is {tail.end} bytes long, not {at}: something else was recorded first")

    def _tail(self, stream: str) -> Segment:
        """Look at the segment that takes the next append; it may have to be made first."""
        known = self._tails.pop(stream, None)
        found = self._segments.look(stream, known.start) if known and known.made and known.start else None
        # What was put back from a backup may be shorter than what was seen: from the beginning, then.
        found = found or self._segments.look(stream, 0)
        if found is None:
            return self._segments.first()
        while found.full:
            self._keep(stream, found)
            following = self._segments.look(stream, found.end)
            if following is None:
                return self._segments.first(found.end)
            found = following
        self._keep(stream, found)
        return found

    def _keep(self, stream: str, segment: Segment) -> None:
        if len(self._tails) + len(self._ends) > REMEMBERED:
            self._tails.clear()
            self._ends.clear()
        if segment.full:
            self._ends[stream, segment.start] = segment.end
            self._tails[stream] = self._segments.first(segment.end)
        else:
            self._tails[stream] = segment

    def _mark(self, name: str, content: bytes) -> bool:
        blob, told, patience = self._marks_in.get_blob_client(name), {WRITER: uuid.uuid4().hex}, Patience()
        while True:
            try:
                made = once(f"mark {name}", partial(blob.upload_blob, content, overwrite=False, metadata=told))
                if len(self._own) > REMEMBERED:
                    self._own.clear()
                self._own[name] = str(made["etag"])
                return True
            except Unanswered as error:
                patience.wait(error)
            except (ResourceExistsError, ResourceModifiedError):
                # Ours, if an answer was lost.
                return self._writer(name) == told[WRITER]
            except ResourceNotFoundError:
                make(self._marks_in)
                patience.contend(f"mark {name}")

    def _writer(self, name: str) -> str:
        blob = self._marks_in.get_blob_client(name)
        try:
            found = repeated(f"mark {name}", blob.get_blob_properties)
        except ResourceNotFoundError:
            return ""
        return str((found.metadata or {}).get(WRITER, ""))

    def _unmark(self, name: str) -> None:
        blob, etag = self._marks_in.get_blob_client(name), self._own.pop(name, "")

        def remove() -> None:
            blob.delete_blob(etag=etag, match_condition=MatchConditions.IfNotModified)

        with contextlib.suppress(ResourceNotFoundError, ResourceModifiedError):
            try:
                if etag:
                    return once(f"mark {name}", remove)
            except Unanswered:
                # It may be done: asked again, it must not remove a newer one.
                return repeated(f"mark {name}", remove)
            except ResourceModifiedError:
                # Another one stood there when this was asked, in place of ours.
                pass
            etag = repeated(f"mark {name}", blob.get_blob_properties).etag
            repeated(f"mark {name}", remove)

    def _names(self, prefix: str) -> list[str]:
        names = self._marks_in.list_blob_names
        try:
            return repeated("the list of marks", lambda: list(names(name_starts_with=prefix)))
        except ResourceNotFoundError:
            return []

    def _content(self, name: str) -> bytes | None:
        blob = self._marks_in.get_blob_client(name)
        try:
            return repeated(f"mark {name}", lambda: blob.download_blob().readall())
        except ResourceNotFoundError:
            return None
