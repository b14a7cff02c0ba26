"""What a person calls a release: found without reading every release, and never in a project they may not see."""

import pytest
from msgspec.structs import replace

from shared.backends.memory import MemoryLedger
from shared.errors import Conflict, NotFound
from shared.release import ids
from tests.world import RUNNER, World

NOBODYS = "quiet-heron-of-nobody"


class Counted(MemoryLedger):
    """Keeps which streams were read."""

    def __init__(self) -> None:
        super().__init__()
        self.read_of: list[str] = []

    async def read(self, stream: str, start: int = 0) -> bytes:
        """Return the bytes and keep the name."""
        self.read_of.append(stream)
        return await super().read(stream, start)


def test_a_name_that_nobody_has_reads_no_release_and_one_that_somebody_has_reads_that() -> None:
    ledger = Counted()
    world = World(ledger=ledger)
    released = [world.push(letter) for letter in "abc"]
    world.run()
    world.restart()
    ledger.read_of.clear()
    for name in (NOBODYS, "houses#9", "rents#1"):
        with pytest.raises(NotFound, match=f"there is no release {name}; list them with GET /api/releases"):
            RUNNER.run(world.control.reading.release(name))
    assert not [name for name in ledger.read_of if name.startswith("release/")]
    for name in (ids.alias(released[1]), "houses#2"):
        ledger.read_of.clear()
        assert RUNNER.run(world.control.reading.release(name)).state.release.release == released[1]
        assert set(ledger.read_of) <= {"project/houses", f"release/{released[1]}"}


def test_a_version_is_found_in_its_project() -> None:
    world = World()
    release = world.push("a")
    world.run()
    assert RUNNER.run(world.control.reading.release("houses@v1")).state.release.release == release
    with pytest.raises(NotFound):
        RUNNER.run(world.control.reading.release("houses@v2"))


def test_what_one_may_not_see_is_told_of_word_for_word_as_what_is_not_there() -> None:
    world = World()
    release = world.push("a")
    world.run()
    looking = world.control.looking
    missing = "0123456789abcdef0123"
    for name in (release, ids.alias(release), "houses#1", "houses@v1"):
        with pytest.raises(NotFound) as hidden:
            RUNNER.run(looking.release(frozenset(), name))
        with pytest.raises(NotFound) as gone:
            RUNNER.run(looking.release(frozenset(("houses",)), missing))
        assert str(hidden.value).replace(name, "") == str(gone.value).replace(missing, "")
        assert RUNNER.run(looking.release(frozenset(("houses",)), name)).state.release.release == release


def test_an_alias_of_several_is_a_conflict_only_for_who_sees_several() -> None:
    world = World()
    world.projects["rents"] = replace(world.projects["houses"], repository="https://git.example.org/acme/rents")
    ours = world.push("a")
    world.run()
    theirs = _of_one_name(ids.alias(ours), ours)
    numbered = replace(world.facts("project/houses")[0], release=theirs)
    assert ids.alias(theirs) == ids.alias(ours)
    opened = replace(world.facts(f"release/{ours}")[0], release=theirs, project="rents")
    RUNNER.run(world.control.streams.add("project/rents", [numbered]))
    RUNNER.run(world.control.streams.add(f"release/{theirs}", [opened]))
    with pytest.raises(Conflict, match=theirs):
        RUNNER.run(world.control.looking.release(frozenset(("houses", "rents")), ids.alias(ours)))
    found = RUNNER.run(world.control.looking.release(frozenset(("houses",)), ids.alias(ours)))
    assert found.state.release.release == ours


def _of_one_name(alias: str, other: str) -> str:
    made = (f"{number:012x}{'0' * 8}" for number in range(100_000))
    return next(release for release in made if ids.alias(release) == alias and release != other)
