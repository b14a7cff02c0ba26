"""The process dies at every single point, before or after each call took effect; nothing is lost or doubled."""

from collections.abc import Awaitable, Callable
from contextlib import suppress

import pytest
from msgspec import structs

from shared.answers import Order
from shared.backends.memory import MemoryLedger
from shared.errors import Conflict, Unavailable
from shared.ports import Service
from shared.release import facts, line, notices
from tests.world import RUNNER, Crash, World, commit


def survive(world: World, heals: str) -> None:
    """Restart, and let what comes at least once come again: by delivery, or by the patrol alone."""
    world.restart()
    if heals == "patrol":
        world.orders.clear()
    world.patrol()


def until_rest(world: World, heals: str) -> None:
    """Deliver orders and events; one during which the process dies is delivered again, or healed by the patrol."""
    while world.orders or world.events:
        waiting = [*world.orders, *world.events]
        try:
            world.run_one()
        except Crash:
            if heals == "delivery":
                (world.events if isinstance(waiting[0], notices.Notice) else world.orders).append(waiting[0])  # type: ignore[arg-type]
            survive(world, heals)


def decide_and_rest(world: World, release: str, heals: str) -> None:
    """Let people approve, whenever the process dies meanwhile, and heal what it left."""
    try:
        world.decide(release)
    except Crash:
        survive(world, "patrol")
        until_rest(world, heals)
        if not world.state(release).decided:
            world.decide(release)
    until_rest(world, heals)
    # The last facts of a release may be those that the process died over.
    for _ in range(2):
        with suppress(Crash):
            world.patrol()
        until_rest(world, heals)


def whole_line(dies_at: int, heals: str) -> World:
    world = World()
    world.data()
    world.passed, world.dies_at = 0, dies_at
    new = world.commit("a")
    try:
        world.tell_push(new)
    except Crash:
        survive(world, "patrol")
    until_rest(world, heals)
    (release,) = world.state_of_project().numbered
    decide_and_rest(world, release, heals)
    return world


POINTS = whole_line(0, "delivery").passed


@pytest.mark.parametrize("heals", ["delivery", "patrol"])
def test_dying_at_any_point_ends_with_one_of_everything_in_production(heals: str) -> None:
    assert POINTS > 250
    # Where a call took effect and nobody was told is where the patrol has the most to find.
    for point in range(1, POINTS + 1) if heals == "delivery" else range(2, POINTS + 1, 2):
        world = whole_line(point, heals)
        (release,) = world.state_of_project().numbered
        made = (len(world.versions), len(world.images), len(world.services), len(world.jobs), len(world.outbox))
        assert (world.ended(release), world.live(), made) == ("live", release, (1, 1, 2, 6, 2)), f"died at {point}"
        assert list(world.state_of_project().closed) == [release], f"died at {point}"


def at_try() -> tuple[World, str]:
    """Return a world whose release is staged, and about to be tried."""
    world = World()
    release = world.push("a")
    while line.standing(world.state(release)) != "try":
        world.run_one()
    return world, release


@pytest.mark.parametrize("left", ["stopped", "nothing"])
def test_a_service_that_went_down_before_its_trial_is_started_again_and_tried(left: str) -> None:
    world, release = at_try()
    slot = f"{release}-staging"
    if left == "stopped":
        world.services[slot] = Service(slot, "stopped", world.services[slot].image)
    else:
        del world.services[slot]
    world.run()
    assert world.services[slot].status == "answering"
    assert line.standing(world.state(release)) == "ask"


def test_a_service_that_is_still_starting_is_not_tried_yet() -> None:
    world, release = at_try()
    slot = f"{release}-staging"
    answering = world.services[slot]
    world.services[slot] = Service(slot, "starting", answering.image)
    with pytest.raises(Unavailable, match="started again"):
        world.run()
    assert f"{release}-try-1" not in world.jobs
    world.services[slot] = structs.replace(answering, url="http://elsewhere.example.org/score")
    world.patrol()
    world.run()
    assert "http://elsewhere.example.org/score" in world.specs[f"{release}-try-1"].settings
    assert line.standing(world.state(release)) == "ask"


def test_a_service_that_does_not_come_back_fails_the_release_with_its_reason() -> None:
    world, release = at_try()
    slot = f"{release}-staging"
    world.services[slot] = Service(slot, "stopped", world.services[slot].image)
    world.failing["staging"] = "no such file: model.joblib"
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert ended.how == "failed"
    assert "no such file: model.joblib" in ended.reason


def test_a_cancel_at_any_point_of_going_live_leaves_it_live_or_ends_it_never_both() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release)
    steps = 0
    while world.orders or world.events:
        world.run_one()
        steps += 1
    for after in range(steps):
        assert_cancelled_or_live(after)


def assert_cancelled_or_live(after: int) -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release)
    for _ in range(after):
        world.run_one()
    with suppress(Conflict):
        world.take_in(notices.CancelAsked(release, "dee@example.org", "stop"))
    world.run()
    world.patrol()
    world.run()
    assert (world.ended(release), world.live()) in (("cancelled", ""), ("live", release)), f"after {after}"


def test_a_cancel_between_the_decision_to_go_live_and_the_append_is_refused() -> None:
    world = World()
    release = world.push("a")
    world.run()
    world.decide(release)
    for point in range(1, 400):
        world.passed, world.dies_at = 0, point
        try:
            world.run_one()
        except Crash:
            world.restart()
            world.patrol()
        if f"{release}-production-live" in world.state(release).attempts:
            break
        if not world.orders and not world.events:
            world.patrol()
    with pytest.raises(Exception, match="roll production back"):
        world.take_in(notices.CancelAsked(release, "dee@example.org", "stop"))


def test_a_push_that_died_before_its_mark_is_begun_by_the_patrol_with_what_was_asked() -> None:
    for point in range(1, 30):
        world = World(dies_at=point)
        new = world.commit("a")
        try:
            world.tell_push(new, by="dee@example.org")
        except Crash:
            world.restart()
        world.dies_at = 0
        world.data()
        world.patrol()
        world.run()
        first = next(iter(world.state_of_project().numbered))
        opened = world.state(first).release
        assert opened.commit == commit("a")
        assert opened.by in ("dee@example.org", ""), f"died at {point}"
        assert line.standing(world.state(first)) in ("ask", None)


def test_a_retraining_that_the_timer_was_about_to_begin_is_begun_by_its_next_look_wherever_it_died() -> None:
    reached = False
    for point in range(1, 100):
        world = World()
        world.projects["houses"] = structs.replace(
            world.projects["houses"],
            data=structs.replace(world.projects["houses"].data, quiet_seconds=10),  # type: ignore[type-var]
        )
        world.push("a")
        world.run()
        world.data()
        world.wait(seconds=10)
        world.passed, world.dies_at = 0, point
        try:
            world.tick()
        except Crash:
            reached = True
            world.restart()
            world.tick()
        world.dies_at = 0
        world.run()
        causes = [numbered.cause for numbered in world.state_of_project().numbered.values()]
        assert causes == ["push", "data"], f"died at {point}"
        retrained = list(world.state_of_project().numbered)[-1]
        assert line.standing(world.state(retrained)) == "ask", f"died at {point}"
        if world.passed < point:
            break
    assert reached


def test_an_order_that_comes_again_after_its_outcome_was_recorded_orders_what_is_due_next() -> None:
    world = World(silent={"RunCompleted"})
    release = world.push("a")
    (check,) = world.orders
    world.run()
    world.work(check)
    assert [order.step for order in world.orders] == ["train"]
    world.orders.clear()
    world.work(check)
    assert [order.step for order in world.orders] == ["train"]
    assert line.standing(world.state(release)) == "train"


class Late(MemoryLedger):
    """A ledger in which others write just before a mark is put."""

    def __init__(self) -> None:
        super().__init__()
        self.before: list[Callable[[], Awaitable[object]]] = []

    async def mark(self, name: str, content: bytes) -> bool:
        if self.before:
            await self.before.pop()()
        return await super().mark(name, content)


def test_a_push_that_is_repeated_while_its_release_is_closed_leaves_no_mark() -> None:
    world = World(ledger=Late())
    release = world.push("a")
    world.run()
    world.decide(release, decision="reject")
    while Order("close", release) not in world.orders:
        world.run_one()
    close = world.orders.pop(world.orders.index(Order("close", release)))
    world.ledger.before.append(lambda: world.control.work(close.text(), "close:1"))  # type: ignore[attr-defined]
    world.tell_push(commit("a"))
    world.run()
    assert RUNNER.run(world.ledger.marks("open/")) == []


class Slow(MemoryLedger):
    """A ledger whose first switch of production takes effect long after its caller gave up."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way: list[tuple[str, bytes, int]] = []

    async def append(self, stream: str, lines: bytes, at: int | None) -> int:
        if b'"LiveDecided"' in lines and at is not None and not self.under_way:
            self.under_way.append((stream, lines, at))
            raise Unavailable("no answer came")
        return await super().append(stream, lines, at)

    def lands(self) -> None:
        with suppress(Conflict):
            RUNNER.run(super().append(*self.under_way[0]))


def put_off(ledger: Slow) -> tuple[World, str]:
    """Return a world in which the answer of the switch to a release never came, and it is still under way."""
    world = World(ledger=ledger)
    release = world.push("a")
    world.run()
    world.decide(release)
    world.run_unless_away()
    assert ledger.under_way
    return world, release


def test_what_was_cancelled_does_not_go_live_by_a_switch_whose_answer_never_came() -> None:
    ledger = Slow()
    world, release = put_off(ledger)
    world.take_in(notices.CancelAsked(release, "dee@example.org", "stop"))
    ledger.lands()
    world.run()
    world.patrol()
    world.run()
    assert (world.ended(release), world.live()) == ("cancelled", "")


def test_a_cancel_that_comes_after_a_switch_whose_answer_never_came_is_refused() -> None:
    ledger = Slow()
    world, release = put_off(ledger)
    ledger.lands()
    with pytest.raises(Conflict, match="roll production back"):
        world.take_in(notices.CancelAsked(release, "dee@example.org", "stop"))
    world.patrol()
    world.run()
    assert (world.ended(release), world.live()) == ("live", release)


@pytest.mark.parametrize("lands", ["before its service failed", "after its service failed"])
def test_a_release_whose_service_fails_while_its_switch_is_under_way_is_live_or_has_failed_never_both(
    lands: str,
) -> None:
    ledger = Slow()
    world, release = put_off(ledger)
    slot = f"{release}-production"
    world.services[slot] = structs.replace(world.services[slot], status="failed", log="no memory")
    if lands == "before its service failed":
        ledger.lands()
    world.patrol()
    world.run_unless_away()
    if lands == "after its service failed":
        ledger.lands()
    world.patrol()
    world.run_unless_away()
    for _ in range(2):
        world.patrol()
        world.run_unless_away()
    decided = [fact for fact in world.facts("environment/houses/production") if isinstance(fact, facts.LiveDecided)]
    assert (world.ended(release), len(decided)) == (("live", 1) if lands.startswith("before") else ("failed", 0))


def test_what_was_live_and_rolled_back_before_anybody_was_told_ends_as_superseded_and_not_as_cancelled() -> None:
    ledger = Slow()
    ledger.under_way.append(("none", b"", 0))
    world = World(ledger=ledger)
    live = world.push("a")
    world.run()
    world.decide(live)
    world.run()
    ledger.under_way.clear()
    world.results["evaluate"].update(verdict="better", champion=4.0, gain=0.5, low=0.1, high=0.9)
    release = world.push("b")
    world.run()
    world.decide(release)
    world.run_unless_away()
    ledger.lands()
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "slow"))
    with pytest.raises(Conflict, match="roll production back"):
        world.take_in(notices.CancelAsked(release, "dee@example.org", "stop"))
    world.patrol()
    world.run()
    assert (world.ended(release), world.live()) == ("superseded", live)


def test_with_cancel_an_older_release_gives_way_wherever_the_process_dies_over_the_newer() -> None:
    reached = 0
    for point in range(1, 60):
        world = World()
        world.projects["houses"] = structs.replace(world.projects["houses"], on_newer="cancel")
        world.running.add("train")
        older = world.push("a")
        world.run()
        newer = world.push("b")
        waiting = [*world.orders, *world.events]
        world.passed, world.dies_at = 0, point
        try:
            world.run_one()
        except Crash:
            reached += 1
            world.restart()
            # The message comes again; nothing else heals.
            world.orders[:] = [each for each in waiting if isinstance(each, Order)]
        world.dies_at = 0
        world.run()
        assert (world.ended(older), world.ended(newer)) == ("superseded", "open"), f"died at {point}"
    assert reached > 15
