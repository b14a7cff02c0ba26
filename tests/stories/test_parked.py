"""What people see of a release that waits for them because a step used up its attempts."""

from shared import reports
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
