"""How long an Event Grid handler and a push wait for a storage that throttles, refuses, is slow or silent, for good.

`python -m tools.bench.silence` calls the app with the bounds it is deployed with, over a proxy that answers so.
It exits 1 when an event takes 20 s or a push takes 10: whoever asked waits no longer.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable
from typing import cast

from shared.backends.blobs import Account, BlobLedger
from shared.backends.memory import MemoryLedger
from shared.control import Answer, within
from shared.errors import Unavailable
from shared.release import notices
from shared.settings.table import TABLE
from tests.world import World
from tools.bench.wire import SLOW, Fault, Wire
from tools.local.azurite import Azurite

BARS = {"an event": 20.0, "a push": 10.0}
FAULTS: dict[Fault, str] = {
    "429": "throttles",
    "503": "refuses",
    "silence": "says nothing",
    "slow": f"answers each time after {SLOW:g} s",
}
RUN = notices.RunHeard("0123456789abcdef0123-train-1", "RunCompleted", "Completed")
PUSH = notices.Pushed(
    source="github",
    addresses=("https://git.example.org/acme/houses",),
    ref="refs/heads/main",
    before="0" * 40,
    after="a" * 40,
    by="dee@example.org",
    message="a change",
    delivery="1",
)


def measure(azurite: Azurite, fault: Fault) -> dict[str, float]:
    """Return the seconds until each was answered."""
    with Wire(azurite.ports.blobs) as wire:
        wire.always = fault
        world = World()
        world.ledger = cast(MemoryLedger, BlobLedger(Account(wire.connection(azurite.ports.connection))))
        control = world.controller(lambda _, port: port)
        push = within(float(TABLE["HTTP_SECONDS"].default), control.take_in([PUSH]))
        event = control.take_in_event(lambda: [RUN], "on_run_ended")
        return {"an event": asyncio.run(_seconds(event)), "a push": asyncio.run(_seconds(push))}


async def _seconds(work: Awaitable[Answer]) -> float:
    began = time.monotonic()
    try:
        raise AssertionError(f"it was answered: {await work}")
    except Unavailable:
        return time.monotonic() - began


def main() -> int:
    """Measure and print; 1 above a bar."""
    print(f"seconds until {' and '.join(f'{name} (bar {bar:g})' for name, bar in BARS.items())} is answered")
    fine = True
    with Azurite() as azurite:
        for fault, what in FAULTS.items():
            taken = measure(azurite, fault)
            told = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in taken.items())
            print(f"  of a storage that {what}: {told}", flush=True)
            fine = fine and all(taken[name] < bar for name, bar in BARS.items())
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
