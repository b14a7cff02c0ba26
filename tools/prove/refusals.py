"""refusals: what is wrong gets its answer at once or ends at its step with a reason, and never blocks the next."""

from pathlib import Path

from tools.demo import place
from tools.prove import approvals, bad_projects, hostile, stores
from tools.prove.ground import Ground, asks
from tools.prove.telling import Telling


def prove(root: Path, telling: Telling) -> None:
    """Requests first, then projects, then a good release that goes live past all of them."""
    ground = Ground(root, "refusals", telling)
    try:
        ground.up()
        ground.bring_data()
        telling.say("requests:")
        hostile.prove(ground)
        bad_projects.prove(ground)
        telling.say()
        telling.say("a good release, pushed while one before it hangs:")
        release = _past_one_that_hangs(ground)
        telling.say("its approval:")
        approvals.prove(ground, release)
        states = [one["state"] for one in ground.releases()]
        view = ground.view(release)
        telling.claim("the good one is live past all the others", view["state"] == "live", ", ".join(reversed(states)))
    finally:
        ground.down()


def _past_one_that_hangs(ground: Ground) -> str:
    """Push a training that hangs, then a good commit; return the good release once people are asked."""
    ground.change("train.py", bad_projects.READ, bad_projects.READ + "    " + bad_projects.FOREVER)
    hangs = ground.push(place.commit(ground.at.working, "Hang for a year"))["release"]
    ground.until(hangs, "it to train", lambda view: "-train-" in view["waits_for"])
    ground.change("train.py", "    " + bad_projects.FOREVER, "")
    good = ground.push(place.commit(ground.at.working, "Hang no more"))["release"]
    view = ground.until(good, "people to be asked", asks)
    other = ground.view(hangs)
    beside = f"#{view['number']} is at ask, #{other['number']} is {other['state']} at {other['standing']}"
    ground.telling.claim(
        "the good one is asked about while the other still trains", other["standing"] == "train", beside
    )
    cancelled = ground.reach.post(f"releases/{hangs}/cancel", {"by": "dee", "reason": "it hangs"})
    ended = ground.ended(hangs, "cancelled")
    ground.telling.claim("cancelling stops the job", cancelled["state"] == "cancelled", ended["reason"])
    run = f"{hangs}-train-1"
    ground.wait("its run to end", lambda: stores.runs(ground.state, hangs)[run] != "running", 30.0)
    ground.telling.equal("its run", stores.runs(ground.state, hangs)[run], "cancelled")
    ground.telling.equal("processes it left", stores.working_in(ground.state / "jobs" / run), [])
    return str(good)
