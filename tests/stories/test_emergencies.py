"""Emergencies and reminders: one person alone, the second who stands behind it, and those who have not answered."""

import json

import pytest
from msgspec.structs import replace

from shared import reports
from shared.answers import Answer
from shared.errors import Conflict, NotAllowed
from shared.release import environment, facts
from shared.release.notices import CancelAsked, DecisionGiven, EnvironmentAsked, Proof
from shared.release.people import Roles
from tests.stories.test_rules import ROLES, accept, asked, change, house, who
from tests.world import PROJECTS, RUNNER, Crash, World

DECISIONS = ("break-glass", "confirm")


def say(world: World, release: str, name: str, decision: str, how: Proof = "pass") -> Answer:
    known = world.state(release).asked
    evidence = known[max(known)].evidence
    return world.take_in(DecisionGiven(release, who(name), decision, "the shop is down", evidence, how))  # type: ignore[arg-type]


def production(world: World) -> environment.EnvironmentState:
    return environment.fold(world.facts("environment/houses/production"))


def mails(world: World, about: str) -> list[str]:
    return sorted(to.partition("@")[0] for (name, to) in world.outbox if about in name)


def lift(world: World, name: str, how: Proof = "pass") -> Answer:
    return world.take_in(EnvironmentAsked("houses", "production", "lift", who(name), "we looked", how=how))


def broken() -> tuple[World, str]:
    """Return a world in which cy broke the glass of a release that takes two, and it is live."""
    world = house(quorum=3, roles=ROLES)
    release = asked(world)
    said = say(world, release, "cy", "break-glass")
    assert (
        said.body["message"] == "It goes into production now. Somebody else must confirm that by 04 Mar 2026 09:00 UTC."
    )
    world.run()
    assert world.live() == release
    return world, release


def test_one_person_breaks_the_glass_and_a_second_confirms_it_in_time() -> None:
    world, release = broken()
    assert production(world).live is not None
    assert mails(world, "-glass-") == ["ana", "bo", "eve"]
    with pytest.raises(NotAllowed, match="a second person must"):
        say(world, release, "cy", "confirm")
    assert say(world, release, "eve", "confirm").status == 200
    assert say(world, release, "eve", "confirm").status == 200
    with pytest.raises(Conflict, match=r"eve@example\.org confirmed it already"):
        say(world, release, "ana", "confirm")
    world.wait(hours=25)
    world.patrol()
    world.run()
    assert production(world).held is None
    told = [fact for fact in world.facts(f"release/{release}") if isinstance(fact, facts.GlassConfirmed)]
    assert told == [facts.GlassConfirmed(1, who("eve"), "the shop is down", "pass")]
    assert world.state(release).outcomes["ask", 1] == facts.Approved(
        1, world.state(release).asked[1].evidence, (who("cy"),), glass=True
    )


def test_a_broken_glass_that_nobody_confirms_holds_production_and_everybody_hears_of_it() -> None:
    world, release = broken()
    world.wait(hours=23)
    world.patrol()
    assert production(world).held is None
    world.wait(hours=2)
    # Too late it is before the patrol came to say so.
    with pytest.raises(Conflict, match="too late to confirm it"):
        say(world, release, "eve", "confirm")
    for _ in range(3):
        world.patrol()
        world.run()
    held = production(world).held
    assert held is not None
    assert (held.by, held.reason.startswith("nobody confirmed the glass that cy@example.org broke")) == (
        "signalbox",
        True,
    )
    assert world.facts(f"release/{release}").count(facts.GlassUnconfirmed(1, who("cy"))) == 1
    assert mails(world, "-held-") == ["ana", "bo", "cy", "eve"]
    with pytest.raises(Conflict, match="too late to confirm it"):
        say(world, release, "eve", "confirm")
    # Whoever lifts the hold stands behind the release; the patrol does not put it back.
    for name, how in (("cy", "pass"), ("eve", ""), ("dee", "pass")):
        with pytest.raises(NotAllowed):
            lift(world, name, how)  # type: ignore[arg-type]
    lift(world, "eve")
    world.patrol()
    assert production(world).held is None
    assert world.state(release).confirmed[1] == facts.GlassConfirmed(1, who("eve"), "we looked", "pass")


def test_nobody_gets_round_the_hold_of_an_unconfirmed_glass_by_a_hold_or_a_roll_back_of_their_own() -> None:
    world = house(PROJECTS, quorum=2)
    first = asked(world)
    world.decide(first, who("ana"))
    world.decide(first, who("bo"))
    world.run()
    release = asked(world, "b")
    say(world, release, "ana", "break-glass", "link")
    world.run()
    world.take_in(EnvironmentAsked("houses", "production", "hold", who("ana"), "maintenance"))
    world.wait(hours=25)
    world.patrol()
    world.take_in(EnvironmentAsked("houses", "production", "rollback", who("ana"), "back"))
    for name, how in (("ana", "pass"), ("bo", ""), ("dee", "pass")):
        with pytest.raises(NotAllowed, match=r"may not lift this hold .* only these may, .*: bo@example\.org$"):
            lift(world, name, how)  # type: ignore[arg-type]
    lift(world, "bo")
    held = production(world).held
    assert held == facts.Held(who("ana"), "back")
    lift(world, "ana", "")
    assert production(world).held is None


def test_a_maker_breaks_the_glass_only_where_the_rules_let_them_or_nobody_else_may() -> None:
    world = house(PROJECTS, quorum=2)
    release = asked(world, by=who("ana"))
    with pytest.raises(NotAllowed, match=r"ana@example\.org made this change .*: bo@example\.org may"):
        say(world, release, "ana", "break-glass", "link")
    alone = house(PROJECTS.replace(', "bo@example.org"', ""))
    told = say(alone, asked(alone, by=who("ana")), "ana", "break-glass").body["message"]
    assert "ana@example.org made this change, and nobody else may break the glass" in told
    free = house(PROJECTS, self_approval=True)
    assert say(free, asked(free, by=who("ana")), "ana", "break-glass").status == 200


def test_a_glass_is_broken_by_a_proven_person_who_rules_or_operates_and_by_nobody_else() -> None:
    world = house(roles=Roles(operator=(who("cy"),), admin=(who("eve"),)))
    release = asked(world)
    for name, how in (("cy", ""), ("ana", "pass"), ("dee", "pass"), ("x", "entra")):
        with pytest.raises(NotAllowed, match="may not break the glass of houses"):
            say(world, release, name, "break-glass", how)  # type: ignore[arg-type]
    # Who operated until the file was changed does no longer.
    change(world, roles=Roles(operator=(), admin=(who("eve"),)))
    with pytest.raises(NotAllowed, match="may not break"):
        say(world, release, "cy", "break-glass")
    say(world, release, "eve", "break-glass")
    assert say(world, release, "eve", "break-glass").status == 200
    with pytest.raises(Conflict, match=r"eve@example\.org broke the glass already"):
        say(world, release, "cy", "break-glass")
    with pytest.raises(Conflict, match=r"decided already: eve@example\.org broke the glass"):
        world.decide(release, who("ana"), "reject")
    assert sum(isinstance(fact, facts.GlassBroken) for fact in world.facts(f"release/{release}")) == 1


def test_where_no_roles_are_named_an_approver_breaks_the_glass_and_a_maker_confirms_nothing() -> None:
    world = house(quorum=2)
    release = asked(world, by=who("bo"))
    say(world, release, "ana", "break-glass", "link")
    with pytest.raises(NotAllowed, match="no maker"):
        say(world, release, "bo", "confirm")
    assert say(world, release, "cy", "confirm").status == 200


def test_what_was_rejected_is_not_forced_through_and_what_was_not_broken_is_not_confirmed() -> None:
    world = house()
    release = asked(world)
    with pytest.raises(Conflict, match="nobody broke the glass"):
        say(world, release, "ana", "confirm")
    world.decide(release, who("bo"), "reject")
    with pytest.raises(Conflict, match=r"decided already: bo@example\.org rejected it"):
        say(world, release, "ana", "break-glass")
    world.run()
    assert world.live() == ""
    # A row that came to nothing is settled.
    row = facts.GlassWaits(release, 1)
    RUNNER.run(world.control.streams.add("project/houses", [row]))
    world.patrol()
    assert facts.GlassSettled(release, 1, "unused") in world.facts("project/houses")
    # So is one of a release that people approved before it was broken.
    other = house(PROJECTS)
    second = asked(other)
    RUNNER.run(other.control.streams.add("project/houses", [facts.GlassWaits(second, 1)]))
    other.patrol()
    assert not other.state_of_project().settled
    other.decide(second, who("ana"))
    other.run()
    other.patrol()
    assert (other.live(), other.state_of_project().settled) == (second, {(second, 1)})


@pytest.mark.parametrize("decision", DECISIONS)
def test_an_emergency_whose_process_dies_at_any_moment_is_done_by_asking_again(decision: str) -> None:
    for dies_at in range(1, 60):
        world = house(quorum=2)
        release = asked(world)
        if decision == "confirm":
            say(world, release, "ana", "break-glass")
        name = "ana" if decision == "break-glass" else "bo"
        world.dies_at = world.passed + dies_at
        try:
            say(world, release, name, decision)
            done = True
        except Crash:
            done = False
            world.restart()
        world.dies_at = 0
        if not done:
            say(world, release, name, decision)
        if decision == "break-glass":
            say(world, release, "bo", "confirm")
        world.run()
        world.wait(hours=25)
        world.patrol()
        world.run()
        assert world.live() == release
        assert production(world).held is None
        if done:
            return
    raise AssertionError("it never came through")


def test_who_has_not_decided_is_reminded_at_half_of_the_time_and_a_day_before_its_end() -> None:
    world = house(quorum=3)
    release = asked(world)
    world.decide(release, who("ana"))
    world.patrol()
    assert mails(world, "-reminder-") == []
    world.wait(days=3.6)
    for _ in range(3):
        world.patrol()
    assert mails(world, "-reminder-1-half") == ["bo", "cy", "eve"]
    world.decide(release, who("bo"))
    world.wait(days=2.5)
    for _ in range(3):
        world.patrol()
    assert mails(world, "-reminder-1-last") == ["cy", "eve"]
    reminded = [fact for fact in world.facts(f"release/{release}") if isinstance(fact, facts.Reminded)]
    assert [(fact.due, fact.to) for fact in reminded] == [
        ("half", (who("bo"), who("cy"), who("eve"))),
        ("last", (who("cy"), who("eve"))),
    ]
    world.wait(days=1)
    world.patrol()
    world.run()
    assert world.ended(release) == "expired"
    assert len(mails(world, "-reminder-")) == 5


def test_a_question_of_a_day_reminds_once_and_a_maker_is_not_reminded() -> None:
    world = house(PROJECTS, policy=replace(house(PROJECTS).projects["houses"].policy, answer_days=1.0))
    asked(world, by=who("bo"))
    world.wait(hours=13)
    world.patrol()
    world.wait(hours=9)
    world.patrol()
    assert mails(world, "-reminder-") == ["ana"]
    assert json.dumps([text for (name, _), text in world.outbox.items() if "reminder" in name]).count("token=") == 1


def waiting() -> tuple[World, str]:
    """Return a world in which cy broke the glass of a release that a hold of their own keeps from going live."""
    world = house(quorum=3, roles=ROLES)
    release = asked(world)
    world.take_in(EnvironmentAsked("houses", "production", "hold", who("cy"), "maintenance", how="pass"))
    say(world, release, "cy", "break-glass")
    world.run()
    assert (world.live(), world.ended(release)) == ("", "open")
    return world, release


def test_a_glass_that_nobody_confirmed_in_time_lets_nothing_go_live_any_more_when_the_hold_is_lifted() -> None:
    world, release = waiting()
    world.wait(hours=25)
    lift(world, "cy")
    world.run()
    for _ in range(2):
        world.patrol()
        world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert (ended.how, world.live(), production(world).held) == ("expired", "", None)
    assert "nobody confirmed the glass that cy@example.org broke in time" in ended.reason
    assert facts.GlassSettled(release, 1, "unused") in world.facts("project/houses")


def test_a_glass_that_was_confirmed_in_time_goes_live_whenever_the_hold_is_lifted() -> None:
    world, release = waiting()
    say(world, release, "eve", "confirm")
    world.wait(hours=25)
    world.patrol()
    lift(world, "cy")
    world.run()
    assert world.live() == release


def test_a_glass_that_came_to_nothing_holds_nothing_and_is_not_broken_again() -> None:
    world, release = waiting()
    world.take_in(CancelAsked(release, who("cy"), "no longer", how="pass"))
    world.run()
    with pytest.raises(Conflict, match="ended before it was live"):
        say(world, release, "cy", "break-glass")
    lift(world, "cy")
    world.wait(hours=25)
    world.patrol()
    assert production(world).held is None
    assert facts.GlassSettled(release, 1, "unused") in world.facts("project/houses")


def test_whom_the_file_names_no_longer_confirms_no_glass_and_whom_the_rules_name_since_does() -> None:
    world, release = broken()
    entry = world.projects["houses"]
    change(world, approvers=(who("ana"), who("cy"), who("eve"), who("dan")))
    with pytest.raises(NotAllowed, match="may not confirm it"):
        say(world, release, "bo", "confirm")
    with pytest.raises(NotAllowed, match="may not confirm it"):
        say(world, release, "dan", "confirm")
    change(world, approvers=(*entry.approvers, who("dan")), roles=replace(ROLES, admin=(who("eve"), who("ana"))))
    for name in ("eve", "ana"):
        accept(world, name)
    assert say(world, release, "dan", "confirm").status == 200


def test_a_notifier_that_is_away_keeps_nobody_from_breaking_the_glass_and_nothing_from_going_on() -> None:
    world = house(quorum=3, roles=ROLES)
    release = asked(world)
    world.away = {"notifier"}
    answer = say(world, release, "cy", "break-glass")
    assert "ana@example.org, bo@example.org, eve@example.org could not be told yet" in answer.body["message"]
    world.run()
    assert world.live() == release
    world.away = set()
    for _ in range(2):
        world.patrol()
    assert mails(world, "-glass-") == ["ana", "bo", "eve"]
    world.wait(hours=25)
    world.away = {"notifier"}
    for _ in range(2):
        world.patrol()
        assert production(world).held is not None
        assert facts.GlassSettled(release, 1, "unconfirmed") in world.facts("project/houses")
    lift(world, "eve")
    world.patrol()
    assert production(world).held is None


def test_what_is_due_waits_for_nobody_to_be_reminded() -> None:
    world = house(PROJECTS)
    release = asked(world)
    world.decide(release, who("ana"))
    world.orders.clear()
    world.wait(days=4)
    world.away = {"notifier"}
    world.patrol()
    assert "ask" in [order.step for order in world.orders if order.release == release]
    world.away = set()
    world.orders.clear()
    world.patrol()
    assert mails(world, "-reminder-1-half") == ["bo"]


def test_a_glass_that_nobody_may_confirm_is_said_to_be_one() -> None:
    world = house(PROJECTS.replace(', "bo@example.org"', ""))
    release = asked(world)
    told = say(world, release, "ana", "break-glass").body["message"]
    assert "NOBODY else may confirm that: production is held" in told
    assert "nobody else may confirm it" in reports.release(world.state(release), "")["glass"]["state"]
    world.run()
    world.wait(hours=25)
    world.patrol()
    with pytest.raises(NotAllowed, match=r"nobody$"):
        lift(world, "ana")
    # Whom the rules name since may.
    change(world, approvers=(who("ana"), who("bo")))
    for name in ("ana", "bo"):
        accept(world, name)
    lift(world, "bo")
    assert production(world).held is None
