"""What can go wrong at a point, and the plans that say where it does."""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Protocol

READS = frozenset({"read", "streams", "marks", "get", "place", "snapshot", "tip", "find", "log", "seen", "same"})


class Point(NamedTuple):
    """A moment at which something may go wrong: a call of a port, or a deed of the host."""

    port: str
    method: str
    conditional: bool = False
    """An append at a position."""
    switch: bool = False
    """What decides what is live."""
    steady: bool = False
    """This delivery is the last that its message or its process can bear."""


# away: it could not be asked; unsaid: it took effect and the answer was lost;
# taken: it took effect, and the answer is that of a retry inside the client: somebody was there first;
# twice: it took effect two times; late: the answer was lost, and it takes effect some time after that;
# crash before, crash after: the process and every handler in it dies; lost: it never took effect and nobody says so.
_READ = ("away", "crash before")
_WRITE = ("away", "unsaid", "twice", "crash before", "crash after")
HOST: Mapping[tuple[str, str], tuple[str, ...]] = {
    ("queue", "put"): ("away", "unsaid", "twice", "crash before", "crash after"),
    ("queue", "delete"): ("away", "crash before", "crash after"),
    ("queue", "get"): ("twice",),
    ("grid", "raise"): ("twice", "late"),
    ("grid", "answer"): ("away", "crash before"),
    ("http", "answer"): ("away", "crash before"),
}
LOSSES: Mapping[tuple[str, str], tuple[str, ...]] = {("queue", "put"): ("lost",), ("grid", "raise"): ("lost",)}
"""What only the patrol heals: beyond what at least once allows."""


def kinds(point: Point, patrol: bool) -> tuple[str, ...]:
    """Return what can go wrong at a point."""
    here = (point.port, point.method)
    if here in HOST:
        return HOST[here] + (LOSSES.get(here, ()) if patrol else ())
    if point.method in READS:
        return _READ
    if here == ("ledger", "append"):
        return (*_WRITE, "taken", "late") if point.conditional else (*_WRITE, "late")
    if here in (("hosting", "point"), ("notifier", "notify")):
        return (*_WRITE, "late")
    return (*_WRITE, "taken") if here == ("ledger", "mark") else _WRITE


class Plan(Protocol):
    """Says what goes wrong where."""

    def at(self, number: int, point: Point) -> str | None:
        """Return what goes wrong at the point of this number, or nothing."""
        ...


class Given:
    """Exactly these faults, by the number of the point: each at the first from there on at which it can be."""

    def __init__(self, faults: Iterable[tuple[int, str]], patrol: bool) -> None:
        self.faults, self.patrol = sorted(faults), patrol

    def at(self, number: int, point: Point) -> str | None:
        if not self.faults or self.faults[0][0] > number or self.faults[0][1] not in kinds(point, self.patrol):
            return None
        return self.faults.pop(0)[1]


class Listing:
    """No fault, and a list of every point that was passed."""

    def __init__(self) -> None:
        self.points: list[Point] = []

    def at(self, number: int, point: Point) -> str | None:
        self.points.append(point)
        return None


class Seeded:
    """One point in so many goes wrong until it is stopped; what writes does so more often than what reads."""

    def __init__(self, rng: random.Random, rate: float, patrol: bool) -> None:
        self.rng, self.patrol, self.rates = rng, patrol, (rate * 2, rate / 2)
        self.deadly = ("", "")
        """A call at which the process dies each time."""

    def stop(self) -> None:
        """Let nothing go wrong any more."""
        self.rates = (0.0, 0.0)

    def at(self, number: int, point: Point) -> str | None:
        if self.deadly == (point.port, point.method) and self.rates[0]:
            return "crash after"
        if point.switch and self.rates[0] and not point.steady and self.rng.random() < 0.1:
            # Where an answer that never comes leaves most in doubt.
            return "late"
        if self.rng.random() >= self.rates[point.method in READS] or point.steady:
            return None
        return self.rng.choice(kinds(point, self.patrol))


def told(faults: Counter[str]) -> str:
    """Return counts by kind, the most frequent first."""
    return ", ".join(f"{count:,} {kind}" for kind, count in faults.most_common())
