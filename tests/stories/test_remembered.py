"""What a process remembers of streams is what stands in the ledger, and never more."""

import random
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from shared.answers import Order
from shared.control import Control
from shared.release import chain, facts, line, notices, project
from shared.streams import KEPT, Streams, project_stream
from tests.world import RUNNER, World


def streams(world: World) -> Streams:
    return world.control.streams


def read(world: World, name: str) -> chain.Stream:
    return RUNNER.run(streams(world).read(name))


def test_a_process_fetches_only_what_came_since_and_knows_the_same_as_one_that_reads_it_whole() -> None:
    world, shuffle = World(), random.Random(7)
    for letter in "abc":
        world.push(letter)
        world.data(f"in/{letter}.csv")
        world.run(shuffle=shuffle)
    remembered = RUNNER.run(streams(world).project("houses"))
    whole = chain.decode(project_stream("houses"), world.ledger_bytes("project/houses"))
    assert read(world, project_stream("houses")) == whole
    assert remembered == project.fold(whole.facts)


def test_what_two_read_at_once_is_folded_once() -> None:
    world, name = World(), project_stream("houses")
    world.push("a")
    world.state_of_project()
    _, folded = streams(world).folded[name]
    # Another reader has decoded the same lines for itself, and one more.
    another = Streams(world.ledger, lambda: world.now)
    RUNNER.run(another.add(name, [facts.ReleaseParked("0123456789abcdef0123")]))
    known = streams(world).project_of(RUNNER.run(another.read(name)))
    assert streams(world).folded[name][1] is folded
    assert known == project.fold(chain.decode(name, world.ledger_bytes(name)).facts)


def test_what_a_caller_does_with_its_knowledge_is_its_own() -> None:
    world = World()
    world.push("a")
    known = RUNNER.run(streams(world).project("houses"))
    project.learn(known, facts.ReleaseClosed(next(iter(known.numbered)), "failed"))
    known.numbered.clear()
    assert len(world.state_of_project().numbered) == 1
    assert not world.state_of_project().closed


def test_a_stream_that_was_put_back_from_a_backup_is_read_whole_after_one_conflict() -> None:
    world = World()
    world.push("a")
    backup = world.ledger_bytes("project/houses")
    world.push("b")
    world.ledger.put_back("project/houses", backup)
    world.push("c")
    commits = [numbered.commit[0] for numbered in world.state_of_project().numbered.values()]
    assert commits == ["a", "c"]


def test_a_stream_that_was_put_back_and_has_grown_past_what_is_remembered_is_read_whole() -> None:
    world = World()
    world.push("a")
    backup = world.ledger_bytes("project/houses")
    world.push("b")
    world.ledger.put_back("project/houses", backup)
    elsewhere = Streams(world.ledger, lambda: world.now)
    for at in range(9):
        RUNNER.run(elsewhere.add("project/houses", [facts.CameIn("github", f"refs/tags/v{at}", "recorded", "a tag")]))
    world.push("c")
    commits = [numbered.commit[0] for numbered in world.state_of_project().numbered.values()]
    assert commits == ["a", "c"]


def test_a_tail_that_was_tampered_with_is_found_though_the_beginning_is_remembered() -> None:
    world, name = World(), "release/0123456789abcdef0123"
    here, elsewhere = streams(world), Streams(world.ledger, lambda: world.now)
    for step in ("check", "train", "evaluate"):
        stream = RUNNER.run(elsewhere.read(name))
        RUNNER.run(elsewhere.append(stream, [facts.StepOrdered(step, 1)]))
        if step == "check":
            read(world, name)
    world.ledger.put_back(name, world.ledger_bytes(name).replace(b"train", b"brain"))
    with pytest.raises(chain.Broken, match=f"stream {name}, line 3: what stands before it was changed"):
        RUNNER.run(here.read(name))


def test_no_more_streams_are_remembered_than_a_process_can_hold() -> None:
    world = World()
    world.push("a")
    for number in range(KEPT + 10):
        RUNNER.run(streams(world).add(f"release/{number:020x}", [facts.StepOrdered("check", 1)]))
        read(world, f"release/{number:020x}")
    assert len(streams(world).kept) == KEPT


def beside(world: World) -> Control:
    """Return another process of the app, which remembers what it reads from now on."""
    return world.controller(lambda _, port: port)


def test_a_process_that_remembers_a_parked_step_asks_before_it_sets_the_release_aside() -> None:
    world = World()
    world.losing.add("train")
    release = world.push("a")
    while world.state(release).parked is None:
        world.run()
        world.patrol()
    here, world.control = world.control, beside(world)
    world.take_in(notices.ResumeAsked(release, "ana@example.org", "mended"))
    world.losing.clear()
    world.control = here
    world.run()
    assert line.standing(world.state(release)) == "ask"
    assert world.state_of_project().aside == set()


def test_a_process_that_remembers_an_earlier_step_fails_no_release_that_went_on_without_it() -> None:
    world = World()
    release = world.push("a")
    while line.standing(world.state(release)) != "stage":
        world.run_one()
    here, world.control = world.control, beside(world)
    world.run()
    slot = f"{release}-staging"
    world.services[slot] = replace(world.services[slot], status="failed", log="it is gone")
    world.control = here
    world.work(Order("stage", release, 1))
    assert world.ended(release) == "open"
    assert not any(isinstance(fact, facts.StepFailed) for fact in world.facts(f"release/{release}"))


def test_a_push_takes_the_data_that_another_process_took_in() -> None:
    world = World()
    world.data("in/january.csv")
    first = world.push("a")
    here, world.control = world.control, beside(world)
    world.data("in/february.csv")
    world.control = here
    second = world.push("b")
    assert [blob.name for blob in world.state(second).release.blobs] == ["in/february.csv", "in/january.csv"]
    assert world.tell_push("a" * 40) == first


def test_a_close_that_comes_again_in_another_process_is_recorded_once() -> None:
    world = World()
    release = world.push("a")
    world.run()
    RUNNER.run(world.control.reading.environments())
    here, world.control = world.control, beside(world)
    world.decide(release, decision="reject")
    world.run()
    world.control = here
    world.work(Order("close", release))
    closed = [fact for fact in world.facts("project/houses") if isinstance(fact, facts.ReleaseClosed)]
    vacated = [fact for fact in world.facts("environment/houses/staging") if isinstance(fact, facts.SlotVacated)]
    assert (len(closed), len(vacated)) == (1, 1)


@dataclass
class Outrun:
    """A ledger on whose way another process is first, once, to begin the release that is about to begin."""

    world: World
    port: Any
    pushed: list[notices.Notice]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.port, name)

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        """Append, once the other did."""
        if stream.startswith("release/") and self.pushed:
            await beside(self.world).take_in([self.pushed.pop()])
        length: int = await self.port.append(stream, lines, at)
        return length


def test_a_push_whose_release_another_process_begins_at_that_moment_orders_its_first_step_too() -> None:
    world = World()
    address = ("https://git.example.org/acme/houses",)
    pushed = notices.Pushed("github", address, "refs/heads/main", "0" * 40, world.commit("a"), "dee", "a change", "one")
    world.control = world.controller(lambda name, port: Outrun(world, port, [pushed]) if name == "ledger" else port)
    answer = world.take_in(pushed)
    (release,) = world.state_of_project().numbered
    assert answer.orders == (Order("check", release),)
    assert [type(fact).__name__ for fact in world.facts(f"release/{release}")] == ["ReleaseOpened", "StepOrdered"]
