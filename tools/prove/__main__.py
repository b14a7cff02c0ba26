"""`python -m tools.prove [PROOF]...`: image events storm crash refusals feeds doctor, all by default; 1 on failure."""

import argparse
import importlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx

from tools.cli.reach import Refused, Unreachable
from tools.demo.place import Trouble
from tools.local.stack import NotStarted
from tools.prove.telling import Telling, Unproven

PROOFS = ("image", "events", "storm", "crash", "refusals", "feeds", "doctor")
ENDINGS = (
    Unproven,
    Trouble,
    Refused,
    Unreachable,
    NotStarted,
    TimeoutError,
    httpx.HTTPError,
    sqlite3.Error,
    subprocess.SubprocessError,
)


def run(name: str, root: Path, given: dict[str, int]) -> Telling:
    """Run one proof to its end; what stopped it early is a claim that did not hold."""
    module = importlib.import_module(f"tools.prove.{name}")
    print(f"\n{(module.__doc__ or name).splitlines()[0]}", flush=True)
    telling = Telling(name)
    try:
        module.prove(root, telling, **given)
    except ENDINGS as error:
        telling.claim(f"{name} could be shown to the end", False, error)
    print(f"  {name}: {telling.held} claims held, {len(telling.failed)} failed, {telling.seconds:.0f} s", flush=True)
    return telling


def main() -> int:
    """Run what was asked for and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tools.prove", description=__doc__)
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=" ".join(PROOFS))
    parser.add_argument("--root", type=Path, default=Path(".prove"), help="where the proofs keep their stacks' state")
    parser.add_argument("--seed", type=int, default=7, help="draws the moments of crash")
    parser.add_argument("--moments", type=int, default=30, help="how many moments of crash are drawn")
    parser.add_argument("--waves", type=int, default=1, help="2 lets the second half of storm's data wait its turn")
    given = parser.parse_args()
    # A proof that is told to end takes its stack down on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if unknown := [name for name in given.proofs if name not in PROOFS]:
        parser.error(f"there is no proof {', '.join(unknown)}; there are {', '.join(PROOFS)}")
    began = time.monotonic()
    settings = {"crash": {"seed": given.seed, "count": given.moments}, "storm": {"waves": given.waves}}
    ended = [run(name, given.root, settings.get(name, {})) for name in given.proofs or PROOFS]
    failed = [telling for telling in ended if telling.failed]
    for telling in failed:
        for claim in telling.failed:
            print(f"\nFAILED {telling.proof}: {claim}")
    held, seconds = sum(telling.held for telling in ended), time.monotonic() - began
    print(f"\n{held} claims held in {seconds:.0f} s")
    print(f"{len(ended)} proofs, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
