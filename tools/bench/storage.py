"""What one release costs in storage: operations of a fault-free one from its push to live, counted on the wire.

`python -m tools.bench.storage` runs one on Azurite for a new project and one for a project with a long history.
Ledger and artifacts are blobs behind a proxy that counts; everything else is the model of the outside that tests use.
Its queue messages are not counted: the host reads and writes them. It exits 1 above the bar, or when history costs.
"""

import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from shared.backends.memory import MemoryArtifacts, MemoryLedger
from tests.world import FILES, RUNNER, World
from tools.bench.wire import Operation, Wire
from tools.local.azurite import Azurite

BAR = 100
LONG = 200
"""Releases of a long history."""

APPENDS, BLOCKS = 20, 7
"""Appends by which a stream is moved to blobs, and how many a segment takes: a long one has three."""


@dataclass
class Counted:
    """The operations of each part of a release, and of what goes on beside it."""

    release: list[Operation] = field(default_factory=list)
    beside: dict[str, int] = field(default_factory=dict)

    @property
    def table(self) -> Counter[tuple[str, str, str]]:
        """How many of each method, container and kind."""
        return Counter((one.method, one.container.partition("-")[2], one.kind) for one in self.release)


def history(world: World, releases: int) -> None:
    """Let a project live through so many releases."""
    for number in range(releases):
        push(world, f"{number:040x}")
        through(world)


def push(world: World, commit: str) -> str:
    """Commit, and tell about it; return the release id."""
    world.branch.append(commit)
    world.files[commit] = dict(FILES)
    return world.tell_push(commit)


def through(world: World) -> str:
    """Take the newest release from its push to live: it runs, an approver reads the evidence and approves."""
    world.run()
    release = next(reversed(world.state_of_project().numbered))
    RUNNER.run(world.control.reading.asked(release))
    world.decide(release)
    world.run()
    assert world.ended(release) == "live", world.state(release)
    world.results["evaluate"].update(verdict="better", champion=4.0, gain=0.5, low=0.1, high=0.9)
    return release


async def move(world: World, account: Account) -> None:
    """Move what a world remembers to blobs; a long stream stands in several segments, as after many more rows."""
    ledger, artifacts = BlobLedger(account, BLOCKS), BlobArtifacts(account)
    for stream in await world.ledger.streams(""):
        lines = (await world.ledger.read(stream)).splitlines(keepends=True)
        size = max(1, len(lines) // APPENDS)
        for start in range(0, len(lines), size):
            await ledger.append(stream, b"".join(lines[start : start + size]), None)
    # Containers are made when an app is provisioned, and count for no release.
    await ledger.append("inbox", b"", None)
    await ledger.mark("open/none", b"")
    await ledger.unmark("open/none")
    await artifacts.put(b"")
    world.ledger, world.artifacts = cast(MemoryLedger, BlobLedger(account)), cast(MemoryArtifacts, artifacts)
    world.restart()


def measure(wire: Wire, connection: str, releases: int) -> Counted:
    """Count one release after so many others."""
    counted, world = Counted(), World()
    world.data()
    history(world, releases)
    account = Account(wire.connection(connection), f"after{releases}-")
    RUNNER.run(move(world, account))
    with wire.counted() as counted.release:
        push(world, "f" * 40)
        through(world)
    with wire.counted() as tick:
        world.tick()
    with wire.counted() as patrol:
        world.patrol()
    counted.beside = {"a look of the clock": len(tick), "a look of the patrol": len(patrol)}
    return counted


def main() -> int:
    """Measure and print; 1 above the bar, or when a long history costs more than none."""
    with Azurite() as azurite, Wire(azurite.ports.blobs) as wire:
        connection = azurite.ports.connection
        none, long = measure(wire, connection, 0), measure(wire, connection, LONG)
    print(f"one release, push to live, on a new project and after {LONG} others")
    rows = sorted(none.table | long.table)
    for method, container, kind in rows:
        key = (method, container, kind)
        print(f"  {method:6} {container:22} {kind:20} {none.table[key]:4} {long.table[key]:4}")
    print(f"  {'all':50} {len(none.release):4} {len(long.release):4}   bar {BAR}")
    for name in none.beside:
        print(f"  {name:50} {none.beside[name]:4} {long.beside[name]:4}")
    return int(max(len(none.release), len(long.release)) > BAR)


if __name__ == "__main__":
    sys.exit(main())
