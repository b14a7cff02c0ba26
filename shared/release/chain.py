"""Streams as bytes: one JSON line a fact, chained by digest.

The head of a stream is a running SHA-256 over its lines, begun with the stream's name.
A line appended at a known position carries the head before it;
a row that commutes was appended without one and is covered by the next line that carries it.
"""

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Struct

from shared.errors import SignalboxError
from shared.release.facts import KINDS, Fact, Unknown, kind_of


class Broken(SignalboxError):
    """A stream is not what was written; the message names the stream and the line."""


class Record(Struct, frozen=True):
    """A fact as it stands in the ledger; `at` is for people, order is by position only."""

    fact: Fact
    at: str


class _Line(Struct, frozen=True):
    kind: str
    at: str
    prev: str
    data: msgspec.Raw


class Stream(Struct, frozen=True):
    """A stream as read: its records, the position to append at, and the head that position has."""

    name: str
    records: tuple[Record, ...]
    position: int
    head: str

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The facts alone, in order."""
        return tuple(record.fact for record in self.records)


def first_head(name: str) -> str:
    """Return the head of a stream that has no line yet."""
    return hashlib.sha256(f"signalbox stream {name}".encode()).hexdigest()


def _next_head(head: str, line: bytes) -> str:
    return hashlib.sha256(head.encode() + line).hexdigest()


def encode(facts: Iterable[Fact], at: str, head: str | None) -> bytes:
    """Return the lines of one append; `head` is the head at the position, None for rows that commute.

    Raises `Broken` rather than write what could not be read back, which nobody could mend.
    """
    lines = []
    for fact in facts:
        data = fact.content if isinstance(fact, Unknown) else _data(fact)
        line = msgspec.json.encode(_Line(kind=kind_of(fact), at=at, prev=head or "", data=data)) + b"\n"
        lines.append(line)
        head = _next_head(head, line) if head else head
    return b"".join(lines)


def _data(fact: Fact) -> msgspec.Raw:
    data = msgspec.json.encode(fact)
    try:
        msgspec.json.decode(data, type=type(fact))
    except msgspec.MsgspecError as error:
        raise Broken(f"a {kind_of(fact)} cannot be written: {error}") from error
    return msgspec.Raw(data)


def begin(name: str) -> Stream:
    """Return a stream of which nothing was read yet."""
    return Stream(name=name, records=(), position=0, head=first_head(name))


def decode(name: str, content: bytes) -> Stream:
    """Read a whole stream and verify its chain; raises `Broken` naming the first line that does not fit."""
    return go_on(begin(name), content)


def go_on(before: Stream, content: bytes) -> Stream:
    """Read what follows a stream that was verified up to its position; raises `Broken` likewise."""
    if not content:
        return before
    name, head, records = before.name, before.head, list(before.records)
    for number, line in enumerate(content.splitlines(keepends=True), start=len(records) + 1):
        record, prev = _read(name, number, line)
        if prev and prev != head:
            raise Broken(f"stream {name}, line {number}: what stands before it was changed (chain broken)")
        records.append(record)
        head = _next_head(head, line)
    return Stream(name=name, records=tuple(records), position=before.position + len(content), head=head)


def _read(name: str, number: int, line: bytes) -> tuple[Record, str]:
    # Without its end a line would still read, and the next append would grow onto it.
    if not line.endswith(b"\n"):
        raise Broken(f"stream {name}, line {number}: cannot be read (its end is gone)")
    try:
        read = msgspec.json.decode(line, type=_Line)
        kind = KINDS.get(read.kind)
        fact = msgspec.json.decode(read.data, type=kind) if kind else Unknown(named=read.kind, content=read.data)
    # Bytes that are no text are told apart from malformed JSON only here, inside strings.
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Broken(f"stream {name}, line {number}: cannot be read ({error})") from error
    return Record(fact=fact, at=read.at), read.prev
