"""A stream as a row of append blobs, because one holds no more than 50,000 appends.

A segment is named by the position it begins at, and says in its metadata how many appends it takes.
It is full when it has had that many: whoever looks at it sees the same, so nobody writes past it,
and a crash between two segments leaves nothing to mend.
"""

from functools import partial

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, ContainerClient
from msgspec import Struct

from shared.backends.blobs.account import make, once, repeated

BLOCKS = 40_000
"""Appends to a segment; the service refuses the 50,001st."""

PIECE = 16 * 1024 * 1024
"""Bytes read by one request: more would be split by the SDK, which takes an append in between for a change."""

LIMIT = "blocks"


class Segment(Struct, frozen=True):
    """One append blob of a stream as it was seen; `start` and `length` in bytes, `made` when it exists."""

    start: int
    length: int
    blocks: int
    limit: int
    made: bool = True

    @property
    def end(self) -> int:
        """The position in the stream behind its last byte."""
        return self.start + self.length

    @property
    def full(self) -> bool:
        """Whether the stream goes on in the next one."""
        return self.made and self.blocks >= self.limit


class Grown(Exception):
    """A segment is not as it was seen."""


class Segments:
    """The segments in one container; `limit` is the number of appends that new ones take."""

    def __init__(self, container: ContainerClient, limit: int = BLOCKS) -> None:
        self._container = container
        self._limit = limit

    def first(self, start: int = 0) -> Segment:
        """Return the segment that is made when something is appended at `start`."""
        return Segment(start, 0, 0, self._limit, made=False)

    def look(self, stream: str, start: int) -> Segment | None:
        """Return how the segment that begins at `start` is; None when there is none."""
        try:
            return _seen(start, repeated(stream, self._blob(stream, start).get_blob_properties))
        except ResourceNotFoundError:
            return None

    def load(
        self, stream: str, start: int, offset: int, most: int | None = None, seen: Segment | None = None
    ) -> tuple[Segment | None, bytes]:
        """Return a segment and its bytes from `offset`: all, or at most so many; (None, b"") when there is none.

        `seen` is how it was seen when it ended at `offset`: without more bytes, that is how it still is.
        """
        blob, content, segment = self._blob(stream, start), bytearray(), None
        while most is None or len(content) < most:
            wanted = PIECE if most is None else min(PIECE, most - len(content))
            try:
                properties, piece = repeated(stream, partial(_get, blob, offset + len(content), wanted))
            except HttpResponseError as error:
                if error.status_code not in (404, 416):
                    raise
                if error.status_code == 404:
                    return None, b""
                # There is nothing from there on: an empty segment, or a start at its very end.
                segment = segment or seen
                break
            segment = _seen(start, properties)
            content += piece
            if offset + len(content) >= segment.length:
                break
        return segment or self.look(stream, start), bytes(content)

    def add(self, stream: str, segment: Segment, lines: bytes) -> Segment:
        """Append to a segment that is as it was seen and return how it is now.

        Raises `Grown` when it is not so any more; `Unanswered` when nobody knows.
        """
        blob = self._blob(stream, segment.start)
        if not segment.made:
            self._create(stream, blob)
        try:
            once(stream, lambda: blob.append_block(lines, appendpos_condition=segment.length))
        except HttpResponseError as error:
            if error.status_code not in (404, 409, 412):
                raise
            raise Grown(stream) from error
        return Segment(segment.start, segment.length + len(lines), segment.blocks + 1, segment.limit)

    def holds(self, stream: str, segment: Segment, lines: bytes) -> bool:
        """Say whether exactly `lines` stand right behind what `segment` was."""
        return self.load(stream, segment.start, segment.length, len(lines))[1] == lines

    def lengths(self, prefix: str) -> dict[str, int]:
        """Return the length of each stream whose name begins with `prefix`."""
        try:
            found = repeated("the list of streams", lambda: list(self._container.list_blobs(name_starts_with=prefix)))
        except ResourceNotFoundError:
            return {}
        ends: dict[str, int] = {}
        for one in found:
            name, _, start = one.name.rpartition("/")
            # What was made and never appended to is no stream yet.
            if one.size and name.startswith(prefix):
                ends[name] = max(ends.get(name, 0), int(start) + one.size)
        return ends

    def _create(self, stream: str, blob: BlobClient) -> None:
        """Make a segment; `Grown` when it is there. Never without the condition: that would empty it."""

        def create() -> None:
            blob.create_append_blob(metadata={LIMIT: str(self._limit)}, match_condition=MatchConditions.IfMissing)

        try:
            try:
                repeated(stream, create)
            except ResourceNotFoundError:
                make(self._container)
                repeated(stream, create)
        except (ResourceExistsError, ResourceModifiedError) as error:
            raise Grown(stream) from error

    def _blob(self, stream: str, start: int) -> BlobClient:
        return self._container.get_blob_client(f"{stream}/{start:020d}")


def _get(blob: BlobClient, offset: int, size: int) -> tuple[BlobProperties, bytes]:
    answer = blob.download_blob(offset=offset, length=size)
    found = answer.properties
    # The SDK puts the length of the piece in place of the blob's.
    found.size = int((found.content_range or "").rpartition("/")[2])
    return found, answer.readall()


def _seen(start: int, found: BlobProperties) -> Segment:
    limit = int((found.metadata or {}).get(LIMIT, BLOCKS))
    return Segment(start, found.size, int(found.append_blob_committed_block_count or 0), limit)
