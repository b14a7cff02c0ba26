"""The audit of one stream: which line was changed, put in, taken out, moved or cut off, as exactly as can be told.

A signed line is its own proof, of its content and, when it is linked, of everything that stood before it.
What nobody signed counts when the first signed checkpoint covers it: it is older than the key.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec
from msgspec import Struct

from shared.release import chain
from shared.release.chain import Line
from shared.release.checkpoint import Covered, key_of

What = Literal["edited", "inserted", "removed", "reordered", "truncated", "rolled back", "unsigned", "spliced"]
ROWS = 64
"""So many rows between two links are tried in other orders; beyond that the place is named by its two ends."""


class Prover(Protocol):
    """The public keys that are trusted."""

    def knows(self, sig: str) -> bool:
        """Say whether the key that a signature names is one of them."""

    def proves(self, message: bytes, sig: str) -> bool:
        """Say whether a signature is that of a message."""


class Finding(Struct, frozen=True):
    """What is wrong, from which line on (the first is 1)."""

    stream: str
    line: int
    what: What
    said: str

    def __str__(self) -> str:
        """Return it as one line for people."""
        return f"{self.stream}, line {self.line}: {self.what}: {self.said}"


class Known(Struct, frozen=True):
    """What an audit goes by beside the stream: keys, checkpoints, and redactions that were recorded and signed.

    Without a `prover` only the chain is looked at. `first` is the number of the first signed checkpoint.
    `redacted` gives the SHA-256 of a redacted line by stream and line.
    """

    prover: Prover | None = None
    covers: Mapping[str, Sequence[tuple[int, Covered]]] = {}
    first: int = 0
    redacted: Mapping[tuple[str, int], str] = {}
    names: Sequence[str] = ()
    """All streams: a line that does not belong may have been written into another one."""
    retired: Mapping[str, int] = {}
    """Keys that others replaced, with the first checkpoint of the other one: what they sign behind it is forged."""


class Examined(Struct, frozen=True):
    """An audited stream: its lines, how many of them are signed, how many the newest checkpoint covers."""

    stream: str
    lines: int
    signed: int
    covered: int
    checkpoint: int
    findings: tuple[Finding, ...]


def examine(name: str, content: bytes, known: Known) -> Examined:
    """Audit one stream."""
    walk = _Walk(name, lines_of(content), known)
    walk.go()
    covers = known.covers.get(name, ())
    newest = covers[-1] if covers else (0, Covered(name, 0, 0, ""))
    found = sorted(dict.fromkeys(walk.findings), key=lambda one: one.line)
    return Examined(name, len(walk.lines), walk.states.count("good"), newest[1].lines, newest[0], tuple(found))


def lines_of(content: bytes) -> list[bytes]:
    """Return the lines of a stream with their ends; the last one has none when it was cut."""
    pieces = content.split(b"\n")
    return [piece + b"\n" for piece in pieces[:-1]] + ([pieces[-1]] if pieces[-1] else [])


def read_line(line: bytes) -> Line | None:
    """Return what a line says, None when it cannot be read."""
    try:
        return msgspec.json.decode(line, type=Line) if line.endswith(b"\n") else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def _readable(line: bytes) -> Line | None:
    """Return what a line says, None also when that is not what its kind says."""
    read = read_line(line)
    try:
        return read if read is not None and chain.fact_of(read) else None
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None


def signed_as(name: str, line: bytes, read: Line) -> bytes:
    """Return what the signature of a line must be of, if it stood in the stream `name`."""
    return chain.message(name, read.was.line if read.was else chain.sha256(chain.without_signature(line, read.sig)))


def unproven(name: str, lines: Sequence[bytes], before: int, prover: Prover) -> list[str]:
    """Return a sentence on each of these new lines that no trusted key signed; `before` lines stand in front of them.

    Lines that were redacted are left to a whole audit.
    """
    found = []
    for number, line in enumerate(lines, start=before + 1):
        read = read_line(line)
        if read is None or not prover.proves(signed_as(name, line, read), read.sig):
            found.append(f"stream {name}, line {number}: no key that is known here signed it")
    return found


State = Literal["good", "none", "strange", "bad"]


class _Walk:
    """One pass over a stream; `heads` are those after each line, as far as the links tell."""

    def __init__(self, name: str, lines: list[bytes], known: Known) -> None:
        self.name, self.lines, self.known = name, lines, known
        self.read = [_readable(line) for line in lines]
        self.states = [self._state(index) for index in range(len(lines))]
        self.covers = known.covers.get(name, ())
        self.findings: list[Finding] = []
        self.heads: list[str] = []
        self.moved: set[int] = set()
        # Up to the first signature or the first checkpoint, whichever comes first, a line is older than the key.
        first = next((index for index, state in enumerate(self.states) if state == "good"), len(lines))
        self.old = min(first, max((one.lines for number, one in self.covers if number == known.first), default=0))

    def go(self) -> None:
        self._unsigned()
        self._undone()
        self._chain()
        self._covered()

    def find(self, index: int, what: What, said: str) -> None:
        self.findings.append(Finding(self.name, index + 1, what, said))

    def _state(self, index: int) -> State:
        read, line, prover = self.read[index], self.lines[index], self.known.prover
        if read is None:
            return "bad"
        if read.was is not None and self.known.redacted.get((self.name, index + 1)) != chain.sha256(line):
            return "bad"
        if prover is None or not read.sig:
            return "none"
        if not prover.knows(read.sig):
            return "strange"
        return "good" if prover.proves(signed_as(self.name, line, read), read.sig) else "bad"

    def _suspect(self, index: int) -> bool:
        bare = self.known.prover is not None and index >= self.old and self.states[index] != "good"
        return bare or self.states[index] == "bad"

    def _unsigned(self) -> None:
        if self.known.prover is None:
            return
        for state, by in (("none", "nobody"), ("strange", "a key that is not known here")):
            bare = [index for index in range(self.old, len(self.lines)) if self.states[index] == state]
            for start, end in _ranges(bare):
                which = f"lines {start + 1} to {end + 1} are" if end > start else "it is"
                self.find(start, "unsigned", f"{which} signed by {by}")
        ends = {key: self._covered_at(number) for key, number in self.known.retired.items()}
        for index, (read, state) in enumerate(zip(self.read, self.states, strict=True)):
            if read is not None and state == "good" and index >= ends.get(key_of(read.sig), len(self.lines)):
                self.find(index, "unsigned", "it is signed by a key that another one had replaced by then")

    def _covered_at(self, checkpoint: int) -> int:
        return max((one.lines for number, one in self.covers if number <= checkpoint), default=0)

    def _undone(self) -> None:
        for index, (line, state) in enumerate(zip(self.lines, self.states, strict=True)):
            left = self.known.redacted.get((self.name, index + 1))
            if left is not None and state != "bad" and left != chain.sha256(line):
                self.find(index, "edited", "it was redacted, and is not as that left it")

    def _chain(self) -> None:
        head = without = chain.first_head(self.name)
        suspects: list[int] = []
        seen: dict[bytes, int] = {}
        for index, (line, read) in enumerate(zip(self.lines, self.read, strict=True)):
            if self._suspect(index) or read is None:
                suspects.append(index)
                # What nobody signed may claim to have led anywhere.
                head = chain.next_head(head, line, read.was if read and self.states[index] != "bad" else None)
            elif read.sig and line in seen:
                self.find(index, "inserted", f"it is a copy of line {seen[line] + 1}")
            elif read.prev:
                if suspects:
                    self._judge(suspects, "inserted" if read.prev == without and read.prev != head else "edited")
                    suspects = []
                elif read.prev != head:
                    self._explain(index, read.prev)
                head = without = chain.next_head(read.prev, line, read.was)
            else:
                head, without = (chain.next_head(each, line, read.was) for each in (head, without))
            seen.setdefault(line, index)
            self.heads.append(head)
        self._judge(suspects, "edited")

    def _judge(self, suspects: Sequence[int], what: What) -> None:
        """Say of lines that do not prove themselves what became of the stream by them."""
        for index in suspects:
            if what == "edited" and self.states[index] != "bad":
                continue
            if origin := self._origin(index):
                self.find(index, "spliced", f"it was written into {origin}")
            else:
                self.find(index, what, self._why(index) if what == "edited" else "what follows it knows nothing of it")

    def _why(self, index: int) -> str:
        read = self.read[index]
        if read is None:
            return "it cannot be read" if self.lines[index].endswith(b"\n") else "its end is gone"
        return (
            "it says that it was redacted, and nothing signed says so"
            if read.was
            else "its signature is of other words"
        )

    def _origin(self, index: int) -> str:
        read, prover = self.read[index], self.known.prover
        if read is None or prover is None or not prover.knows(read.sig):
            return ""
        line = self.lines[index]
        others = (name for name in self.known.names if name != self.name)
        return next((name for name in others if prover.proves(signed_as(name, line, read), read.sig)), "")

    def _explain(self, index: int, prev: str) -> None:
        """Say what happened right before a line that does not follow the one that it followed."""
        if index in self.moved:
            return
        before = [chain.first_head(self.name), *self.heads[: index - 1]]
        if prev in before:
            for put in range(before.index(prev), index):
                if put not in self.moved:
                    self.find(put, "inserted", f"line {index + 1} followed the line before it")
        elif (later := self._later(index, prev)) is not None:
            self.moved |= set(range(index, later + 1))
            self.find(index, "reordered", f"it followed what is line {later + 1} now")
        elif not self._among_rows(index, prev):
            self._gone(index)

    def _later(self, index: int, prev: str) -> int | None:
        for later in range(index + 1, len(self.lines)):
            read = self.read[later]
            if read and read.prev and chain.next_head(read.prev, self.lines[later], read.was) == prev:
                return later
        return None

    def _among_rows(self, end: int, wanted: str) -> bool:
        """Find the row before a link, or before the end of what is covered, that is too many or in another's place."""
        start = end
        while start and (read := self.read[start - 1]) and not read.prev:
            start -= 1
        base = self.heads[start - 1] if start else chain.first_head(self.name)
        rows = list(range(start, end))
        if len(rows) > ROWS:
            return False
        for put in rows:
            if self._head(base, [each for each in rows if each != put]) == wanted:
                self.find(put, "inserted", "what follows it knows nothing of it")
                return True
        for one, other in ((a, b) for a in rows for b in rows if a < b):
            order = [other if each == one else one if each == other else each for each in rows]
            if self._head(base, order) == wanted:
                self.find(one, "reordered", f"it and line {other + 1} have changed places")
                return True
        return False

    def _head(self, head: str, order: Sequence[int]) -> str:
        for index in order:
            head = chain.next_head(head, self.lines[index])
        return head

    def _gone(self, index: int) -> None:
        start = index
        while start and (read := self.read[start - 1]) and not read.prev:
            start -= 1
        where = f"between line {start} and line {index + 1}" if start else f"before line {index + 1}"
        if self.known.prover is not None and (not index or self.states[index - 1] == "good"):
            moved = " or was moved" if index - start > ROWS else ""
            self.find(start, "removed", f"what stood {where} is gone{moved}")
        else:
            self.find(max(start - 1, 0), "edited", f"it was changed, or what stood {where} was taken out")

    def _covered(self) -> None:
        agreed = 0
        passed = {*self.heads, *map(self._link, range(len(self.lines)))}
        told = False
        for number, one in self.covers:
            if one.lines <= len(self.lines) and one.lines and self.heads[one.lines - 1] == one.head:
                agreed = one.lines
            elif one.head in passed:
                continue
            elif one.lines > len(self.lines):
                # No finding before the end of a stream explains that lines are gone from it.
                self._cut()
            elif not told and not self._explained(agreed, one.lines) and not self._among_rows(one.lines, one.head):
                told = True
                said = f"lines {agreed + 1} to {one.lines} are not those of checkpoint {number}"
                self.find(agreed, "rolled back", said)

    def _cut(self) -> None:
        number, one = self.covers[-1]
        lines = f"lines {len(self.lines) + 1} to {one.lines}"
        gone = (lines, "are") if self.lines else ("the whole stream", "is")
        self.find(len(self.lines), "truncated", f"{gone[0]}, which checkpoint {number} covers, {gone[1]} gone")

    def _explained(self, agreed: int, end: int) -> bool:
        """Say whether something found explains that a checkpoint saw another head after the line `end`.

        What an earlier checkpoint agreed with does not, nor what lies before a signed link: that carries the head on.
        A line that nobody signed is no reason either, for a checkpoint saw it as it was.
        """
        links = (index for index in range(end - 1, -1, -1) if self._link(index))
        after = max(agreed, next(links, -1) + 1)
        return any(after < found.line <= end for found in self.findings if found.what != "unsigned")

    def _link(self, index: int) -> str:
        """Return the head that a signed line carries, empty when it carries none."""
        read = self.read[index]
        return read.prev if read is not None and self.states[index] == "good" else ""


def _ranges(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each row of numbers that follow one another."""
    start = last = -2
    for number in numbers:
        if number != last + 1:
            if start >= 0:
                yield start, last
            start = number
        last = number
    if start >= 0:
        yield start, last
