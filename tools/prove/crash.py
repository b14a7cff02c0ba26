"""crash: SIGKILL at seeded moments of the way to production; each release goes live, and all of it exists once."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.errors import SignalboxError
from shared.release import facts
from tools.demo import answer, place
from tools.prove import counts, stores
from tools.prove.ground import Ground
from tools.prove.moments import ON_THE_WAY, PARTS, Moment, drawn
from tools.prove.power import Power
from tools.prove.sight import Sight, Target
from tools.prove.telling import Telling, Unproven

MOMENTS = 100
SEED = 7
# Trained on less and less of a flattened target: each is better than the one before, so that each goes all the way.
FLAT = tuple(round(0.95 * 0.8**number, 3) for number in range(16))
READ = "    table = read(arguments.data)\n"
REACHED_SECONDS = 180.0
LOOK_EVERY = 0.002


@dataclass(frozen=True)
class Struck:
    """What came of a moment; `late` are the seconds between the newest fact of its release and the kill."""

    moment: Moment
    reached: bool
    late: float = 0.0


def prove(root: Path, telling: Telling, seed: int = SEED, count: int = MOMENTS) -> None:
    """Bring release after release to production while everything around them is killed."""
    ground = Ground(root, "crash", telling)
    plan = drawn(seed, count)
    telling.say(f"{count} moments drawn by seed {seed}, on the way of {len(plan)} releases")
    struck: list[Struck] = []
    releases: list[str] = []
    try:
        # A gain that is not surely one is enough: how good the models are is not what is proven here.
        with ground.at.projects_file.open("a") as operator:
            operator.write('policy = { promote_when = "not worse" }\n')
        ground.up()
        ground.bring_data()
        for number, moments in enumerate(plan):
            release, came = Way(ground, number).gone(moments, len(struck))
            releases.append(release)
            struck += came
            counts.once(ground, release)
        _told(telling, struck, count)
        _serving(ground, releases)
        _parked(ground, releases)
        counts.chained(ground)
    finally:
        ground.down()


class Way:
    """One release, pushed, killed at its moments, approved and followed until it is closed."""

    def __init__(self, ground: Ground, number: int) -> None:
        self._ground = ground
        self._sight = Sight(ground.state)
        self._power = Power(ground)
        self._at = Target(self._sight, ground.project, _committed(ground, number))
        # A push and an approval wait for an answer, which a kill takes away.
        self._people = ThreadPoolExecutor(1, thread_name_prefix="people")
        self._approving: Future[str] | None = None

    def gone(self, moments: Sequence[Moment], before: int) -> tuple[str, list[Struck]]:
        """Go all the way; return the release, and what came of each moment."""
        telling, struck = self._ground.telling, list[Struck]()
        self._people.submit(place.push, self._ground.at.working)
        try:
            for number, moment in enumerate(moments, start=before + 1):
                struck.append(self._strike(moment, number))
            until = time.monotonic() + REACHED_SECONDS
            while not self._closed():
                if time.monotonic() > until:
                    raise Unproven(f"{self._at.release or self._at.commit} was not closed: {self._where()}")
                self._tend(True)
                time.sleep(0.05)
            self._power.back.result()
        finally:
            self._power.release()
            self._power.back.exception()
            self._sight.close()
        view = self._ground.ended(self._at.release, "live")
        telling.claim("it went on to production", view["state"] == "live", f"{view['alias']} v{view['version']}")
        return self._at.release, struck

    def _strike(self, moment: Moment, number: int) -> Struck:
        """Wait for a moment and kill; a release that went by without it makes it an error."""
        said = f"{number:>3} {moment.stretch}: {moment.point.name} + {moment.delay * 1000:.0f} ms"
        until = time.monotonic() + REACHED_SECONDS
        while not self._is_there(moment):
            # Closed between the two looks may be the very moment that is waited for.
            if time.monotonic() > until or (self._closed() and not moment.point.holds(self._at)):
                self._power.release()
                self._ground.telling.claim(f"{said} was reached", False, self._where())
                return Struck(moment, False)
            time.sleep(LOOK_EVERY)
        last = self._at.last()
        late = time.time() - last.at if last else 0.0
        starting = "" if self._power.back.done() else ", while it was started again"
        killed = self._power.kill(moment.part, self._at.release)
        after = f"{late * 1000:.0f} ms after {last.kind}" if last else "before its first fact"
        self._ground.telling.say(f"{said}: {moment.part} ({killed} processes), {after}{starting}")
        return Struck(moment, True, late)

    def _is_there(self, moment: Moment) -> bool:
        """Say whether the moment is now; host and topic stand still then."""
        point, power = moment.point, self._power
        self._tend(point.answered or moment.stretch in AFTER_ASKING)
        if point.during is not None and self._is_too_early(point.during):
            return False
        if point.brace and point.once is not None and not power.braced and point.once(self._at):
            power.brace(point.brace)
        if point.brace and not power.braced:
            return False
        if not point.holds(self._at) or not power.has(moment.part):
            return False
        if point.during is not None and point.during(self._at):
            # A build is over in less than the delay on a quiet machine.
            power.rest(self._at.release)
        time.sleep(moment.delay)
        power.freeze("host", "topic")
        if point.holds(self._at):
            return True
        power.thaw()
        return False

    def _is_too_early(self, at_work: Callable[[Target], bool]) -> bool:
        """Let what is at work rest while the stack is started again, and go on then."""
        if not self._power.back.done():
            if at_work(self._at):
                self._power.rest(self._at.release)
            return True
        self._power.wake()
        return False

    def _tend(self, answers: bool) -> None:
        """Approve once people are asked, and again when the answer was lost; let what was parked go on."""
        if not answers or (self._approving is not None and not self._approving.done()):
            return
        kinds = {line.kind for line in self._sight.stream(self._at.own())}
        if "Asked" in kinds and "Decided" not in kinds:
            self._approving = self._people.submit(self._approve)

    def _approve(self) -> str:
        release = self._at.release
        with suppress(httpx.TransportError, SignalboxError, place.Trouble):
            asked = answer.mailed(self._ground.state, release)
            return answer.approve(asked, {"digests": {}}, "shown to be better")
        time.sleep(0.3)
        return "its answer was lost"

    def _closed(self) -> bool:
        lines = self._sight.stream(self._at.of_project())
        return any(line.kind == "ReleaseClosed" and line.data["release"] == self._at.release for line in lines)

    def _where(self) -> str:
        last = self._at.last()
        return f"its newest fact is {last.kind}" if last else "it has no fact"


def _committed(ground: Ground, number: int) -> str:
    """Let the project train on a target that is flattened by a share, and commit that."""
    flat = [f"{READ}    table[TARGET] += {share} * (table[TARGET].mean() - table[TARGET])\n" for share in FLAT]
    ground.change("train.py", flat[number - 1] if number else READ, flat[number])
    return place.commit(ground.at.working, f"A target flattened by {FLAT[number]:.0%}")


AFTER_ASKING = list(ON_THE_WAY)[list(ON_THE_WAY).index("ask") + 1 :]


def _told(telling: Telling, struck: list[Struck], count: int) -> None:
    """Print the moments as a table of stretches and parts, and claim that all were reached."""
    reached = [one for one in struck if one.reached]
    cells = Counter((one.moment.stretch, one.moment.part) for one in reached)
    parts = [part for part in PARTS if any(cell[1] == part for cell in cells)]
    width = max(len(part) for part in parts)
    telling.say()
    telling.say(f"{'killed at':<10} " + "  ".join(f"{part:>{width}}" for part in parts) + "   all")
    for stretch in ON_THE_WAY:
        row = [cells[stretch, part] for part in parts]
        telling.say(f"{stretch:<10} " + "  ".join(f"{n or '.':>{width}}" for n in row) + f"  {sum(row):>4}")
    sums = [sum(cells[stretch, part] for stretch in ON_THE_WAY) for part in parts]
    telling.say(f"{'all':<10} " + "  ".join(f"{n:>{width}}" for n in sums) + f"  {sum(sums):>4}")
    telling.say()
    for part in parts:
        telling.say(f"{part}: {PARTS[part]}")
    telling.equal("moments reached", len(reached), count)
    late = sorted(one.late for one in reached)
    quick = sum(1 for one in late if one < 0.1)
    told = f"median {late[len(late) // 2] * 1000:.0f} ms, {quick} of {len(late)} within 100 ms"
    telling.say(f"between the newest fact of the release and the kill: {told}")


def _parked(ground: Ground, releases: list[str]) -> None:
    """Claim that nothing was parked but what had used up its attempts."""
    parked = [fact for one in releases for fact in stores.facts_of(ground.state, one) if isinstance(fact, facts.Parked)]
    other = [fact.reason for fact in parked if "attempts" not in fact.reason]
    ground.telling.claim("nothing was parked for another reason than used-up attempts", not other, other or len(parked))


def _serving(ground: Ground, releases: list[str]) -> None:
    """Claim that production answers from the newest, and that only the one before it is kept for a roll back."""
    masters = [{where: len(pids) for where, pids in stores.services(ground.state, one).items()} for one in releases]
    wanted = [{"production": 1} if number >= len(releases) - 2 else {} for number in range(len(releases))]
    ground.telling.equal(f"services of the {len(releases)} releases", masters, wanted)
    live = ground.reach.get(f"environments/{ground.project}")["environments"]
    seen = next(one["live"] for one in live if one["environment"] == "production")
    ok = seen["release"] == releases[-1] and seen["seen"]
    measured = f"{seen['address']}, generation {seen['generation']}"
    ground.telling.claim("the stable address answers from the newest", ok, measured)
