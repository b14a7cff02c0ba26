"""A storage that throttles, refuses or says nothing: whoever asks is answered in time, and what comes again is done."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import pytest

from functions.on_push import on_push
from shared import wiring
from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from shared.backends.blobs.account import AT_ONCE
from shared.backends.memory import MemoryArtifacts, MemoryLedger
from shared.errors import Unavailable
from shared.release import facts
from tests import storage
from tests.functions.conftest import SECRET, App, push_body, signed
from tests.functions.test_events import deliver
from tests.world import World, commit
from tools.bench.wire import Fault, Wire

SHORT, LONG = 0.3, 60.0
FAULTS: tuple[Fault, ...] = ("429", "503", "silence")


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A way to the storage that may fail."""
    with storage.wire() as wire:
        yield wire


@pytest.fixture
def app(wire: Wire, tmp_path: Path) -> Iterator[App]:
    """Give the app over a new world whose ledger and artifacts are blobs."""
    world = World()
    account = Account(wire.connection(storage.connection()), storage.prefix(tmp_path), read_timeout=1)
    world.ledger = cast(MemoryLedger, BlobLedger(account))
    world.artifacts = cast(MemoryArtifacts, BlobArtifacts(account))
    world.restart()
    bounds(world, LONG)
    world.now = wiring.now()
    yield App(world)
    wiring.forget()


def bounds(world: World, seconds: float) -> None:
    """Let every answer come within so many seconds."""
    world.control = msgspec.structs.replace(world.control, event_seconds=seconds)
    settings = msgspec.structs.replace(world.settings(SECRET), http_seconds=seconds)
    wiring.use(wiring.Wired(world.control, settings, 0))


def push(app: App) -> tuple[int, str]:
    """Tell of the commit at the tip and return the answer."""
    body = push_body(app.world.branch[-1])
    answer = app.http(on_push, "POST", body, **signed(body))
    return answer.status_code, answer.get_body().decode()


def until_rest(app: App) -> None:
    """Deliver orders as the queue does, and events to their functions."""
    while app.world.orders or app.world.events:
        if app.world.events:
            deliver(app, app.world.events.pop(0), "eventgrid")
        else:
            app.world.work(app.world.orders.pop(0))


@pytest.mark.parametrize("fault", FAULTS)
def test_an_event_is_given_back_in_time_and_is_recorded_when_it_comes_again(app: App, wire: Wire, fault: Fault) -> None:
    world = app.world
    world.commit("a")
    assert push(app)[0] == 202
    while not world.events:
        world.work(world.orders.pop(0))
    wire.forget()
    wire.always = fault
    bounds(world, SHORT)
    with pytest.raises(Unavailable, match=r"no answer within 0\.3 s"):
        deliver(app, world.events[0], "eventgrid")
    assert wire.begun
    wire.always = None
    bounds(world, LONG)
    until_rest(app)
    (release,) = world.state_of_project().numbered
    world.decide(release)
    until_rest(app)
    heard = [fact for fact in world.facts(f"release/{release}") if isinstance(fact, facts.Heard)]
    assert (world.ended(release), world.live()) == ("live", release)
    assert len({(fact.event, fact.subject) for fact in heard}) == len(heard)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_push_is_answered_503_in_time_and_opens_one_release_when_it_is_told_again(
    app: App, wire: Wire, fault: Fault
) -> None:
    app.world.commit("a")
    wire.always = fault
    bounds(app.world, SHORT)
    status, said = push(app)
    assert (status, "no answer within 0.3 s" in said) == (503, True)
    wire.always = None
    bounds(app.world, LONG)
    assert [push(app)[0], push(app)[0]] == [202, 202]
    assert [one.commit for one in app.world.state_of_project().numbered.values()] == [commit("a")]


def test_handlers_that_were_cut_leave_no_more_threads_than_one_account_has_and_ask_nothing_more(
    app: App, wire: Wire
) -> None:
    control, asked, before = app.world.control, 4 * AT_ONCE, set(threading.enumerate())
    wire.always = "silence"

    async def cut() -> int:
        readings = [asyncio.wait_for(control.streams.read(f"release/{at:020x}"), SHORT) for at in range(asked)]
        told = await asyncio.gather(*readings, return_exceptions=True)
        return sum(isinstance(each, TimeoutError) for each in told)

    assert asyncio.run(cut()) == asked
    assert wire.begun <= AT_ONCE
    assert sum(each.name.startswith("blobs") for each in set(threading.enumerate()) - before) <= AT_ONCE
    # Let go of them: nobody waits, so none of them asks again, and none of those that had no thread begins.
    wire.let_go()
    wire.always = None
    assert asyncio.run(control.streams.read("release/none")).records == ()
    assert wire.begun <= AT_ONCE + 1
