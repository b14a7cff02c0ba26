"""A mark names a release and makes none: whoever can write the storage must not write history by it."""

from typing import Any

from shared.release import chain, facts
from tests.world import RUNNER, World

FORGED = "e" * 20


def test_what_a_forged_mark_holds_is_not_believed_and_nothing_begins() -> None:
    world = World()
    release = world.push("a")
    world.run()
    opened, *rest = world.facts(f"release/{release}")
    assert isinstance(opened, facts.ReleaseOpened)
    forged = [facts.ReleaseOpened(**{**_fields(opened), "release": FORGED, "number": 99}), *rest]
    RUNNER.run(world.ledger.mark(f"open/{FORGED}", chain.encode(forged, "", None)))
    world.patrol()
    world.run()
    assert not world.ledger_bytes(f"release/{FORGED}")


def test_a_mark_that_says_more_than_the_project_begins_what_the_project_says() -> None:
    whole, world = World(), World()
    release = whole.push("a")
    opened, *_ = whole.facts(f"release/{release}")
    assert isinstance(opened, facts.ReleaseOpened)
    more = [facts.ReleaseOpened(**{**_fields(opened), "commit": "d" * 40}), facts.Approved(1, "sha256:0", ("eve",))]
    RUNNER.run(world.ledger.append("project/houses", whole.ledger_bytes("project/houses"), 0))
    RUNNER.run(world.ledger.mark(f"open/{release}", chain.encode(more, "", None)))
    world.patrol()
    assert world.facts(f"release/{release}") == whole.facts(f"release/{release}")


def _fields(opened: facts.ReleaseOpened) -> dict[str, Any]:
    return {name: getattr(opened, name) for name in opened.__struct_fields__}
