"""Stories about telling: what becomes of releases is said at their commits, in channels and to people."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace

from shared.answers import Order
from shared.errors import Unavailable
from shared.release import line, notices
from shared.release.config import Tell
from shared.release.facts import Asked, NotTold
from tests.world import RUNNER, Crash, World, commit

CHANNEL = "TEAM"
STATUSES = "statuses (HOST)"


def telling(**given: Any) -> World:
    world = World(mails=given.pop("mails", False))
    tell = Tell(to=(CHANNEL,), statuses="github", token="HOST", **given)
    world.projects["houses"] = replace(world.projects["houses"], tell=tell, approvers=("ana@example.org",))
    world.restart()
    world.data()
    return world


def said(world: World, letter: str = "a") -> dict[str, tuple[str, str]]:
    """What stands at a commit now, by step."""
    prefix = "signalbox/houses"
    return {
        context.removeprefix(prefix).lstrip("/"): told[-1]
        for (at, context), told in world.statuses.items()
        if at == commit(letter)
    }


def subjects(world: World, to: str = CHANNEL) -> list[str]:
    return [subject.partition(" (")[0] for where, subject, _ in world.sent if where == to]


def test_every_step_stands_at_its_commit_and_the_channel_hears_of_the_questions_and_the_end() -> None:
    world = telling()
    release = world.push("a")
    world.run()
    assert said(world)["ask"] == ("pending", "ana@example.org must decide by 10 Mar 2026")
    assert said(world)[""][0] == "pending"
    assert "promote" not in said(world)
    world.decide(release)
    world.run()
    assert world.ended(release) == "live"
    assert {step: state for step, (state, _) in said(world).items()} == dict.fromkeys([*line.NAMES, ""], "success")
    assert said(world)["train"] == ("success", "trained: on 80 rows, 20 kept away from it; model of 1.2 KB")
    assert subjects(world) == ["houses v1", "ana@example.org approved houses v1", "houses v1"]
    assert [subject.rpartition(") ")[2] for _, subject, _ in world.sent[::2]] == ["waits for a decision", "is live"]


def test_not_better_is_a_success_with_its_sentence() -> None:
    world = telling()
    release = world.push("a")
    world.run()
    world.decide(release)
    world.run()
    worse = {"verdict": "not better", "metric": "rmse", "rows": 20, "candidate": 4.0, "champion": 3.5, "gain": -0.5}
    world.results["evaluate"] = worse
    world.push("b")
    world.run()
    told = said(world, "b")
    kept = "rmse 4 against 3.5: worse by 0.5: not better, production stays as it is"
    assert told["evaluate"] == ("success", f"kept: {kept}")
    assert told[""][0] == "success"
    assert told[""][1].endswith(f": kept: {kept}")
    assert set(told) == {"check", "train", "evaluate", ""}
    assert len(subjects(world)) == 3


def test_a_failure_is_told_with_its_reason() -> None:
    world = telling()
    world.failing["train"] = "KeyError: 'bmi'\n\x1b[31m at line 18"
    world.push("a")
    world.run()
    assert said(world)["train"] == ("failure", "KeyError: 'bmi' [31m at line 18")
    assert said(world)[""][0] == "failure"
    assert world.sent[-1][1].endswith("failed at train")
    assert "Mend it and push again\nhttps://signalbox.example.org/api/pages/releases/" in world.sent[-1][2]


def test_nothing_is_said_of_a_commit_that_is_not_on_the_branch() -> None:
    world = telling()
    world.commit("a")
    assert world.ended(world.tell_push(commit("f"))) == "open"
    world.run()
    assert world.statuses == {}


def test_what_is_delivered_twice_and_in_any_order_is_told_once() -> None:
    for seed in range(3):
        world = telling()
        release = world.push("a")
        world.run(random.Random(seed), twice=True)
        world.decide(release)
        world.run(random.Random(seed), twice=True)
        assert {step: state for step, (state, _) in said(world).items()} == dict.fromkeys([*line.NAMES, ""], "success")
        whole = "houses v1", "ana@example.org approved houses v1", "houses v1"
        assert sorted(subjects(world)) == sorted(whole)


def deliver(world: World) -> int:
    """Deliver as the queue does: five times, and what failed at each of them comes from the poison queue.

    Return how many deliveries failed.
    """
    failed = 0
    while world.orders or world.events:
        waiting: Order | None = world.orders[0] if world.orders else None
        if waiting is None or waiting.step != "tell":
            world.run_one()
            continue
        world.orders.remove(waiting)
        for _ in range(5):
            with suppress(Unavailable):
                world.work(waiting)
                break
            failed += 1
        else:
            RUNNER.run(world.control.give_up(waiting.text()))
    return failed


@pytest.mark.parametrize("dead", ["channels", "statuses", "mail"])
def test_a_dead_target_ends_as_not_told_and_the_line_goes_on(dead: str) -> None:
    world = telling(mails=True)
    world.away.add(dead)
    release = world.push("a")
    deliver(world)
    target = {"channels": CHANNEL, "statuses": STATUSES, "mail": "MAIL"}[dead]
    given_up = [fact for fact in world.facts(f"told/{release}") if isinstance(fact, NotTold)]
    assert {fact.target for fact in given_up} == {"statuses of houses" if dead == "statuses" else target}
    assert lost(world) == {target: f"{dead} is away"}
    assert len(world.facts("told/targets")) == 1
    world.away.clear()
    world.decide(release)
    deliver(world)
    assert world.ended(release) == "live"
    # The mail was for the question alone, and nobody is asked any more.
    assert lost(world) == ({target: f"{dead} is away"} if dead == "mail" else {})
    if dead == "statuses":
        assert {state for state, _ in said(world).values()} == {"success"}


def lost(world: World) -> dict[str, str]:
    return RUNNER.run(world.control.outgoing.untold())


def test_a_lost_target_is_tried_once_a_time_and_not_five() -> None:
    world = telling()
    world.away.add("channels")
    first = world.push("a")
    assert deliver(world) == 5
    world.decide(first, decision="reject")
    assert deliver(world) == 0
    told = [(fact.what, fact.who) for fact in world.facts(f"told/{first}") if isinstance(fact, NotTold)]
    assert told == [("asked 1", ""), ("decided 1", "ana@example.org")]


@dataclass
class Between:
    """A port before whose calls something happens: `at` gets the name of the call and what it is given."""

    port: Any
    at: Callable[..., Awaitable[None]]

    def __getattr__(self, name: str) -> Any:
        called = getattr(self.port, name)

        async def between(*given: Any) -> Any:
            await self.at(name, *given)
            return await called(*given)

        return between if asyncio.iscoroutinefunction(called) else called


def watch(world: World, port: str, at: Callable[..., Awaitable[None]]) -> None:
    world.control = world.controller(lambda name, whole: Between(whole, at) if name == port else whole)


def until_asked(world: World) -> str:
    """Push, and let people be asked before anything is told."""
    release = world.push("a")
    while not world.state(release).asked:
        world.orders = [order for order in world.orders if order.step != "tell"]
        world.run_one()
    return release


def test_a_target_that_does_not_answer_is_waited_for_once_a_delivery() -> None:
    world = telling()
    world.away.add("statuses")
    tried: list[str] = []

    async def count(name: str, *given: Any) -> None:
        tried.append(name)

    watch(world, "statuses", count)
    release = until_asked(world)
    world.orders.append(Order("tell", release))
    assert deliver(world) == 5
    assert len(tried) == 6


def test_what_happens_while_it_is_told_is_told_too() -> None:
    world = telling()

    async def decide(name: str, channel: str, *given: Any) -> None:
        asked = world.control.streams.kept[f"release/{release}"].facts
        (evidence,) = [fact.evidence for fact in asked if isinstance(fact, Asked)]
        given_now = notices.DecisionGiven(release, "ana@example.org", "approve", "because", evidence)
        await world.control.take_in([given_now])

    watch(world, "channels", decide)
    release = until_asked(world)
    world.work(Order("tell", release))
    assert subjects(world) == ["houses v1", "ana@example.org approved houses v1"]


def test_what_no_repeat_would_help_is_given_up_at_once() -> None:
    world = telling()
    world.refusing["statuses"] = "github did not take the status (it answered 401)"
    release = world.push("a")
    world.run()
    assert world.ended(release) == "open"
    assert lost(world) == {STATUSES: "github did not take the status (it answered 401)"}


BOTH = ("ana@example.org", "bo@example.org")


def both_asked() -> tuple[World, str]:
    """Return a world that mails, and a release about which two people are asked who must both agree."""
    world = telling(mails=True)
    world.projects["houses"] = replace(world.projects["houses"], approvers=BOTH, quorum=2)
    world.restart()
    release = world.push("a")
    world.run()
    return world, release


def test_only_who_has_not_decided_is_mailed_and_reminded_once_at_half_and_once_before_the_end() -> None:
    world, release = both_asked()
    world.decide(release, who="ana@example.org")
    mailed = []
    for _ in range(8):
        world.run()
        world.sent.clear()
        world.wait(hours=23)
        world.patrol()
        world.run()
        world.patrol()
        world.run()
        mailed.append([(to, subject.partition(":")[0]) for to, subject, _ in world.sent])
    reminded = [(CHANNEL, "houses v1"), ("bo@example.org", "Reminder")]
    stripped = [[(to, subject.partition(" (")[0]) for to, subject in one] for one in mailed]
    assert stripped[3] == reminded
    assert stripped[6] == reminded
    assert [one for at, one in enumerate(stripped) if at not in (3, 6, 7)] == [[]] * 5
    assert stripped[7] == [(CHANNEL, "houses v1")]
    assert world.ended(release) == "expired"


def test_whoever_decides_before_a_reminder_goes_out_is_not_reminded() -> None:
    world, release = both_asked()
    world.wait(days=4)
    world.patrol()
    # The order to tell of it comes late.
    world.orders = [order for order in world.orders if order.step != "tell"]
    world.decide(release, who=BOTH[0])
    world.run()
    assert [to for to, subject, _ in world.sent if subject.startswith("Reminder")] == [BOTH[1]]


@pytest.mark.parametrize("confirmed", [True, False])
def test_a_broken_glass_is_told_to_the_channel_and_so_is_whether_a_second_stands_behind_it(confirmed: bool) -> None:
    world = telling()
    world.projects["houses"] = replace(world.projects["houses"], approvers=BOTH, quorum=2)
    world.restart()
    release = world.push("a")
    world.run()
    asked = world.state(release).asked[1]
    alone = notices.DecisionGiven(release, BOTH[0], "break-glass", "the shop is down", asked.evidence, "pass")
    world.take_in(alone)
    world.run()
    second = replace(alone, approver=BOTH[1], decision="confirm", reason="it was")
    if confirmed:
        world.take_in(second)
    else:
        world.wait(hours=25)
        world.patrol()
    world.run()
    assert world.live() == release
    last = "bo@example.org confirmed the broken glass of houses v1" if confirmed else "Nobody confirmed the glass that"
    told = ["houses v1", "ana@example.org BROKE THE GLASS of houses v1", "houses v1"]
    assert subjects(world)[:3] == told
    assert subjects(world)[3].startswith(last)
    assert len(subjects(world)) == 4


def test_a_mail_has_the_link_of_its_reader_alone_and_the_channel_has_none() -> None:
    world = telling(mails=True)
    release = world.push("a")
    world.run()
    ((_, _, channel),) = [one for one in world.sent if one[0] == CHANNEL]
    ((_, _, mail),) = [one for one in world.sent if one[0] == "ana@example.org"]
    assert "token=" not in channel
    assert mail == world.outbox[f"{release}-ask-1", "ana@example.org"]


def test_a_roll_back_is_told_once_with_its_reason() -> None:
    world = telling(events=("rolled back",))
    for letter in "ab":
        release = world.push(letter)
        world.run()
        world.decide(release)
        world.run()
    back = notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "prices are wrong")
    for _ in range(2):
        world.take_in(back)
        world.run()
    ((where, subject, text),) = world.sent
    assert where == CHANNEL
    assert subject.startswith("bo@example.org (claimed) rolled houses back to v1 (")
    assert text.startswith("The reason: prices are wrong.")


def test_a_roll_back_is_told_though_nothing_answers_from_where_it_went() -> None:
    world = telling(events=("rolled back",))
    for letter in "ab":
        release = world.push(letter)
        world.run()
        world.decide(release)
        world.run()
    world.away.add("hosting")
    world.take_in(notices.EnvironmentAsked("houses", "production", "rollback", "bo@example.org", "prices are wrong"))
    world.run_unless_away()
    assert [where for where, _, _ in world.sent] == [CHANNEL]


def test_whoever_configures_nothing_is_told_nothing_and_pays_nothing() -> None:
    world = World()
    asked: list[str] = []

    async def note(name: str, stream: str, *given: Any) -> None:
        asked.append(stream)

    watch(world, "ledger", note)
    world.data()
    release = world.push("a")
    world.run()
    assert (world.statuses, world.sent) == ({}, [])
    assert RUNNER.run(world.control.outgoing.untold()) == {}
    assert f"release/{release}" in asked
    assert [stream for stream in asked if stream.startswith("told/")] == []


def test_a_process_that_dies_while_it_tells_tells_the_rest_when_the_order_comes_again() -> None:
    deaths = 0
    for dies_at in range(1, 40, 3):
        world = telling()
        release = world.push("a")
        while world.state(release).asked == {}:
            world.run_one()
        (order,) = [order for order in world.orders if order.step == "tell"][:1]
        world.orders = [other for other in world.orders if other != order]
        world.passed, world.dies_at = 0, dies_at
        try:
            world.work(order)
        except Crash:
            deaths += 1
        world.dies_at = 0
        world.restart()
        world.orders.append(order)
        world.run()
        assert said(world)["ask"][0] == "pending"
        assert {said(world)[step][0] for step in line.NAMES[:8]} == {"success"}
        assert 1 <= subjects(world).count("houses v1") <= 2
    assert deaths > 5
