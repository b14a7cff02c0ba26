"""`python -m tests.simulation`: the long runs, and any run told again.

`nightly` runs all pairs of faults and as many seeded runs as it takes for so many port calls;
`replay one 12:away 40:twice` and `replay many 24` print everything that happens in one run.
"""

import argparse
import itertools
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

from tests.simulation import sweep
from tests.simulation.sweep import Case, Figures

CHUNK = 20


def long(name: str, cases: Iterable[Case], workers: int, calls: int) -> Figures:
    """Run cases until there are none, or so many port calls were made; say every minute how far it is."""
    began = said = time.monotonic()
    total = Figures()
    with ProcessPoolExecutor(workers) as pool:
        under_way: set[Future[Figures]] = set()
        for chunk in _batched(cases):
            under_way.add(pool.submit(sweep.figures, chunk))
            if len(under_way) > workers * 2:
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for each in ended:
                    total.add(each.result())
            if time.monotonic() > said + 60.0:
                said = time.monotonic()
                total.seconds = said - began
                print(total.told(f"  so far, {name}"), flush=True)
            if total.calls >= calls or total.violations:
                break
        for each in under_way:
            total.add(each.result())
    total.seconds = time.monotonic() - began
    print(total.told(name), flush=True)
    for case, wrong in total.violations[:20]:
        print(f"  {case}: {wrong}")
    return total


def _batched(cases: Iterable[Case]) -> Iterator[tuple[Case, ...]]:
    left = iter(cases)
    while chunk := tuple(itertools.islice(left, CHUNK)):
        yield chunk


def nightly(calls: int, share: str, workers: int) -> int:
    """Run it all; 1 when anything was wrong. `share` is `2/7` for the second of seven nights."""
    part, _, of = share.partition("/")
    wrong = 0
    for patrol in (False, True):
        mode = "with the patrol" if patrol else "without the patrol"
        seeds = itertools.count(1_000_000 * int(part))
        many: Iterator[Case] = (("many", patrol, seed) for seed in seeds)
        wrong += len(long(f"seeded runs, {mode}", many, workers, calls // 2).violations)
        pairs = sweep.all_pairs(patrol, int(part), int(of or 1))
        wrong += len(long(f"pairs of faults (share {share}), {mode}", pairs, workers, sys.maxsize).violations)
    return int(wrong > 0)


def replay(name: str, what: list[str], patrol: bool) -> int:
    """Tell one run again, step by step; 1 when anything was wrong."""
    faults = tuple((int(each.partition(":")[0]), each.partition(":")[2]) for each in what) if name == "one" else what[0]
    with sweep.unlogged():
        run = sweep.run_of((name, patrol, faults), trace=True)
        wrong = run.until_rest()
    print("\n".join(run.host.trace or []))
    for stream, told in run.invariants.told.items():
        print(f"\n{stream}")
        for fact in told:
            print(f"  {fact}"[:200])
    print("\n" + ("\n".join(wrong) or f"nothing was wrong; releases ended as {run.releases}"))
    return int(bool(wrong))


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog=f"python -m {Path(__file__).parent.name}", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    night = commands.add_parser("nightly")
    night.add_argument("--calls", type=int, default=10_000_000)
    night.add_argument("--share", default="1/1")
    night.add_argument("--workers", type=int, default=2)
    one = commands.add_parser("replay")
    one.add_argument("scenario", choices=("one", "many"))
    one.add_argument("what", nargs="+")
    one.add_argument("--without-patrol", action="store_true")
    given = parser.parse_args()
    if given.command == "nightly":
        return nightly(given.calls, given.share, given.workers)
    return replay(given.scenario, given.what, not given.without_patrol)


if __name__ == "__main__":
    sys.exit(main())
