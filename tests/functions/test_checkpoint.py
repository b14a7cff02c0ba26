"""The timer that puts the heads of all streams into the second place."""

import asyncio

import pytest
from msgspec.structs import replace

from functions.on_checkpoint_due import on_checkpoint_due
from shared import wiring
from shared.backends.memory import MemoryCheckpoints
from shared.control import Control
from shared.errors import Unavailable
from shared.release import checkpoint
from shared.streams import AUDIT
from tests.functions.conftest import SECRET, App


class Raced(MemoryCheckpoints):
    """A place into which somebody else puts a checkpoint first."""

    async def put(self, name: str, content: bytes) -> bool:
        return False


def due() -> None:
    """Let the timer's function run."""
    asyncio.run(on_checkpoint_due._function.get_user_function()(None))


def over(app: App, place: MemoryCheckpoints | None) -> None:
    control = Control.over(replace(app.world.control.outside, checkpoints=place), event_seconds=1.0, branch_minutes=3.0)
    wiring.use(wiring.Wired(control, app.world.settings(SECRET), 0))


def test_an_hour_passed_and_what_came_since_is_covered(app: App) -> None:
    place = MemoryCheckpoints()
    over(app, place)
    due()
    assert place.kept == {}
    app.world.data()
    due()
    due()
    ((name, content),) = place.kept.items()
    kept = checkpoint.decode(name, content)
    assert [one.stream for one in kept.checkpoint.streams] == ["project/houses"]
    assert b'"kind":"CheckpointMade"' in app.world.ledger_bytes(AUDIT)
    assert kept.digest.encode() in app.world.ledger_bytes(AUDIT)


def test_without_a_second_place_nothing_is_asked_of_the_ledger(app: App) -> None:
    over(app, None)
    app.world.data()
    due()
    assert app.world.ledger_bytes(AUDIT) == b""


def test_of_two_that_make_one_at_once_the_second_tells_of_none(app: App) -> None:
    over(app, Raced())
    app.world.data()
    with pytest.raises(Unavailable, match="checkpoint 1 was made by somebody else"):
        due()
    assert app.world.ledger_bytes(AUDIT) == b""
