"""Many runs: every single fault of one whole release, pairs of faults, and seeded runs; and what they add up to."""

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

from tests.simulation.faults import Given, Listing, Point, kinds, told
from tests.simulation.scenarios import Run, many_releases, one_release

Case = tuple[str, bool, object]
"""Which scenario, with or without the patrol, and the faults by number or the seed."""
# What a pair leaves out: dying before a call is dying after the one before, and a read that dies is a read that fails.
_SAME = {"crash before", "late"}


@dataclass
class Figures:
    """What runs add up to."""

    runs: int = 0
    calls: int = 0
    """Of ports; the deeds of the host are not counted."""
    faults: Counter[str] = field(default_factory=Counter)
    releases: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    violations: list[tuple[Case, str]] = field(default_factory=list)

    def add(self, other: "Figures") -> None:
        """Add the figures of other runs."""
        self.runs += other.runs
        self.calls += other.calls
        self.faults += other.faults
        self.releases += other.releases
        self.endings += other.endings
        self.violations += other.violations

    def told(self, name: str) -> str:
        """Return one line for people."""
        wrong = sum(self.faults.values())
        return (
            f"{name}: {self.runs:,} runs, {self.calls:,} port calls, {wrong:,} faults ({told(self.faults)}), "
            f"{self.releases:,} releases ({told(self.endings)}), "
            f"{len(self.violations)} violations, {self.seconds:.1f} s"
        )


@contextmanager
def unlogged() -> Iterator[None]:
    """Let the app say nothing: it is made to fail all the time here."""
    log = logging.getLogger("signalbox")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)


def run_of(case: Case, trace: bool = False) -> Run:
    """Return the run of a case."""
    name, patrols, what = case
    if name == "one":
        return one_release(Given(what, patrols), patrols, trace)  # type: ignore[arg-type]
    return many_releases(str(what), patrols, trace)


def figures(cases: Iterable[Case], stop: bool = False) -> Figures:
    """Run cases one after the other; with `stop`, only up to the first that is wrong."""
    total = Figures()
    with unlogged():
        for case in cases:
            run = run_of(case)
            wrong = run.until_rest()
            total.runs += 1
            total.calls += run.port_calls
            total.faults += run.host.faults
            total.releases += len(run.releases)
            total.endings += Counter(run.releases)
            total.violations += [(case, each) for each in wrong[:1]]
            if stop and wrong:
                break
    return total


def beside(cases: list[Case], workers: int, each: Callable[[list[Case]], Figures] = figures) -> Figures:
    """Run cases in several processes."""
    began = time.perf_counter()
    total = Figures()
    size = max(len(cases) // (workers * 8), 1)
    chunks = [cases[at : at + size] for at in range(0, len(cases), size)]
    if workers == 1:
        for chunk in chunks:
            total.add(each(chunk))
    else:
        with ProcessPoolExecutor(workers) as pool:
            for found in pool.map(each, chunks):
                total.add(found)
    total.seconds = time.perf_counter() - began
    return total


@cache
def points(patrols: bool) -> tuple[Point, ...]:
    """Return every point of one whole release in which nothing goes wrong."""
    listing = Listing()
    with unlogged():
        assert one_release(listing, patrols).until_rest() == []
    return tuple(listing.points)


def singles(patrols: bool) -> list[Case]:
    """Return a case for every fault at every point of one whole release."""
    return [("one", patrols, ((number, kind),)) for number, kind in _faults(patrols, frozenset())]


def _faults(patrols: bool, without: frozenset[str]) -> list[tuple[int, str]]:
    return [
        (number, kind)
        for number, point in enumerate(points(patrols), start=1)
        for kind in kinds(point, patrols)
        if kind not in without
    ]


def all_pairs(patrols: bool, share: int = 1, of: int = 1) -> Iterator[Case]:
    """Yield every pair of faults at two points of one whole release, or one share of them."""
    faults = _faults(patrols, frozenset(_SAME))
    count = 0
    for at, first in enumerate(faults):
        for second in faults[at + 1 :]:
            if second[0] > first[0]:
                count += 1
                if count % of == share % of:
                    yield "one", patrols, (first, second)


def some_pairs(patrols: bool, count: int, seed: str) -> list[Case]:
    """Return so many pairs by chance."""
    rng, faults = random.Random(seed), _faults(patrols, frozenset(_SAME))
    found: list[Case] = []
    while len(found) < count:
        first, second = sorted(rng.sample(faults, 2))
        if first[0] != second[0]:
            found.append(("one", patrols, (first, second)))
    return found


def seeded(patrols: bool, seeds: Iterable[int]) -> list[Case]:
    """Return a case for each seed."""
    return [("many", patrols, seed) for seed in seeds]
