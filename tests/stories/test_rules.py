"""Who may decide, in a project whose rules say more than one approver."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from shared import reports, words
from shared.answers import Answer
from shared.errors import Conflict, NotAllowed, NotFound
from shared.release import facts, notices, policy
from shared.release.config import Project, read_projects
from shared.release.notices import EnvironmentAsked, OpenAsked, PolicyAccepted, Proof
from shared.release.people import Delegation, Roles
from tests.world import PROJECTS, RUNNER, World

FOUR = PROJECTS.replace('"bo@example.org"]', '"bo@example.org", "@risk"]\nrequired = ["@risk"]\nquorum = 2')
FOUR += '[groups]\nrisk = ["cy@example.org", "eve@example.org"]\n'


def house(text: str = FOUR, **changed: object) -> World:
    """Return a world with these rules."""
    world = World()
    change(world, read_projects(text).projects["houses"], **changed)
    return world


def change(world: World, entry: Project | None = None, **changed: object) -> None:
    """Let somebody edit projects.toml."""
    world.projects["houses"] = replace(entry or world.projects["houses"], **changed)


def asked(world: World, letter: str = "a", by: str = "dee@example.org") -> str:
    release = world.push(letter, by=by)
    world.run()
    return release


def who(name: str) -> str:
    return f"{name}@example.org"


def accept(world: World, name: str, digest: str = "", how: Proof = "pass") -> Answer:
    digest = digest or policy.of(world.projects["houses"]).digest
    return world.take_in(PolicyAccepted("houses", digest, who(name), "as agreed", how))


def in_force(world: World) -> policy.ApprovalPolicy:
    return RUNNER.run(world.control.ruling.show("houses")).in_force


def test_a_quorum_and_one_of_each_required_group_let_a_release_go_live() -> None:
    world = house()
    release = asked(world)
    assert "1 more must agree, and somebody of @risk must agree" in world.decide(release, who("ana")).body["message"]
    assert "; somebody of @risk must agree" in world.decide(release, who("bo")).body["message"]
    assert "goes into production" in world.decide(release, "CY@example.org").body["message"]
    world.run()
    assert world.live() == release
    approved = world.state(release).outcomes["ask", 1]
    assert isinstance(approved, facts.Approved)
    assert approved.by == (who("ana"), who("bo"), who("cy"))


def test_a_question_names_the_policy_it_is_decided_by_and_its_file_is_kept() -> None:
    world = house()
    question = world.state(asked(world)).asked[1]
    kept = policy.read(RUNNER.run(world.artifacts.get(question.policy)))
    assert kept == policy.of(world.projects["houses"])
    assert question.required == {"risk": (who("cy"), who("eve"))}
    assert facts.PolicySet(kept.digest, "", (), "first seen in projects.toml") in world.facts("project/houses")


def test_who_pushed_or_wrote_or_asked_may_not_approve_and_nobody_for_them() -> None:
    delegation = Delegation(who("ana"), who("dee"), (World().now + timedelta(days=9)).date())
    world = house(PROJECTS, delegations=(delegation,))
    release = asked(world, by="Ana@example.org")
    for name in ("ana", "dee"):
        # Dee wrote the commit, and answers for Ana, who pushed it.
        with pytest.raises(NotAllowed, match="made this change, and somebody else must"):
            world.decide(release, who(name))
    change(world, delegations=(Delegation(who("ana"), who("cy"), delegation.until),))
    assert world.state(release).asked[1].makers == ("Ana@example.org", who("dee"))
    world.decide(release, who("bo"))
    world.run()
    assert world.live() == release


def test_whoever_pushed_a_commit_does_not_approve_it_when_another_asked_for_it_again() -> None:
    world = house(PROJECTS)
    world.decide(asked(world, by=who("ana")), who("bo"), "reject")
    world.run()
    again = world.take_in(OpenAsked("houses", who("bo"), "once more", "1")).body["releases"][0]["release"]
    world.run()
    for name in ("ana", "bo"):
        with pytest.raises(NotAllowed, match="somebody else must approve"):
            world.decide(again, who(name))


def test_a_delegate_answers_until_the_last_day_and_not_after_it() -> None:
    last = (World().now + timedelta(days=1)).date()
    world = house(PROJECTS, delegations=(Delegation(who("ana"), who("cy"), last),))
    first = asked(world)
    world.wait(days=2)
    with pytest.raises(NotAllowed, match=r"cy@example\.org was not asked"):
        world.decide(first, who("cy"))
    world.wait(days=-1)
    world.decide(first, who("cy"))
    given = world.state(first).decided[1][who("cy")]
    assert given.instead_of == (who("ana"),)
    world.wait(days=1)
    world.run()
    assert world.live() == first


def test_a_rejection_stands_until_the_removal_of_who_gave_it_is_accepted() -> None:
    world = house(PROJECTS)
    release = asked(world)
    world.decide(release, who("bo"), "reject")
    change(world, approvers=(who("ana"),))
    # An edit of the file alone undoes no rejection.
    with pytest.raises(Conflict, match=r"bo@example\.org rejected it"):
        world.decide(release, who("ana"))
    accept(world, "ana")
    world.decide(release, who("ana"))
    world.run()
    assert world.live() == release


def test_a_changed_policy_is_not_in_force_until_an_approver_accepts_it() -> None:
    world = house(PROJECTS)
    world.decide(asked(world), who("ana"))
    world.run()
    old = in_force(world).digest
    change(world, quorum=2)
    assert in_force(world).quorum == 1
    assert world.state(asked(world, "b")).asked[1].quorum == 1
    with pytest.raises(NotAllowed, match=r"may not change the rules of houses: ana@example\.org, bo@example\.org may"):
        accept(world, "eve")
    with pytest.raises(NotAllowed, match="nothing proves who you are"):
        accept(world, "ana", how="link")
    with pytest.raises(Conflict, match="says another policy by now"):
        accept(world, "ana", old)
    assert accept(world, "ana").status == 200
    assert in_force(world).quorum == 2
    assert accept(world, "ana").body["state"] == "in force"
    new = in_force(world).digest
    assert world.facts("project/houses")[-1] == facts.PolicySet(new, old, (who("ana"),), "as agreed")
    assert world.state(asked(world, "c")).asked[1].quorum == 2


def test_a_weaker_policy_takes_two_different_people() -> None:
    world = house()
    first = asked(world)
    change(world, required=(), quorum=1)
    assert accept(world, "ana").status == 202
    assert accept(world, "ana").body["message"] == "You agreed already; somebody else must too."
    assert in_force(world).quorum == 2
    shown = RUNNER.run(world.control.ruling.show("houses")).plain()
    assert (shown["agreed"], shown["waits"]) == ([who("ana")], True)
    assert shown["weaker"] == ["1 must agree and not 2", "nobody of @risk need agree"]
    # What one agreed to is that policy, and no other that is written since.
    change(world, self_approval=True)
    assert accept(world, "cy").status == 202
    change(world, self_approval=False)
    assert accept(world, "eve").status == 200
    assert in_force(world).quorum == 1
    last = world.facts("project/houses")[-1]
    assert isinstance(last, facts.PolicySet)
    assert last.by == (who("ana"), who("eve"))
    # What was asked before goes by its own.
    world.decide(first, who("ana"))
    assert "somebody of @risk must agree" in world.decide(first, who("bo")).body["message"]


def test_whoever_rules_alone_lets_a_second_in_only_together_with_them() -> None:
    world = house(PROJECTS.replace(', "bo@example.org"', ""))
    asked(world)
    change(world, approvers=(who("ana"), who("bo")))
    with pytest.raises(NotAllowed, match="may not change the rules"):
        accept(world, "bo")
    assert accept(world, "ana").status == 202
    assert accept(world, "bo").status == 200
    assert in_force(world).approvers == (who("ana"), who("bo"))


def test_a_change_that_waits_is_shown_where_people_look() -> None:
    world = house(PROJECTS)
    assert RUNNER.run(world.control.ruling.waiting()) == 0
    asked(world)
    change(world, quorum=2)
    assert RUNNER.run(world.control.ruling.waiting()) == 1
    assert [each.rules_wait for each in RUNNER.run(world.control.reading.environments("houses"))] == [False, True]
    with pytest.raises(NotFound, match="no project nothing"):
        RUNNER.run(world.control.ruling.show("nothing"))


ROLES = Roles(operator=(who("cy"),), admin=(who("eve"),))


@pytest.mark.parametrize(
    "notice",
    [
        OpenAsked("houses", who("cy"), "now", "1"),
        notices.CancelAsked("houses#1", who("cy"), "no"),
        notices.ResumeAsked("houses#1", who("cy"), "go on"),
        notices.RerunAsked("houses#1", who("cy"), "again", ""),
        EnvironmentAsked("houses", "production", "hold", who("cy"), "wait"),
    ],
    ids=lambda notice: type(notice).__name__,
)
def test_where_roles_are_named_an_operator_proves_who_they_are(notice: notices.OpenAsked) -> None:
    world = house(PROJECTS, roles=ROLES)
    release = asked(world)
    before = world.ledger_bytes(f"release/{release}")
    for wrong in (notice, replace(notice, how="link")):
        with pytest.raises(NotAllowed, match="nothing proves who you are"):
            world.take_in(wrong)
    with pytest.raises(NotAllowed, match="it takes the role operator of houses"):
        world.take_in(replace(notice, by=who("ana"), how="pass"))
    assert world.ledger_bytes(f"release/{release}") == before
    try:
        world.take_in(replace(notice, how="entra"))
    except NotAllowed:
        raise
    except Conflict:
        # What an operator asks may still make no sense.
        pass


def test_stricter_roles_count_when_they_are_written_and_looser_ones_when_they_are_accepted() -> None:
    world = house(PROJECTS)
    asked(world)
    hold = EnvironmentAsked("houses", "production", "hold", who("cy"), "wait")
    change(world, roles=Roles(operator=(who("bo"),)))
    with pytest.raises(NotAllowed):
        world.take_in(replace(hold, how="pass"))
    accept(world, "ana")
    change(world, roles=ROLES)
    with pytest.raises(NotAllowed):
        world.take_in(replace(hold, how="pass"))
    assert [accept(world, name).status for name in ("ana", "bo")] == [202, 200]
    assert world.take_in(replace(hold, how="pass")).status == 200


def test_whom_the_file_names_no_longer_neither_agrees_on_a_weaker_policy_nor_is_counted_for_one() -> None:
    world = house(FOUR, roles=Roles(admin=(who("eve"), who("mal"))))
    asked(world)
    change(world, roles=Roles(admin=(who("eve"),)), quorum=1, required=())
    with pytest.raises(NotAllowed, match=r"no longer names mal@example\.org"):
        accept(world, "mal")
    assert accept(world, "eve").status == 202
    assert in_force(world).quorum == 2


def test_who_made_what_came_in_since_the_live_one_made_what_goes_live_with_it() -> None:
    world = house(PROJECTS)
    world.decide(asked(world, by=who("x")), who("ana"))
    world.run()
    world.decide(asked(world, "b", by=who("ana")), who("bo"), "reject")
    world.run()
    last = asked(world, "c", by=who("eve"))
    assert world.state(last).asked[1].makers == (who("eve"), who("dee"), who("ana"))
    with pytest.raises(NotAllowed, match=r"ana@example\.org made this change"):
        world.decide(last, who("ana"))
    world.decide(last, who("bo"))
    world.run()
    assert world.live() == last
    # What is live is made by nobody any more.
    assert world.state(asked(world, "d", by=who("eve"))).asked[1].makers == (who("eve"), who("dee"))


def test_whoever_is_told_later_to_have_pushed_it_made_it_too() -> None:
    world = house(PROJECTS)
    world.data()
    world.run()
    new = world.commit("a")
    world.wait(minutes=10)
    world.patrol()
    world.run()
    release = list(world.state_of_project().numbered)[-1]
    assert world.state(release).asked[1].makers == (who("dee"),)
    assert world.tell_push(new, by=who("ana")) == release
    with pytest.raises(NotAllowed, match=r"ana@example\.org made this change"):
        world.decide(release, who("ana"))


def test_a_quorum_that_nobody_can_meet_any_more_is_told_when_asking_and_in_the_end() -> None:
    world = house(PROJECTS, quorum=2)
    release = asked(world, by=who("ana"))
    letter = world.outbox[f"{release}-ask-1", who("bo")]
    assert "THIS CANNOT BE APPROVED: bo@example.org may agree, for the others made this change, and 2 must." in letter
    assert "But 1 of 2 agreed; nobody else may" in world.decide(release, who("bo")).body["message"]
    world.wait(days=8)
    world.patrol()
    world.run()
    ended = world.state(release).ended
    assert ended is not None
    assert (ended.how, ended.reason) == ("expired", "1 of 2 agreed; nobody else may")
    # Where others may still agree, nothing is said of it.
    other = house(quorum=3)
    second = asked(other)
    assert "CANNOT" not in other.outbox[f"{second}-ask-1", who("bo")]
    assert "nobody else" not in other.decide(second, who("bo")).body["message"]
    other.wait(days=8)
    other.patrol()
    other.run()
    ended = other.state(second).ended
    assert ended is not None
    assert ended.reason == "1 of 3 agreed, nobody of @risk did"


def test_who_backed_a_weaker_policy_is_not_counted_when_answers_count_no_more_or_the_file_said_another() -> None:
    world = house()
    asked(world)
    change(world, quorum=1)
    assert accept(world, "ana").status == 202
    world.wait(days=8)
    assert RUNNER.run(world.control.ruling.show("houses")).backed == ()
    assert [accept(world, name).status for name in ("bo", "bo")] == [202, 202]
    world.patrol()
    change(world, quorum=2)
    world.patrol()
    change(world, quorum=1)
    assert accept(world, "cy").status == 202
    assert in_force(world).quorum == 2
    assert accept(world, "eve").status == 200


def test_what_somebody_only_claims_to_be_is_kept_and_shown_as_claimed() -> None:
    world = house(PROJECTS)
    release = asked(world)
    hold = EnvironmentAsked("houses", "production", "hold", who("bo"), "wait")

    def shown() -> str:
        known = RUNNER.run(world.control.reading.environments("houses"))
        return str(reports.environments(known)["environments"][1]["held"]["by"])

    world.take_in(hold)
    assert shown() == "bo@example.org (claimed)"
    world.take_in(replace(hold, action="lift", how="pass"))
    world.take_in(replace(hold, how="pass"))
    assert shown() == "bo@example.org"
    kept = [
        fact.how for fact in world.facts("environment/houses/production") if isinstance(fact, facts.Held | facts.Lifted)
    ]
    assert kept == ["", "pass", "pass"]
    world.take_in(notices.CancelAsked(release, who("bo"), "no"))
    ended = world.facts(f"release/{release}")[-1]
    assert words.told(ended) == "ended as cancelled at ask by bo@example.org (claimed): no"
    assert words.told(replace(ended, proof="pass")) == "ended as cancelled at ask by bo@example.org: no"
    world.run()
    again = world.take_in(notices.RerunAsked(release, who("bo"), "again", "", "pass")).body["releases"][0]["release"]
    assert world.state_of_project().numbered[again].how == "pass"
