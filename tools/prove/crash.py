"""crash: kill -9 at every step and of everything; started again it goes to production, and all exists once."""

import random
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

# Each is surely better than the one before, so that each goes all the way.
FEW, MORE, ALL = (f"table = read(arguments.data){some}\n" for some in (".head(12)", ".head(40)", ""))
MOMENTS = 14
SEED = 7


def prove(root: Path, telling: Telling) -> None:
    """One release that loses its host and topic at every step, and two better ones that lose every process."""
    ground = Ground(root, "crash", telling)
    try:
        ground.up()
        ground.bring_data()
        telling.say("the host, the topic and their supervisor are killed; jobs and services outlive them:")
        first = _pushed(ground, ALL, FEW, "Train on very few rows")
        _everywhere(ground, first, _kill)
        telling.say("everything is killed, with runners, scripts, builders and gunicorn:")
        second = _pushed(ground, FEW, MORE, "Train on some rows")
        _everywhere(ground, second, _kill_all)
        telling.say(f"everything is killed at {MOMENTS} moments drawn by seed {SEED}:")
        third = _pushed(ground, MORE, ALL, "Train on all rows")
        _whenever(ground, third)
        counts.once(ground, third)
        _serving(ground, [first, second, third])
        counts.chained(ground)
    finally:
        ground.down()


def _pushed(ground: Ground, old: str, new: str, message: str) -> str:
    ground.change("train.py", old, new)
    return str(ground.push(place.commit(ground.at.working, message))["release"])


def _everywhere(ground: Ground, release: str, kill: Callable[[Ground], str]) -> None:
    """Follow a release to production; at each step it is seen at, kill and start again."""
    killed: list[str] = []
    while (step := _next(ground, release, killed)) is not None:
        seen = "while it waits for people" if step == "ask" else "while it runs"
        if step != "ask":
            ground.wait(f"{step} to be at work", partial(_at_work, ground, release, step), 60.0)
        ground.telling.say(f"kill -9 at {step}, {seen}: {_and_up(ground, kill)}")
        killed.append(step)
        if step == "ask":
            ground.telling.say(ground.approve(release))
    _went_live(ground, release)
    ground.telling.claim("killed at four steps or more", len(killed) >= 4, ", ".join(killed))
    counts.once(ground, release)


def _whenever(ground: Ground, release: str) -> None:
    """Kill everything at moments that nobody chose; approve once people are asked."""
    draw = random.Random(SEED)
    approved = False
    for _ in range(MOMENTS):
        time.sleep(draw.uniform(0.2, 9.0))
        view = ground.view(release)
        if asks(view) and not approved:
            ground.telling.say(ground.approve(release))
            approved = True
        ground.telling.say(f"kill -9 at {view['standing'] or view['state']}: {_and_up(ground, _kill_all)}")
        _resumed(ground, release)
    if not approved:
        ground.telling.say(ground.approve(release))
    _went_live(ground, release)


def _resumed(ground: Ground, release: str) -> None:
    """Let a release go on that was parked: five attempts at one thing were killed, and a person knows why."""
    view = ground.view(release)
    if view["state"] == "parked":
        ground.telling.say(f"parked: {view['reason']}")
        told = ground.reach.post(f"releases/{release}/resume", {"by": "dee", "reason": "the power is back"})
        ground.telling.claim("a person lets it go on", told["state"] == "open", f"at {told['step']}")


def _and_up(ground: Ground, kill: Callable[[Ground], str]) -> str:
    told, began = kill(ground), time.monotonic()
    ground.up()
    return f"{told}; up again after {time.monotonic() - began:.1f} s"


def _went_live(ground: Ground, release: str) -> None:
    view = ground.ended(release, "live")
    ground.telling.claim("it went on to production", view["state"] == "live", f"{view['alias']} v{view['version']}")


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


def _serving(ground: Ground, releases: list[str]) -> None:
    """Claim that production answers from the newest, and that only the one before it is kept for a roll back."""
    masters = [{where: len(pids) for where, pids in stores.services(ground.state, one).items()} for one in releases]
    ground.telling.equal("services of the three releases", masters, [{}, {"production": 1}, {"production": 1}])
    live = ground.reach.get(f"environments/{ground.project}")["environments"]
    seen = next(one["live"] for one in live if one["environment"] == "production")
    ok = seen["release"] == releases[-1] and seen["seen"]
    measured = f"{seen['address']}, generation {seen['generation']}"
    ground.telling.claim("the stable address answers from the newest", ok, measured)
