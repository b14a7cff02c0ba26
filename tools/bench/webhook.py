"""How long a git host waits for its answer: signed pushes of different commits, 50 in flight, on a stack of its own.

`python -m tools.bench.webhook` measures pushes that are only recorded, and pushes that each open a release.
No job runs. The stack is killed after the last answer, and what counts is what its ledger kept.
It exits 1 above the bar.
"""

import argparse
import hashlib
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.demo import place
from tools.demo.post_push import NONE, payload
from tools.local.keys import make_secret
from tools.local.stack import Stack
from tools.prove import stores, webhook
from tools.prove.flood import Asking, Told, flood, quantile, statuses, times

BAR = 1.0
PUSHES = 3000
IN_FLIGHT = 50
PROJECT = "bench"
OPERATOR = f"""[projects.{PROJECT}]
repository = "{{repository}}"
secrets = ["{place.SECRET}"]
approvers = ["{place.APPROVER}"]
"""
# The host runs everything but the work itself: a release stands at check.
QUIET = {"AzureWebJobs.on_step_due.Disabled": "true", "AzureWebJobs.on_time_passed.Disabled": "true"}


@dataclass(frozen=True)
class Measured:
    """The answers, the seconds of all of it, and what the ledger kept."""

    told: list[Told]
    seconds: float
    kept: int

    @property
    def p99(self) -> float:
        """The seconds within which 99 of 100 answers came."""
        return quantile((one.seconds for one in self.told), 0.99)

    def line(self) -> str:
        """Return the figures in one line."""
        rate = self.kept / self.seconds
        return f"{times(self.told)}; {self.kept} kept in {self.seconds:.1f} s, {rate:.0f} a second"


def pushes(count: int, repository: str, branch: str, stack: Stack) -> Iterator[Asking]:
    """Yield signed pushes, each of another commit, by the same person."""
    person = {"name": "Dee", "email": "dee@example.org"}
    for number in range(count):
        commit = hashlib.sha1(f"{branch} {number}".encode()).hexdigest()
        told = {"id": commit, "message": f"Change number {number}", "author": person, "modified": ["train.py"]}
        moved = {"after": commit, "deleted": False, "head_commit": told, "commits": [told], "pusher": person}
        signed = webhook.signed(stack, payload(repository, NONE, NONE, f"refs/heads/{branch}") | moved)
        yield Asking(f"{stack.host_url}/api/push", *signed)


def measure(state: Path, branch: str, count: int) -> Measured:
    """Measure on a new stack, and count what its ledger holds after a kill."""
    shutil.rmtree(state, ignore_errors=True)
    state.mkdir(mode=0o700, parents=True)
    make_secret(state, place.SECRET)
    place.repository(state, PROJECT)
    projects = state / "projects.toml"
    repository = (state / "git" / f"{PROJECT}.git").resolve().as_uri()
    projects.write_text(OPERATOR.format(repository=repository))
    stack = Stack(state, projects, patrol=False, environment=QUIET)
    stack.start()
    try:
        all_of_them = list(pushes(count, repository, branch, stack))
        began = time.monotonic()
        told = flood(all_of_them, IN_FLIGHT)
        seconds = time.monotonic() - began
    finally:
        stack.kill()
    return Measured(told, seconds, kept(state, branch))


def kept(state: Path, branch: str) -> int:
    """Return how many different pushes the ledger kept: as releases, or as rows of what came in."""
    streams = stores.ledger(state.resolve())
    if branch == "main":
        return sum(1 for name in streams if name.startswith("release/"))
    return sum(1 for row in streams[f"project/{PROJECT}"].facts if type(row).__name__ == "CameIn")


def main() -> int:
    """Measure both and print; 1 above the bar, or when an answer was no 2xx, or an answered push was not kept."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench.webhook", description=__doc__)
    parser.add_argument("--pushes", type=int, default=PUSHES, help="how many pushes of each kind")
    parser.add_argument("--state", type=Path, default=Path(".prove/bench"), help="where the stacks keep their state")
    given = parser.parse_args()
    fine = True
    print(f"{given.pushes} signed pushes of different commits, {IN_FLIGHT} in flight, bar p99 {BAR:g} s")
    for what, branch in (("recorded only", "feature"), ("each opens a release", "main")):
        found = measure(given.state, branch, given.pushes)
        print(f"{what}: {found.line()}", flush=True)
        whole = set(statuses(found.told)) == {202} and found.kept == given.pushes
        if not whole:
            print(f"  answers by status {statuses(found.told)}, kept {found.kept} of {given.pushes}")
        fine = fine and whole and found.p99 < BAR
    return int(not fine)


if __name__ == "__main__":
    sys.exit(main())
