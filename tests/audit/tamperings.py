"""Many ways of tampering with a ledger, drawn by a seed; each must be found and the stream named.

`python -m tests.audit.tamperings [COUNT] [SEED]` prints how many were found of each kind.
"""

import random
import secrets
import sys
from collections import Counter
from collections.abc import Callable

from msgspec import Struct

from shared.backends.memory import MemoryArtifacts, MemoryCheckpoints, MemoryLedger
from shared.backends.signing import Prover, Signer
from shared.release import audit, chain, facts
from shared.release.audit import Finding
from shared.streams import AUDIT, Streams, project_stream, release_stream
from tests.world import RUNNER, World
from tools.audit.place import Place
from tools.audit.verifying import verify

Lines = list[bytes]


class Kept(Struct, frozen=True):
    """A ledger as it was at one time and is now, all of it covered by checkpoints."""

    streams: dict[str, bytes]
    older: dict[str, bytes]
    checkpoints: dict[str, bytes]
    signer: Signer
    known: frozenset[Finding] = frozenset()
    """What is wrong with it already."""


def kept() -> Kept:
    """Return the ledger of two releases on their way to production, signed and with two checkpoints."""
    signer = Signer(secrets.token_bytes(32))
    world = World(sign=signer, checkpoints=MemoryCheckpoints())
    world.data()
    ages = []
    for letter in "ab":
        release = world.push(letter)
        world.run()
        world.decide(release)
        world.run()
        RUNNER.run(world.control.checkpointing.make())
        ages.append(dict(world.ledger._streams))
    assert world.checkpoints is not None
    return Kept(ages[1], ages[0], dict(world.checkpoints.kept), signer)


def flawed() -> Kept:
    """Return a ledger in which streams hold a line that nobody signed, known since before its last two checkpoints."""
    signer = Signer(secrets.token_bytes(32))
    world = World(sign=signer, checkpoints=MemoryCheckpoints())
    bare = Streams(world.ledger, lambda: world.now)
    first = world.push("a")
    for name in (release_stream(first), project_stream("houses")):
        RUNNER.run(bare.add(name, [facts.Heard("ModelRegistered", "written by an older instance")]))
    world.push("b")
    older = dict(world.ledger._streams)
    for letter in "cd":
        world.run()
        RUNNER.run(world.control.checkpointing.make())
        world.push(letter)
    RUNNER.run(world.control.checkpointing.make())
    assert world.checkpoints is not None
    one = Kept(dict(world.ledger._streams), older, dict(world.checkpoints.kept), signer)
    return Kept(one.streams, one.older, one.checkpoints, signer, frozenset(found(one, one.streams)))


def found(one: Kept, streams: dict[str, bytes]) -> set[Finding]:
    """Return what the audit finds."""
    ledger = MemoryLedger()
    for name, content in streams.items():
        ledger.put_back(name, content)
    checkpoints = MemoryCheckpoints()
    checkpoints.kept |= one.checkpoints
    place = Place(ledger, MemoryArtifacts(), checkpoints, one.signer, Prover([one.signer.public]))
    return set(RUNNER.run(verify(place)).findings)


def flip(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    content = bytearray(b"".join(lines))
    at = draw.randrange(len(content))
    content[at] ^= 1 << draw.randrange(8)
    return [bytes(content)]


def delete(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    at = draw.randrange(len(lines))
    return lines[:at] + lines[at + 1 :]


def swap(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    a, b = draw.sample(range(len(lines)), 2)
    lines[a], lines[b] = lines[b], lines[a]
    return lines


def truncate(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    return lines[: draw.randrange(len(lines))]


def splice(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    other = draw.choice(sorted(set(one.streams) - {name}))
    at = draw.randrange(len(lines) + 1)
    return [*lines[:at], draw.choice(audit.lines_of(one.streams[other])), *lines[at:]]


def copy(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    at = draw.randrange(len(lines) + 1)
    return [*lines[:at], draw.choice(lines), *lines[at:]]


def roll_back(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    older = audit.lines_of(one.older.get(name, b""))
    # Grown since by the app itself, so that every line is signed and the chain holds.
    return written(name, lines[len(older) :], older, one.signer) if older != lines and draw.random() < 0.5 else older


def unsign(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    at = draw.randrange(len(lines))
    read = audit.read_line(lines[at])
    assert read is not None
    lines[at] = chain.without_signature(lines[at], read.sig)
    return lines


def re_sign(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    at = draw.randrange(len(lines))
    return written(name, lines[at:], lines[:at], Signer(secrets.token_bytes(32)))


def rewrite(draw: random.Random, lines: Lines, name: str, one: Kept) -> Lines:
    gone = draw.randrange(len(lines))
    rest = lines[:gone] + lines[gone + 1 :]
    return written(name, rest, [], draw.choice([None, Signer(secrets.token_bytes(32))]))


def written(name: str, lines: Lines, before: Lines, sign: chain.Sign | None) -> Lines:
    """Return these facts written behind others, so that the chain holds."""
    content = b"".join(before)
    for line in lines:
        read = audit.read_line(line)
        assert read is not None
        head = chain.decode(name, content).head if read.prev else None
        content += chain.encode([chain.fact_of(read)], read.at, head, sign, name)
    return audit.lines_of(content)


KINDS: dict[str, Callable[[random.Random, Lines, str, Kept], Lines]] = {
    "flip a bit": flip,
    "delete a line": delete,
    "swap two lines": swap,
    "truncate": truncate,
    "splice in a line of another stream": splice,
    "put in a copy of a line": copy,
    "roll back to an older copy": roll_back,
    "take a signature away": unsign,
    "sign with another key from a line on": re_sign,
    "write a stream anew": rewrite,
}


FLAWED = {f"with an old finding: {kind}": KINDS[kind] for kind in ("truncate", "roll back to an older copy")}
"""What must be found beside something that is wrong already, and known."""


def tampered(draw: random.Random, one: Kept, kind: str) -> tuple[str, bytes]:
    """Return a stream and what somebody made of it, which is never what it was."""
    wrong = {finding.stream for finding in one.known}
    while True:
        # A checkpoint cannot cover the row of the audit's own stream that tells of it.
        name = draw.choice(sorted(name for name in wrong or one.streams if name != AUDIT and _lines(one, name) > 1))
        content = b"".join((KINDS | FLAWED)[kind](draw, audit.lines_of(one.streams[name]), name, one))
        if content != one.streams[name]:
            return name, content


def _lines(one: Kept, name: str) -> int:
    return one.streams[name].count(b"\n")


def missed(count: int, seed: int) -> tuple[Counter[str], list[str]]:
    """Tamper so often, one thing at a time; return how often in which way, and what was not found."""
    draw, clean, wrong = random.Random(seed), kept(), flawed()
    assert found(clean, clean.streams) == set()
    assert {finding.what for finding in wrong.known} == {"unsigned"}
    tried: Counter[str] = Counter()
    unseen: list[str] = []
    for number in range(count):
        kind = [*KINDS, *FLAWED][number % (len(KINDS) + len(FLAWED))]
        one = wrong if kind in FLAWED else clean
        name, content = tampered(draw, one, kind)
        tried[kind] += 1
        if name not in {finding.stream for finding in found(one, one.streams | {name: content}) - one.known}:
            unseen.append(f"{kind} in {name}")
    return tried, unseen


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1200
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    tried, unseen = missed(count, seed)
    for kind, times in tried.items():
        print(f"{times - sum(one.startswith(kind) for one in unseen):>5} of {times:<5} {kind}")
    print(f"{count - len(unseen)} of {count} tamperings found (seed {seed})")
    print("\n".join(unseen))
    sys.exit(1 if unseen else 0)
