"""The drill: a ledger is copied while it is at work, lost, put back, verified, and goes on."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.ledger import SqliteLedger
from shared.backends.memory import MemoryArtifacts, MemoryCheckpoints, MemoryLedger
from shared.errors import Conflict, NotFound, Unavailable
from shared.release import chain, facts
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


def live_signed() -> World:
    world = signed()
    live(world)
    return world


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


class WorkedOn(MemoryLedger):
    """A ledger that is written while it is copied: when a project is read, or before marks are listed."""

    def __init__(self, of: MemoryLedger, at: str, work: Callable[[], Awaitable[None]], times: int = 1) -> None:
        self.__dict__ |= vars(of)
        self._at, self._work, self._left = at, work, times

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Read it; what stands before the project in the alphabet was read already."""
        await self._goes_on("read" if stream.startswith("project/") else "")
        return await super().read(stream, start)

    async def marks(self, prefix: str) -> list[tuple[str, bytes]]:
        """List them; work goes on between the lengths and the marks."""
        await self._goes_on("marks")
        return await super().marks(prefix)

    async def _goes_on(self, at: str) -> None:
        if at == self._at and self._left:
            self._left -= 1
            await self._work()


@pytest.mark.parametrize("at", ["read", "marks"])
def test_a_backup_of_a_stack_at_work_shows_no_effect_without_its_cause(tmp_path: Path, at: str) -> None:
    world = signed()
    live(world)
    second = world.push("b")
    world.results["evaluate"] |= {"verdict": "better", "champion": 4.0, "gain": 0.5, "low": 0.1, "high": 0.9}
    world.run()
    world.decide(second)

    async def goes_live() -> None:
        while world.orders or world.events:
            if world.events:
                answer = await world.control.take_in([world.events.pop(0)])
            else:
                world.deliveries += 1
                answer = await world.control.work(world.orders.pop(0).text(), f"m{world.deliveries}:1")
            world.orders += answer.orders

    copied = place(world)
    at_work = msgspec.structs.replace(copied, ledger=WorkedOn(world.ledger, at, goes_live))
    held = RUNNER.run(keeping.backup(at_work, tmp_path / "backup", AT))
    ended = world.state(second).ended
    assert ended is not None
    assert ended.how == "live"
    promoted = b'"Promoted"' in held.streams[f"release/{second}"]
    decided = second.encode() in held.streams["environment/houses/production"]
    assert promoted == decided == (at == "marks")
    assert (f"open/{second}" in held.marks) == (at == "read")
    lose(world)
    world.orders.clear()
    assert restored(world, tmp_path / "backup").whole
    for _ in range(2):
        # The address has switched already, and no other one can be put in place of what it answers from.
        world.patrol()
        world.run_unless_away()
    assert (world.live(), world.ended(second)) == (second, "live")


def test_a_ledger_that_never_rests_is_not_copied_in_pieces(tmp_path: Path) -> None:
    world = signed()

    async def writes() -> None:
        await world.control.streams.add("inbox", [facts.CameIn("github", "x", "refused", "nobody's", "d")])

    at_work = msgspec.structs.replace(place(world), ledger=WorkedOn(world.ledger, "marks", writes, times=1000))
    with pytest.raises(Unavailable, match="while less is going on"):
        RUNNER.run(keeping.backup(at_work, tmp_path, AT))


def test_what_only_a_mark_names_is_in_the_backup(tmp_path: Path) -> None:
    world = signed()
    manifest = RUNNER.run(world.artifacts.put(b"the manifest of a package that is building"))
    RUNNER.run(world.ledger.mark("package/houses/x", f'{{"manifest":"{manifest}"}}'.encode()))
    assert backed_up(world, tmp_path).artifacts.keys() == {manifest}


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


def test_a_release_that_only_its_mark_knows_is_put_back_and_begins(tmp_path: Path) -> None:
    world = signed()
    release = world.push("a")
    world.ledger._streams.pop(f"release/{release}")
    backed_up(world, tmp_path / "backup")
    lose(world)
    world.orders.clear()
    assert restored(world, tmp_path / "backup").whole
    world.patrol()
    assert world.state(release).opened is not None


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


@pytest.mark.parametrize(
    "entry",
    [
        "keys/a",
        "backup.json",
        "/etc/hostname",
        "ledger/../../secret.jsonl",
        "ledger/..%2Fsecret.jsonl",
        "ledger/release%2F%2Fa.jsonl",
        "marks/..",
        "marks/a/b",
        "marks/open%2f1",
        "artifacts/short",
    ],
)
def test_a_list_that_names_anything_but_a_file_of_a_backup_is_refused(tmp_path: Path, entry: str) -> None:
    listed = keeping.Listed(AT, {entry: chain.sha256(b"")})
    (tmp_path / "backup.json").write_bytes(msgspec.json.encode(listed))
    (tmp_path / "ledger").mkdir()
    (tmp_path.parent / "secret.jsonl").write_bytes(b"")
    with pytest.raises(Unavailable, match="is no file of a backup"):
        keeping.read(tmp_path)


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_a_link_in_a_backup_is_not_followed(tmp_path: Path, linked: str) -> None:
    folder, elsewhere = tmp_path / "backup", tmp_path / "elsewhere"
    backed_up(live_signed(), folder)
    one = next((folder / "artifacts").iterdir())
    moved = one if linked == "file" else one.parent
    moved.rename(elsewhere)
    moved.symlink_to(elsewhere)
    with pytest.raises(Unavailable, match="is a link"):
        keeping.read(folder)


def test_a_backup_that_no_key_proves_is_put_back_only_by_whoever_takes_it_unproven(tmp_path: Path) -> None:
    world = live_signed()
    backed_up(world, tmp_path / "backup")
    lose(world)
    held = keeping.read(tmp_path / "backup")
    nobody = msgspec.structs.replace(place(world), signer=None, prover=None, checkpoints=None)
    with pytest.raises(Conflict, match="nothing was restored: no key is known"):
        RUNNER.run(keeping.restore(held, nobody, "cy@example.org"))
    assert RUNNER.run(world.ledger.lengths("")) == {}
    assert not RUNNER.run(keeping.restore(held, nobody, "cy@example.org", unproven=True)).signing


def test_lines_of_a_backup_that_nobody_signed_are_refused_with_a_key_and_taken_unproven(tmp_path: Path) -> None:
    world = World()
    live(world)
    at = place(world)
    RUNNER.run(keeping.backup(at, tmp_path / "backup", AT))
    held = keeping.read(tmp_path / "backup")
    with pytest.raises(Conflict, match="unsigned"):
        RUNNER.run(keeping.restore(held, msgspec.structs.replace(at, ledger=MemoryLedger()), "cy@example.org"))
    changed = {name: content.replace(b"because", b"instead") for name, content in held.streams.items()}
    into = msgspec.structs.replace(at, ledger=MemoryLedger())
    with pytest.raises(Conflict, match=r"nothing was restored: .*chain broken"):
        RUNNER.run(
            keeping.restore(msgspec.structs.replace(held, streams=changed), into, "cy@example.org", unproven=True)
        )
    into = msgspec.structs.replace(at, ledger=MemoryLedger())
    assert RUNNER.run(keeping.restore(held, into, "cy@example.org", unproven=True)).findings


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


def test_a_stream_whose_rows_say_another_length_than_they_have_is_named(tmp_path: Path) -> None:
    world = signed()
    live(world)
    ledger = SqliteLedger(tmp_path)
    at = Place(ledger, world.artifacts, None, world.sign, place(world).prover)

    async def filled() -> Verified:
        for name in await world.ledger.streams(""):
            for line in (await world.ledger.read(name)).splitlines(keepends=True):
                await ledger.append(name, line, None)
        return await verify(at)

    assert asyncio.run(filled()).whole
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute(
            "update rows set start = start + 7 where stream = 'project/houses' and start = "
            "(select max(start) from rows where stream = 'project/houses')"
        )
    (one,) = asyncio.run(verify(at)).findings
    assert (one.stream, one.what) == ("project/houses", "edited")
    assert "are there" in one.said
