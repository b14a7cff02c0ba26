"""What people see of a release that waits for them because a step used up its attempts."""

import pytest

from shared import reports
from shared.errors import Conflict
from shared.release import line, notices
from tests.world import World


def test_a_parked_release_says_why_and_what_to_do() -> None:
    world = World(losing={"train"})
    release = world.push("a")
    for _ in range(8):
        world.run()
        world.patrol()
    view = reports.release(world.state(release), "")
    assert view["state"] == "parked"
    assert view["reason"] == f"5 attempts at {release}-train-1 gave no outcome"
    assert "resume" in view["advice"]


def test_a_resume_whose_answer_was_lost_is_said_again_and_orders_again() -> None:
    world = World(losing={"train"})
    release = world.push("a")
    for _ in range(8):
        world.run()
        world.patrol()
    world.losing.clear()
    resume = notices.ResumeAsked(release, "cy@example.org", "mended")
    told = [world.take_in(resume)]
    world.orders.clear()
    told.append(world.take_in(resume))
    assert told[0] == told[1]
    world.run()
    assert line.standing(world.state(release)) == "ask"
    with pytest.raises(Conflict, match="not parked"):
        world.take_in(notices.ResumeAsked(release, "cy@example.org", "another reason"))
