"""Checkpoints: where every stream ended at a moment, signed, numbered and chained, to be kept in a second place.

A line that is gone from the end of a stream leaves no trace in the ledger; a checkpoint that covers it tells.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from shared.release import chain
from shared.release.chain import Broken, Sign

WHOLE_EVERY = 100
"""A whole one comes as often as this, so that nobody reads back further."""


class Covered(Struct, frozen=True):
    """A stream as a checkpoint saw it: how many lines and bytes it had, and its head."""

    stream: str
    lines: int
    length: int
    head: str


class Checkpoint(Struct, frozen=True):
    """The streams that changed since the checkpoint `before` (a SHA-256); all of them in one that is `whole`.

    `broken` says which streams did not fit what was seen of them: these are not covered any further.
    """

    number: int
    at: str
    before: str
    whole: bool
    streams: tuple[Covered, ...]
    broken: tuple[str, ...] = ()


class Kept(Struct, frozen=True):
    """A checkpoint as it is kept; `digest` is the SHA-256 of all its bytes."""

    checkpoint: Checkpoint
    digest: str
    sig: str
    message: bytes


class _File(Struct, frozen=True):
    checkpoint: msgspec.Raw
    sig: str


Covers = Mapping[str, Sequence[tuple[int, Covered]]]
"""What is covered of each stream, with the checkpoint's number, oldest first."""


def name_of(number: int) -> str:
    """Return under which name a checkpoint is kept."""
    return f"{number:012d}.json"


def ours(names: Iterable[str]) -> list[str]:
    """Return those names under which a checkpoint may be kept, oldest first: a disk or a person puts others there."""
    return sorted(name for name in names if re.fullmatch(r"[0-9]{12}\.json", name))


def encode(checkpoint: Checkpoint, sign: Sign | None) -> bytes:
    """Return what is kept of a checkpoint."""
    body = msgspec.json.encode(checkpoint)
    sig = sign(_message(body)) if sign else ""
    return msgspec.json.encode(_File(checkpoint=msgspec.Raw(body), sig=sig)) + b"\n"


def decode(name: str, content: bytes) -> Kept:
    """Read a checkpoint; raises `Broken` when that is not possible, or its name is another's."""
    try:
        file = msgspec.json.decode(content, type=_File)
        read = msgspec.json.decode(file.checkpoint, type=Checkpoint)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Broken(f"checkpoint {name} cannot be read ({error})") from error
    if name != name_of(read.number):
        raise Broken(f"checkpoint {name} says that it is number {read.number}")
    return Kept(read, chain.sha256(content), file.sig, _message(bytes(file.checkpoint)))


def _message(body: bytes) -> bytes:
    return b"signalbox checkpoint\0" + bytes.fromhex(chain.sha256(body))


def following(
    kept: Sequence[Kept], changed: Iterable[Covered], broken: Iterable[str], at: str, signed: bool = True, last: int = 0
) -> Checkpoint:
    """Return the checkpoint after those kept, which begin with a whole one; the first that is signed is whole too.

    The `last` number may be that of one which cannot be read.
    """
    number = max(last, kept[-1].checkpoint.number if kept else 0) + 1
    whole = number % WHOLE_EVERY == 1 or (signed and first_signed(kept) == 0)
    now = {one.stream: one for one in changed}
    streams = (newest(kept) if whole else {}) | now
    ordered = tuple(streams[name] for name in sorted(streams))
    return Checkpoint(number, at, kept[-1].digest if kept else "", whole, ordered, tuple(broken))


def first_signed(kept: Iterable[Kept]) -> int:
    """Return the number of the first signed checkpoint, 0 when none is: what it covers may be older than the key."""
    return next((each.checkpoint.number for each in kept if each.sig), 0)


def key_of(sig: str) -> str:
    """Return which key a signature names."""
    return sig.partition(".")[0]


def retired(kept: Iterable[Kept]) -> dict[str, int]:
    """Return each key that signed checkpoints and was followed by another, with the number of that one's first."""
    found: dict[str, int] = {}
    before = ""
    for each in kept:
        key = key_of(each.sig)
        found.pop(key, None)
        if before and key and key != before:
            found[before] = each.checkpoint.number
        before = key or before
    return found


def newest(kept: Iterable[Kept]) -> dict[str, Covered]:
    """Return what is covered of each stream at last."""
    return {one.stream: one for each in kept for one in each.checkpoint.streams}


def covers(kept: Sequence[Kept]) -> Covers:
    """Return everything that is covered, oldest first; of a stream that did not change, once, and by the first signed.

    What that one covers is older than the key.
    """
    found: dict[str, list[tuple[int, Covered]]] = {}
    first = first_signed(kept)
    for each in kept:
        for one in each.checkpoint.streams:
            known = found.setdefault(one.stream, [])
            if not known or known[-1][1] != one or each.checkpoint.number == first:
                known.append((each.checkpoint.number, one))
    return found


def linked(kept: Sequence[Kept], proven: Callable[[Kept], bool]) -> tuple[list[Kept], list[str]]:
    """Return the checkpoints that count, and a sentence on each that does not: of another's hand, or out of the row.

    Those that nobody signed count before the first signed one, which names them by their digests.
    """
    good: list[Kept] = []
    wrong: list[str] = []
    for each in kept:
        number = each.checkpoint.number
        before = good[-1] if good else None
        older = not each.sig and not first_signed(good)
        if not older and not proven(each):
            wrong.append(f"checkpoint {number} was changed, or signed by a key that is not known here")
            continue
        if before is not None and number == before.checkpoint.number + 1 and each.checkpoint.before != before.digest:
            wrong.append(f"checkpoint {number} does not follow checkpoint {number - 1} as it is kept now")
        elif number != (before.checkpoint.number if before else 0) + 1:
            wrong.append(f"before checkpoint {number} at least one is gone")
        good.append(each)
    return good, wrong
