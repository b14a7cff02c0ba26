"""A release whose storage operations fail, each in each way: it still goes live, once, with one of everything.

The tests take each operation once, in one way; `python -m tests.storage_faults` takes each in all ways, and also until
it is given up: some hundred releases, in some minutes.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from typing import TypeVar

from shared.answers import Answer
from shared.backends.blobs import Account, BlobLedger
from shared.errors import Unavailable
from shared.release import chain, line, notices
from tests.world import FILES, RUNNER, World, commit
from tools.bench.storage import move
from tools.bench.wire import Fault, Wire
from tools.local.azurite import Azurite, Ports

KINDS: tuple[Fault, ...] = ("429", "503", "lost", "unsent", "silence")
ATTEMPTS = 4
"""After so many the storage is given up, and what was delivered comes again."""

DELIVERIES = 5
AT_ONCE = 4
_T = TypeVar("_T")


def release_under(wire: Wire, account: Account, faults: Mapping[int, Fault]) -> tuple[int, list[str]]:
    """Take a release from push to live while operations fail, by their number.

    Return how many operations there were, and what is wrong at the end.
    """
    world = World()
    world.data()
    RUNNER.run(move(world, account))
    world.branch.append(commit("a"))
    world.files[commit("a")] = dict(FILES)
    wire.forget()
    wire.faults = dict(faults)
    release = _told(lambda: world.tell_push(commit("a")))
    _until_rest(world)
    evidence = _told(lambda: RUNNER.run(world.control.reading.asked(release)))[0].asked[1].evidence
    given = notices.DecisionGiven(release, "ana@example.org", "approve", "because", evidence)
    _told(lambda: world.take_in(given))
    _until_rest(world)
    operations = wire.begun
    wire.forget()
    return operations, list(_wrong(world, account, release))


def _told(tell: Callable[[], _T]) -> _T:
    """Do what comes at least once: again while the storage is away."""
    for delivery in count(1):
        try:
            return tell()
        except Unavailable:
            if delivery == DELIVERIES:
                raise
    raise AssertionError("never here")


def _until_rest(world: World) -> None:
    while world.orders or world.events:
        if world.orders:
            order = world.orders.pop(0)
            _told(lambda order=order: world.work(order))  # type: ignore[misc]
        else:
            event = world.events.pop(0)
            _told(lambda event=event: _heard(world, event))  # type: ignore[misc]


def _heard(world: World, event: notices.Notice) -> Answer:
    return world.take_in(event)


def _wrong(world: World, account: Account, release: str) -> Iterator[str]:
    """Yield what is wrong with what the blobs hold, read by a process that knows nothing, and with what was made."""
    ledger, known = BlobLedger(account), Counter[str]()
    for name in RUNNER.run(ledger.streams("")):
        stream = chain.decode(name, RUNNER.run(ledger.read(name)))
        known.update(type(fact).__name__ for fact in stream.facts)
    once = ("ReleaseNumbered", "ReleaseOpened", "ReleaseClosed", "LiveDecided", "CommitPassed", "SlotVacated")
    yield from (f"{known[name]} {name}" for name in (*once, "Promoted") if known[name] != 1)
    state = world.state(release)
    if (world.ended(release), world.live()) != ("live", release):
        yield f"it ended as {world.ended(release)}"
    if [step for step, _ in state.outcomes] != list(line.NAMES):
        yield f"its outcomes are {list(state.outcomes)}"
    made = (len(world.versions), len(world.images), len(world.services), len(world.jobs), len(world.outbox))
    if made != (1, 1, 2, 6, 2):
        yield f"versions, images, services, jobs, messages: {made}"
    if left := RUNNER.run(ledger.marks("")):
        yield f"a mark is left: {left[0][0]}"


def run(azurite: Ports, number: int, faults: Mapping[int, Fault]) -> tuple[int, list[str]]:
    """Take one release through it."""
    with Wire(azurite.blobs) as wire:
        account = Account(wire.connection(azurite.connection), f"r{number}-", read_timeout=1)
        return release_under(wire, account, faults)


def all_of(operations: int, kind: Fault, times: int) -> int:
    """Let each operation fail alone in one way, so many times; return how many releases did not go live once."""
    plans, found = [dict.fromkeys(range(at, at + times), kind) for at in range(operations)], 0
    # Forked processes would share the event loop of this one, and what wakes it.
    with Azurite() as azurite, ProcessPoolExecutor(AT_ONCE, get_context("spawn")) as pool:
        ran = pool.map(run, [azurite.ports] * operations, range(operations), plans)
        for plan, (_, wrong) in zip(plans, ran, strict=True):
            if wrong:
                found += 1
                print(f"  operation {min(plan)}: {'; '.join(wrong)}", flush=True)
    print(
        f"{operations} releases, in each another operation {kind} x {times}: {operations - found} live once", flush=True
    )
    return found


def main() -> int:
    """Run all of them, some at a time, and say what is wrong."""
    with Azurite() as azurite:
        operations, wrong = run(azurite.ports, 0, {})
    assert wrong == [], wrong
    return int(sum(all_of(operations, kind, times) for times in (1, ATTEMPTS) for kind in KINDS) > 0)


if __name__ == "__main__":
    sys.exit(main())
