"""Streams as bytes: one JSON line a fact, chained by digest.

The head of a stream is a running SHA-256 over its lines, begun with the stream's name.
A line appended at a known position carries the head before it;
a row that commutes was appended without one and is covered by the next line that carries it.

Where the operator gave a key, every line ends in its own signature, over the stream's name and the line without it.
A line whose personal texts were taken out keeps in `was` what it was: so the lines behind it still fit.
"""

import hashlib
from collections.abc import Callable, Iterable

import msgspec
from msgspec import Struct

from shared.errors import SignalboxError
from shared.release.facts import KINDS, Fact, Unknown, kind_of

Sign = Callable[[bytes], str]
"""Signs a message; what it returns names the key too."""


class Broken(SignalboxError):
    """A stream is not what was written; the message names the stream and the line."""


class Record(Struct, frozen=True):
    """A fact as it stands in the ledger; `at` is for people, order is by position only."""

    fact: Fact
    at: str


class Was(Struct, frozen=True):
    """What a redacted line was: the SHA-256 of it without its signature, and the head that it led to."""

    line: str
    head: str


class Line(Struct, frozen=True, omit_defaults=True):
    """A line as it stands in the ledger."""

    kind: str
    at: str
    prev: str
    data: msgspec.Raw
    sig: str = ""
    was: Was | None = None


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


def next_head(head: str, line: bytes, was: Was | None = None) -> str:
    """Return the head after a line; after one that was redacted it is the one that the original led to."""
    return was.head if was else hashlib.sha256(head.encode() + line).hexdigest()


def encode(facts: Iterable[Fact], at: str, head: str | None, sign: Sign | None = None, name: str = "") -> bytes:
    """Return the lines of one append; `head` is the head at the position, None for rows that commute.

    With `sign` each line is signed as one of the stream `name`.
    Raises `Broken` rather than write what could not be read back, which nobody could mend.
    """
    lines = []
    for fact in facts:
        data = fact.content if isinstance(fact, Unknown) else _data(fact)
        line = msgspec.json.encode(Line(kind=kind_of(fact), at=at, prev=head or "", data=data)) + b"\n"
        if sign is not None:
            line = with_signature(line, sign(message(name, sha256(line))))
        lines.append(line)
        head = next_head(head, line) if head else head
    return b"".join(lines)


def sha256(content: bytes) -> str:
    """Return 64 hex digits."""
    return hashlib.sha256(content).hexdigest()


def message(name: str, line: str) -> bytes:
    """Return what is signed for a line of the stream `name`; `line` is its SHA-256 without the signature."""
    return b"signalbox line\0" + name.encode() + b"\0" + bytes.fromhex(line)


def with_signature(line: bytes, sig: str) -> bytes:
    """Return a line that was not signed with its signature at its end."""
    return line[:-2] + b',"sig":"' + sig.encode() + b'"}\n'


def without_signature(line: bytes, sig: str) -> bytes:
    """Return a line as it was when it was signed, byte for byte."""
    return line.removesuffix(b',"sig":"' + sig.encode() + b'"}\n') + b"}\n" if sig else line


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
        record, read = _read(name, number, line)
        if read.prev and read.prev != head:
            raise Broken(f"stream {name}, line {number}: what stands before it was changed (chain broken)")
        records.append(record)
        head = next_head(head, line, read.was)
    return Stream(name=name, records=tuple(records), position=before.position + len(content), head=head)


def _read(name: str, number: int, line: bytes) -> tuple[Record, Line]:
    # Without its end a line would still read, and the next append would grow onto it.
    if not line.endswith(b"\n"):
        raise Broken(f"stream {name}, line {number}: cannot be read (its end is gone)")
    try:
        read = msgspec.json.decode(line, type=Line)
        fact = fact_of(read)
    # Bytes that are no text are told apart from malformed JSON only here, inside strings.
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Broken(f"stream {name}, line {number}: cannot be read ({error})") from error
    return Record(fact=fact, at=read.at), read


def fact_of(read: Line) -> Fact:
    """Return the fact that a line holds; msgspec's own error when it is not what its kind says."""
    kind = KINDS.get(read.kind)
    return msgspec.json.decode(read.data, type=kind) if kind else Unknown(named=read.kind, content=read.data)
