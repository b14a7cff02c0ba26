"""What one release costs in storage: operations of a fault-free one from its push to live, counted on the wire.

`python -m tools.bench.storage` runs releases on Azurite, on a new project and on one with a long history.
Ledger and artifacts are blobs behind a proxy that counts; everything else is the model of the outside that tests use,
but with `BACKEND=azure` what fetches and marks packages is the backend itself, through azureml-core and the double.
Queue messages are not counted: the host reads and writes them. It exits 1 above the bar, or when history costs.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from msgspec.structs import replace

from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from shared.backends.memory import MemoryArtifacts, MemoryLedger
from shared.release import notices
from tests.world import FILES, RUNNER, World
from tools.bench import on_azure
from tools.bench.wire import Operation, Wire
from tools.local.azurite import Azurite

BAR = 100
LONG = 200
"""Releases of a long history."""

SEGMENTS, BLOCKS = 2, 5
"""Full segments before the last one in which a long stream stands, and the appends that each of them takes."""


@dataclass
class Counted:
    """The operations of one release each, and of one look of the clock and of the patrol, while nothing is open."""

    started: list[Operation] = field(default_factory=list)
    """In a process that has just started and reads its streams whole."""

    going_on: list[Operation] = field(default_factory=list)
    """In a process that remembers."""

    cancelling: list[Operation] = field(default_factory=list)
    """Where older releases give way to newer ones, so that each step looks whether one came."""

    forgetful: list[Operation] = field(default_factory=list)
    """When each order and each event meets a process that has just started."""

    clock: list[Operation] = field(default_factory=list)
    patrol: list[Operation] = field(default_factory=list)
    messages: int = 0
    """Of the queue, which the host writes, reads and removes."""


def measure(wire: Wire, connection: str, releases: int, prefix: str = "", world: World | None = None) -> Counted:
    """Count after so many releases; `prefix` begins the names of the containers."""
    world, counted = world or World(), Counted()
    world.data()
    for number in range(releases):
        one(world, f"{number:040x}")
    account = Account(wire.connection(connection), f"{prefix}after{releases}-")
    RUNNER.run(move(world, account))
    with wire.counted() as counted.started:
        one(world, "a" * 40)
    one(world, "b" * 40)
    before = world.deliveries
    with wire.counted() as counted.going_on:
        one(world, "c" * 40)
    counted.messages = world.deliveries - before
    with wire.counted() as counted.clock:
        world.tick()
    with wire.counted() as counted.patrol:
        world.patrol()
    with wire.counted() as counted.forgetful:
        one(world, "d" * 40, account)
    world.projects["houses"] = replace(world.projects["houses"], on_newer="cancel")
    with wire.counted() as counted.cancelling:
        last = one(world, "e" * 40)
    assert world.live() == last
    return counted


def one(world: World, commit: str, forgetful: Account | None = None) -> str:
    """Take a release from its push to live: it runs, an approver reads the evidence and approves."""
    world.branch.append(commit)
    world.files[commit] = FILES | {"train.py": f"# as of {commit}\n"}
    release = world.tell_push(commit)
    _rest(world, forgetful)
    known, _ = RUNNER.run(world.control.reading.asked(release))
    evidence = known.asked[1].evidence
    world.take_in(notices.DecisionGiven(release, "ana@example.org", "approve", "because", evidence))
    _rest(world, forgetful)
    world.results["evaluate"].update(verdict="better", champion=4.0, gain=0.5, low=0.1, high=0.9)
    return release


def _rest(world: World, forgetful: Account | None) -> None:
    while world.orders or world.events:
        if forgetful is not None:
            _begin(world, forgetful)
        world.run_one()


def _begin(world: World, account: Account) -> None:
    """Let a process start that knows nothing but the account."""
    world.ledger = cast(MemoryLedger, BlobLedger(account))
    world.artifacts = cast(MemoryArtifacts, BlobArtifacts(account))
    world.restart()


async def move(world: World, account: Account) -> None:
    """Move what a world remembers to blobs; a long stream stands in several segments, as after many more rows."""
    short, ledger = BlobLedger(account, BLOCKS), BlobLedger(account)
    for stream in await world.ledger.streams(""):
        lines = (await world.ledger.read(stream)).splitlines(keepends=True)
        for _ in range(SEGMENTS * BLOCKS if len(lines) > 2 * SEGMENTS * BLOCKS else 0):
            await short.append(stream, lines.pop(0), None)
        await ledger.append(stream, b"".join(lines), None)
    # Containers are made when an app is provisioned, and count for no release.
    await ledger.mark("open/none", b"")
    await ledger.unmark("open/none")
    artifacts = BlobArtifacts(account)
    for content in [b"", *world.artifacts.contents.values()]:
        await artifacts.put(content)
    _begin(world, account)


def table(new: Sequence[Operation], long: Sequence[Operation]) -> list[str]:
    """Return one line for each method, container and kind."""
    counts = [Counter((one.method, one.container.rpartition("-")[2], one.kind) for one in each) for each in (new, long)]
    return [
        f"  {key[0]:7}{key[1]:10} {key[2]:22} {counts[0][key]:5} {counts[1][key]:5}"
        for key in sorted(counts[0] | counts[1])
    ]


def main() -> int:
    """Measure and print; 1 above the bar, or when a long history costs more than none."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.storage", description=__doc__)
    parser.add_argument("--releases", type=int, default=LONG, help="how many releases are a long history")
    given = parser.parse_args()
    with Azurite() as azurite, Wire(azurite.ports.blobs) as wire:
        connection = azurite.ports.connection
        new, long = (measure(wire, connection, releases) for releases in (0, given.releases))
        with on_azure.azure() as azure:
            packed = [
                measure(wire, connection, releases, "azure-", on_azure.world(*azure))
                for releases in (0, given.releases)
            ]
    print(f"storage operations of one release, push to live: on a new project, and after {given.releases} releases")
    told = [shown("BACKEND=local", new, long), shown("BACKEND=azure", *packed)]
    return int(not all(told))


def shown(backend: str, new: Counted, long: Counted) -> bool:
    """Print what a backend costs; return False above the bar, or when a long history costs more than none."""
    print(f"\n{backend}")
    print("\n".join(table(new.going_on, long.going_on)))
    rows = {
        f"all, bar {BAR}": (new.going_on, long.going_on),
        "in a process that has just started": (new.started, long.started),
        "with on_newer = cancel": (new.cancelling, long.cancelling),
        "each call in a new process": (new.forgetful, long.forgetful),
        "a look of the clock, nothing open": (new.clock, long.clock),
        "a look of the patrol, nothing open": (new.patrol, long.patrol),
    }
    for name, (few, many) in rows.items():
        print(f"  {name:40} {len(few):5} {len(many):5}")
    print(f"  {'messages of the queue, not counted':40} {new.messages:5} {long.messages:5}")
    bounded = [len(each) for each in (long.going_on, long.started, long.cancelling)]
    return len(new.going_on) == len(long.going_on) and max(bounded) <= BAR


if __name__ == "__main__":
    sys.exit(main())
