"""crash: kill -9 at every step and of everything; started again it goes to production, and all exists once."""

import signal
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from shared.backends.local import works
from shared.backends.local.processes import Identity, ended_within, is_alive, kill_group
from shared.backends.local.slots import read_started
from tools.demo import place
from tools.demo.watch import View
from tools.prove import counts, stores
from tools.prove.ground import Ground, asks, state_of
from tools.prove.telling import Telling, Unproven

WHOLE, PART = "table = read(arguments.data)\n", "table = read(arguments.data).head(30)\n"


def prove(root: Path, telling: Telling) -> None:
    """One release that loses its host and topic at every step, and a better one that loses every process."""
    ground = Ground(root, "crash", telling)
    try:
        ground.up()
        ground.bring_data()
        telling.say("the host, the topic and their supervisor are killed; jobs and services outlive them:")
        ground.change("train.py", WHOLE, PART)
        first = ground.push(place.commit(ground.at.working, "Train on a few rows"))["release"]
        killed = _line(ground, first, _kill)
        telling.claim("killed at four steps or more", len(killed) >= 4, ", ".join(killed))
        counts.once(ground, first)
        telling.say("everything is killed, with runners, scripts, builders and gunicorn:")
        ground.change("train.py", PART, WHOLE)
        second = ground.push(place.commit(ground.at.working, "Train on all rows"))["release"]
        killed = _line(ground, second, _kill_all)
        telling.claim("killed at four steps or more", len(killed) >= 4, ", ".join(killed))
        counts.once(ground, second)
        _serving(ground, first, second)
        counts.chained(ground)
    finally:
        ground.down()


def _line(ground: Ground, release: str, kill: Callable[[Ground], str]) -> list[str]:
    """Follow a release to production; at each step it is seen at, kill and start again."""
    killed: list[str] = []
    approved = False
    while True:
        step = _next(ground, release, killed)
        if step is None:
            break
        seen = "while it waits for people" if step == "ask" else "while it runs"
        if step != "ask":
            ground.wait(f"{step} to be at work", partial(_at_work, ground, release, step), 60.0)
        told = kill(ground)
        began = time.monotonic()
        ground.up()
        killed.append(step)
        ground.telling.say(f"kill -9 at {step}, {seen}: {told}; up again after {time.monotonic() - began:.1f} s")
        if step == "ask" and not approved:
            ground.telling.say(ground.approve(release))
            approved = True
    view = ground.ended(release, "live")
    ground.telling.claim("it went on to production", view["state"] == "live", f"{view['alias']} v{view['version']}")
    return killed


def _next(ground: Ground, release: str, killed: list[str]) -> str | None:
    """Return the step at which to kill next, None once the release has ended."""

    def look() -> str | None:
        view = ground.view(release)
        if view["state"] != "open":
            return "ended"
        step = str(view["standing"])
        return step if step not in killed and (step != "ask" or asks(view)) else None

    found = str(ground.wait("the next step", look))
    return None if found == "ended" else found


def _at_work(ground: Ground, release: str, step: str) -> View | None:
    """Return the view once the step has something at work outside, or is over already."""
    view = ground.view(release)
    begun = release in stores.busy(ground.state) or "about" in view["waits_for"]
    return view if begun or state_of(view, step) not in ("waiting", "running") else None


def _kill(ground: Ground) -> str:
    ground.running.kill()
    ground.stack = None
    left = sum(1 for who in _ours(ground.state) if is_alive(who))
    return f"{left} jobs and services live on"


def _kill_all(ground: Ground) -> str:
    """Kill the stack and every process that the state folder names, runners first, so that none is replaced."""
    ground.running.kill()
    ground.stack = None
    alive = [who for who in _ours(ground.state) if is_alive(who)]
    for who in alive:
        kill_group(who, signal.SIGKILL)
    for who in alive:
        if not ended_within(who, 10.0):
            raise Unproven(f"process {who.pid} outlived its kill")
    return f"{len(alive)} runners, scripts and services killed too"


def _ours(state: Path) -> Iterator[Identity]:
    """Yield every detached process that the state folder knows, those that start others first."""
    kinds = ("jobs/*", "builds/*/*", "services/*")
    folders = [spec.parent for kind in kinds for spec in state.glob(f"{kind}/spec.json")]
    for folder in folders:
        if worker := works.worker_of(folder):
            yield worker.who
    for folder in folders:
        if script := works.script_of(folder):
            yield script
    for folder in (state / "services").glob("*/"):
        if (started := read_started(folder)) and started.who:
            yield started.who


def _serving(ground: Ground, first: str, second: str) -> None:
    """Claim that production answers from the newer release and the older one is kept for a roll back."""
    masters = {where: len(pids) for where, pids in stores.services(ground.state, first).items()}
    ground.telling.equal("the older release keeps its slot", masters, {"production": 1})
    view = ground.view(second)
    live = ground.reach.get(f"environments/{ground.project}")["environments"]
    seen = next(one["live"] for one in live if one["environment"] == "production")
    ok = seen["release"] == second and seen["seen"]
    measured = f"{view['address']}, generation {seen['generation']}"
    ground.telling.claim("the stable address answers from the newer one", ok, measured)
