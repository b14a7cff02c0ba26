"""The drill: a ledger is copied while it is at work, lost, put back, verified, and goes on."""

import asyncio
from pathlib import Path

import pytest

from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.ledger import SqliteLedger
from shared.backends.memory import MemoryArtifacts, MemoryCheckpoints, MemoryLedger
from shared.errors import Conflict, NotFound, Unavailable
from tests.audit.ledgers import checkpoint, live, place, signed, verified
from tests.world import RUNNER, World
from tools.audit import keeping
from tools.audit.keeping import Held
from tools.audit.place import Place
from tools.audit.verifying import Verified, verify

AT = "2026-03-03T09:00:00+00:00"


def backed_up(world: World, folder: Path) -> Held:
    return RUNNER.run(keeping.backup(place(world), folder, AT))


def restored(world: World, folder: Path) -> Verified:
    """Put a backup into what a world has left, and let a new process begin."""
    told = RUNNER.run(keeping.restore(keeping.read(folder), place(world), "cy@example.org"))
    world.restart()
    return told


def lose(world: World) -> None:
    world.ledger, world.artifacts = MemoryLedger(), MemoryArtifacts()


def test_what_was_lost_is_put_back_and_a_release_at_work_goes_on_into_production(tmp_path: Path) -> None:
    world = signed()
    first = live(world)
    second = world.push("b")
    world.results["evaluate"] |= {"verdict": "better", "champion": 4.0, "gain": 0.5, "low": 0.1, "high": 0.9}
    checkpoint(world)
    held = backed_up(world, tmp_path / "backup")
    assert (len(held.marks), len(held.artifacts)) == (1, 3)
    before = {name: RUNNER.run(world.ledger.read(name)) for name in RUNNER.run(world.ledger.streams(""))}
    lose(world)
    world.orders.clear()
    assert restored(world, tmp_path / "backup").whole
    assert {name: RUNNER.run(world.ledger.read(name)) for name in before if name != "audit"} == {
        name: content for name, content in before.items() if name != "audit"
    }
    assert RUNNER.run(world.ledger.marks("")) == list(held.marks.items())
    assert world.state(first).ended is not None
    world.patrol()
    world.run()
    world.decide(second)
    world.run()
    ended = world.state(second).ended
    assert ended is not None
    assert ended.how == "live"
    world.checkpoints = MemoryCheckpoints()
    world.restart()
    assert checkpoint(world) == 1
    assert verified(world).whole


def test_what_came_after_the_backup_is_lost_and_the_checkpoints_say_how_much(tmp_path: Path) -> None:
    world = signed()
    live(world)
    backed_up(world, tmp_path / "backup")
    later = live(world, "b")
    checkpoint(world)
    lose(world)
    told = restored(world, tmp_path / "backup")
    assert {one.what for one in told.findings} == {"truncated"}
    assert f"release/{later}" in {one.stream for one in told.findings}


def test_a_backup_in_which_a_line_was_changed_is_not_restored(tmp_path: Path) -> None:
    world = signed()
    release = live(world)
    name = f"release/{release}"
    world.ledger.put_back(name, RUNNER.run(world.ledger.read(name)).replace(b"because", b"instead"))
    backed_up(world, tmp_path / "backup")
    lose(world)
    with pytest.raises(Conflict, match=rf"nothing was restored: {name}, line \d+: edited"):
        restored(world, tmp_path / "backup")
    assert RUNNER.run(world.ledger.lengths("")) == {}


def test_a_file_of_a_backup_that_is_gone_or_changed_is_named_and_nothing_is_restored(tmp_path: Path) -> None:
    world = signed()
    live(world)
    backed_up(world, tmp_path)
    one = next((tmp_path / "artifacts").iterdir())
    content = one.read_bytes()
    one.write_bytes(content + b"x")
    with pytest.raises(Unavailable, match=rf"{one.name} is not what was written"):
        keeping.read(tmp_path)
    one.unlink()
    with pytest.raises(Unavailable, match=rf"{one.name} is gone"):
        keeping.read(tmp_path)
    (tmp_path / "backup.json").write_text("{}")
    with pytest.raises(Unavailable, match="cannot be read"):
        keeping.read(tmp_path)
    (tmp_path / "backup.json").unlink()
    with pytest.raises(NotFound, match="is no whole backup"):
        keeping.read(tmp_path)


def test_neither_a_backup_nor_a_ledger_is_written_over(tmp_path: Path) -> None:
    world = signed()
    live(world)
    backed_up(world, tmp_path)
    with pytest.raises(Conflict, match="is not empty"):
        backed_up(world, tmp_path)
    with pytest.raises(Conflict, match="the ledger is not empty"):
        restored(world, tmp_path)


def test_the_drill_on_disk_from_one_state_folder_into_a_new_one(tmp_path: Path) -> None:
    world = signed()
    live(world)
    first, second = (
        Place(SqliteLedger(tmp_path / name), FileArtifacts(tmp_path / name), None, world.sign, place(world).prover)
        for name in ("first", "second")
    )

    async def story() -> Verified:
        await keeping.backup(place(world), tmp_path / "of memory", AT)
        await keeping.restore(keeping.read(tmp_path / "of memory"), first, "cy@example.org")
        await keeping.backup(first, tmp_path / "of disk", AT)
        await keeping.restore(keeping.read(tmp_path / "of disk"), second, "cy@example.org")
        return await verify(second)

    told = asyncio.run(story())
    assert told.whole
    assert sum(one.signed for one in told.streams) > 40
