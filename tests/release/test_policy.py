"""Approval policies: who is heard, what decisions come to, and which change of the rules lets more through."""

from datetime import date

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from shared.errors import NotUnderstood
from shared.release import facts, people, policy, project
from shared.release.config import read_projects
from shared.release.facts import Decided, PolicyBacked, PolicySet
from shared.release.known import KnownPolicy
from shared.release.people import Delegation, Roles
from shared.release.policy import ApprovalPolicy, judge, may, weaker

PEOPLE = ("ana", "bo", "cy", "dee", "eve")
DAY, LATER = date(2026, 3, 3), date(2026, 3, 9)
FILE = """
[groups]
risk = ["cy@example.org", "Ana@example.org"]
others = ["eve@example.org"]

[projects.houses]
repository = "https://git.example.org/houses.git"
approvers = ["ana@example.org", "@risk"]
required = ["@risk"]
quorum = 2

[projects.houses.roles]
operator = ["@risk"]
admin = ["bo@example.org"]

[[projects.houses.delegations]]
from = "cy@example.org"
to = "dee@example.org"
until = 2026-03-09
"""


def yes(who: str, *instead_of: str) -> Decided:
    return Decided(1, who, "approve", "", "sha256:0", instead_of)


def no(who: str, *instead_of: str) -> Decided:
    return Decided(1, who, "reject", "no", "sha256:0", instead_of)


def test_an_entry_makes_a_policy_of_people_and_its_digest_names_it() -> None:
    entry = read_projects(FILE).projects["houses"]
    made = policy.of(entry)
    assert made.approvers == ("ana@example.org", "cy@example.org")
    assert made.required == {"risk": ("cy@example.org", "Ana@example.org")}
    assert made.roles == Roles((), ("cy@example.org", "Ana@example.org"), ("bo@example.org",))
    assert entry.groups == {"risk": ("cy@example.org", "Ana@example.org")}
    assert policy.read(made.canonical) == made
    assert replace(made, quorum=1).digest != made.digest
    assert b'"until":"2026-03-09"' in made.canonical


WRONG = [
    ('"@risk"]\nreq', '"@rsk"]\nreq', 'approvers is "@rsk", allowed is a person\'s address, or @'),
    ('required = ["@risk"]', 'required = ["@others"]', 'required is "@others", allowed is a group that stands among'),
    ("quorum = 2", "quorum = 3", "quorum is 3, allowed is at least 1 and at most 2, the number of approvers"),
    ('from = "cy', 'from = "bo', 'delegations.from is "bo@example.org", allowed is one of the approvers'),
    ('to = "dee@', 'to = "CY@', 'delegations.to is "CY@example.org", allowed is the address of another person'),
    ("until = 2026-03-09", 'until = "soon"', 'delegations[0].until is "soon", allowed is a day such as 2026-12-31'),
    ("until = 2026-03-09", "", "delegations[0].until is missing, allowed is a day"),
    ('to = "dee@example.org"', 'too = "x"', "delegations[0].too is not known here, allowed is from, to, until"),
    ('others = ["eve@example.org"]', "others = 3", "groups.others is 3, allowed is a list of texts"),
    ('others = ["eve@example.org"]', 'others = ["@risk"]', 'groups.others is ["@risk"], allowed is a list of people'),
    ("others =", "Others =", "groups.Others is"),
    ("operator = ", "operators = ", "roles.operators is not known here, allowed is viewer, operator, admin"),
    (FILE, "groups = 3\n[projects]\n", "groups is 3, allowed is a table of lists"),
    ("quorum = 2", 'groups = { own = ["@risk"] }', "groups.own is"),
    (FILE[FILE.index("[[") :], "[projects.houses.delegations]\n", "delegations is {}, allowed is a list of tables"),
]


@pytest.mark.parametrize(("right", "wrong", "message"), WRONG, ids=[f"{each[1][:30]!r}" for each in WRONG])
def test_a_wrong_word_about_people_is_refused_in_words(right: str, wrong: str, message: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_projects(FILE.replace(right, wrong, 1))
    assert message in str(refused.value)


def test_enough_of_those_who_were_asked_agree_and_each_counts_once() -> None:
    rules = ApprovalPolicy(("ana", "bo", "cy"), quorum=2)
    assert judge(rules, [yes("ana")], ()).lacking == 1
    assert judge(rules, [yes("ana")], ()).missing == ("bo", "cy")
    assert not judge(rules, [yes("ana"), yes("eve"), yes("dee")], ()).approved
    assert judge(rules, [yes("ana"), yes("bo")], ()).agreed == ("ana", "bo")
    assert judge(rules, [yes("ana"), yes("bo")], ()).approved


def test_a_rejection_of_whoever_may_decide_stands_above_all_who_agree() -> None:
    rules = ApprovalPolicy(("ana", "bo"))
    assert not judge(rules, [yes("ana"), no("bo")], ()).approved
    assert judge(rules, [yes("ana"), no("eve")], ()).approved


def test_of_each_required_group_one_must_agree() -> None:
    rules = ApprovalPolicy(("ana", "bo", "cy"), quorum=2, required={"risk": ("Cy",), "ops": ("bo", "ana")})
    assert judge(rules, [yes("ana"), yes("bo")], ()).groups == ("risk",)
    assert judge(rules, [yes("ana"), yes("cy")], ()).approved


def test_it_is_known_when_those_who_may_still_agree_are_not_enough() -> None:
    rules = ApprovalPolicy(("ana", "bo"), 2, required={"risk": ("ana",)})
    assert judge(rules, [yes("bo")], ()).enough
    assert not judge(rules, [yes("bo")], ("ana",)).enough
    assert not judge(replace(rules, quorum=1), [yes("bo")], ("ana",)).enough
    assert judge(replace(rules, quorum=1, required={}), [], ("ana",)).enough
    assert judge(rules, [yes("bo"), yes("ana")], ()).enough


def test_a_delegate_answers_for_one_who_is_heard_once() -> None:
    rules = ApprovalPolicy(("ana", "bo"), 2, required={"risk": ("ana",)}, delegations=(Delegation("ana", "dee", DAY),))
    assert judge(rules, [yes("dee", "ana"), yes("bo")], ()).approved
    assert judge(rules, [yes("dee", "ana"), yes("ana")], ()).lacking == 1
    # What was not said when they decided, or never delegated, is not heard.
    assert judge(rules, [yes("dee"), yes("bo")], ()).lacking == 1
    assert judge(rules, [yes("eve", "ana"), yes("bo")], ()).lacking == 1


def test_an_approver_who_answers_for_another_is_one_person_and_fills_the_others_group() -> None:
    rules = ApprovalPolicy(("ana", "bo"), 2, required={"risk": ("ana",)}, delegations=(Delegation("ana", "bo", DAY),))
    alone = judge(rules, [yes("bo", "ana")], ())
    assert (alone.lacking, alone.groups) == (1, ())


def test_two_delegates_of_one_and_of_two_are_each_heard_for_whoever_is_left() -> None:
    both = (Delegation("ana", "dee", DAY), Delegation("bo", "dee", DAY), Delegation("ana", "eve", DAY))
    rules = ApprovalPolicy(("ana", "bo"), 2, delegations=both)
    assert judge(rules, [yes("dee", "ana", "bo"), yes("eve", "ana")], ()).agreed == ("dee", "eve")
    assert not judge(rules, [yes("dee", "ana", "bo")], ()).approved


def test_a_delegation_ends_after_its_last_day() -> None:
    rules = ApprovalPolicy(("ana",), delegations=(Delegation("ana", "dee", DAY),))
    assert rules.voices("Dee", DAY) == ("ana",)
    assert rules.voices("dee", LATER) == ()
    assert rules.voices("ana", LATER) == ("ana",)


def test_a_maker_approves_neither_alone_nor_through_another() -> None:
    rules = ApprovalPolicy(("ana", "bo"), delegations=(Delegation("ana", "dee", DAY), Delegation("bo", "ana", DAY)))
    assert not judge(rules, [yes("ana")], ("ANA",)).approved
    assert not judge(rules, [yes("dee", "ana")], ("ana",)).approved
    assert not judge(rules, [yes("ana", "bo")], ("ana",)).approved
    assert judge(rules, [yes("bo")], ("ana",)).approved
    assert judge(rules, [], ("ana",)).missing == ("bo",)
    assert judge(rules, [no("ana")], ("ana",)).rejected is not None
    assert judge(replace(rules, self_approval=True), [yes("ana")], ("ana",)).approved
    assert not judge(replace(rules, self_approval=True), [yes("ana")], ("ana",), rules).approved


def test_whoever_the_present_policy_names_no_longer_counts_no_more() -> None:
    rules = ApprovalPolicy(("ana", "bo"), delegations=(Delegation("bo", "dee", DAY),))
    without_bo = ApprovalPolicy(("ana",), delegations=rules.delegations)
    for decision in (yes("bo"), yes("dee", "bo")):
        assert judge(rules, [decision], (), rules).approved
        assert not judge(rules, [decision], (), without_bo).approved
        assert judge(rules, [decision], (), without_bo).missing == ("ana",)
    assert judge(rules, [no("bo")], (), without_bo).rejected is None
    assert judge(rules, [no("bo")], (), without_bo, without_bo).rejected is None
    # Until the removal is accepted, a rejection stands and an approval is gone.
    assert judge(rules, [no("bo"), yes("ana")], (), without_bo, rules).rejected == no("bo")
    assert not judge(rules, [yes("bo")], (), without_bo, rules).approved
    assert not judge(rules, [yes("dee", "bo")], (), ApprovalPolicy(("ana", "bo"))).approved


def test_roles_say_who_may_look_operate_and_change_the_rules() -> None:
    roles = Roles(viewer=("eve",), operator=("cy",), admin=("bo",))
    rules = ApprovalPolicy(("ana",), delegations=(Delegation("ana", "dee", DAY),), roles=roles)
    allowed = {role: [who for who in (*PEOPLE, "x") if may(rules, who, role)] for role in ("viewer", "operator")}
    assert allowed == {"viewer": list(PEOPLE), "operator": ["bo", "cy"]}
    assert [who for who in PEOPLE if may(rules, who.upper(), "admin")] == ["bo"]
    assert [who for who in PEOPLE if may(rules, who, "approver")] == ["ana", "dee"]


def test_without_roles_everybody_may_look_and_operate_and_approvers_change_the_rules() -> None:
    rules = ApprovalPolicy(("ana",))
    assert may(rules, "x", "viewer")
    assert may(rules, "x", "operator")
    assert [who for who in PEOPLE if may(rules, who, "admin")] == ["ana"]


names = st.sampled_from(PEOPLE)
some = st.lists(names, max_size=3, unique=True).map(tuple)
delegations = st.lists(st.builds(Delegation, names, names, st.sampled_from([DAY, LATER])), max_size=3).map(tuple)
roles = st.none() | st.builds(Roles, some, some, some)
policies = st.builds(
    ApprovalPolicy,
    approvers=st.lists(names, min_size=1, max_size=4, unique=True).map(tuple),
    quorum=st.integers(1, 3),
    self_approval=st.booleans(),
    required=st.dictionaries(st.sampled_from(["risk", "ops"]), some, max_size=2),
    delegations=delegations,
    roles=roles,
)
decisions = st.lists(
    st.builds(Decided, st.just(1), names, st.just("approve"), st.just(""), st.just("sha256:0"), some),
    max_size=5,
    unique_by=lambda each: each.approver,
)


@settings(max_examples=1500, deadline=None)
@given(policies, policies, decisions, some)
def test_what_is_not_weaker_lets_nothing_through_that_the_old_one_stops(
    old: ApprovalPolicy, new: ApprovalPolicy, given_: list[Decided], makers: tuple[str, ...]
) -> None:
    # Made nearer to each other, so that many pairs are not weaker.
    new = replace(new, approvers=tuple(who for who in new.approvers if who in old.approvers) or old.approvers)
    if weaker(old, new):
        return
    assert judge(old, given_, makers).approved or not judge(new, given_, makers).approved
    assert all(may(old, who, role) or not may(new, who, role) for who in PEOPLE for role in ("operator", "admin"))  # type: ignore[arg-type]
    assert {*policy.breakers(new)} <= {*policy.breakers(old)}


@settings(max_examples=300, deadline=None)
@given(policies, decisions, some, policies, names)
def test_more_who_agree_and_fewer_makers_never_undo_an_approval(
    rules: ApprovalPolicy, given_: list[Decided], makers: tuple[str, ...], present: ApprovalPolicy, more: str
) -> None:
    before = judge(rules, given_, makers)
    assert set(before.agreed) <= {each.approver for each in given_}
    if before.approved:
        others = [each for each in given_ if each.approver != more]
        extra = given_ if len(others) < len(given_) else [yes(more), *given_]
        assert judge(rules, extra, makers).approved
        assert judge(rules, given_, makers[1:]).approved
    # The present policy only takes away.
    assert before.approved or not judge(rules, given_, makers, present).approved


@given(policies)
def test_no_policy_is_weaker_than_itself_and_each_is_read_as_it_was_kept(rules: ApprovalPolicy) -> None:
    assert weaker(rules, rules) == ()
    assert policy.read(rules.canonical) == rules


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"quorum": 1}, "1 must agree and not 2"),
        ({"self_approval": True}, "whoever made a change may approve it"),
        ({"approvers": ("ana", "bo", "eve")}, "eve may approve"),
        ({"required": {}}, "nobody of @risk need agree"),
        ({"required": {"risk": ("bo", "ana")}}, "nobody of @risk need agree"),
        ({"delegations": (Delegation("ana", "dee", LATER),)}, "dee may answer for ana until 2026-03-09"),
        ({"roles": Roles(admin=("ana", "eve"))}, "eve may change the rules"),
        ({"roles": Roles(admin=("ana",), operator=("eve",))}, "eve may operate"),
        ({"roles": None}, "whoever has a function key may look and operate"),
    ],
)
def test_each_way_of_being_weaker_is_said(change: dict[str, object], said: str) -> None:
    roles = Roles(admin=("ana",))
    old = ApprovalPolicy(("ana", "bo"), 2, False, 7.0, {"risk": ("bo",)}, (Delegation("ana", "dee", DAY),), roles)
    assert said in weaker(old, replace(old, **change))  # type: ignore[arg-type]


def test_the_first_roles_of_a_project_are_weaker_for_whom_they_let_break_the_glass() -> None:
    old = ApprovalPolicy(("ana",))
    assert weaker(old, replace(old, roles=Roles(operator=("x",)))) == ("x may break the glass",)
    assert weaker(old, replace(old, roles=Roles(operator=("ANA",)))) == ()


def test_a_stricter_policy_is_not_weaker() -> None:
    old = ApprovalPolicy(("ana", "bo", "cy"), 1, True, 7.0, {"risk": ("bo", "cy")}, (Delegation("ana", "dee", LATER),))
    new = ApprovalPolicy(("ana", "BO"), 2, False, 3.0, {"x": ("bo",)}, (Delegation("Ana", "dee", DAY),), Roles())
    assert weaker(old, new) == ()
    assert msgspec.json.decode(new.canonical)["answer_days"] == 3.0


def test_a_policy_takes_the_place_of_the_one_in_force_and_of_no_other() -> None:
    first = PolicySet("one", "", (), "first seen in projects.toml")
    second, late = PolicySet("two", "one", ("ana",), "as agreed"), PolicySet("three", "one", ("bo",), "late")
    assert project.fold([first, second, late]).policy == second
    # A process that saw no policy yet says again that the first is in force.
    assert project.fold([first, second, first]).policy == second
    assert project.fold([second]).policy is None
    backed = PolicyBacked("three", "two", "ana", "as agreed")
    known = project.fold([first, second, backed, replace(backed, by="bo"), replace(backed, old="one")])
    assert [each.by for each in known.backed["three"]] == ["ana", "bo"]
    assert project.fold([first, second, backed, facts.BackingEnded("three", "another")]).backed == {}
    assert project.fold([first, second, backed, PolicySet("four", "two", ("bo",), "")]).backed == {}


def test_an_entry_that_says_another_policy_than_the_one_in_force_waits() -> None:
    entry = read_projects(FILE).projects["houses"]
    known = project.fold([PolicySet(policy.of(entry).digest, "", (), "first")])
    assert not policy.waits(project.ProjectState(), entry)
    assert not policy.waits(known, entry)
    assert policy.waits(known, replace(entry, quorum=1))


def test_a_policy_is_shown_with_what_waits_and_why_it_is_weaker() -> None:
    old, new = ApprovalPolicy(("ana", "bo"), 2), ApprovalPolicy(("ana", "bo"))
    shown = KnownPolicy("houses", old, new, weaker(old, new), ("ana",), PolicySet(old.digest, "", ("bo",), "why"))
    plain = shown.plain()
    assert (plain["waits"], plain["weaker"], plain["agreed"]) == (True, ["1 must agree and not 2"], ["ana"])
    assert (plain["set"], plain["may_accept"]) == ({"by": ["bo"], "reason": "why"}, ["ana", "bo"])
    assert plain["in_force"]["digest"] == old.digest
    assert KnownPolicy("houses", old, old, (), (), None).plain()["set"] == {"by": [], "reason": ""}


def test_a_question_from_before_policies_were_kept_is_judged_by_what_stands_in_it() -> None:
    asked = facts.Asked(1, "sha256:0", ("ana", "bo"), 2, 0)
    entry = replace(read_projects(FILE).projects["houses"], self_approval=True)
    assert policy.before_policies(asked, entry) == ApprovalPolicy(("ana", "bo"), 2, True)
    assert policy.before_policies(asked, None) == ApprovalPolicy(("ana", "bo"), 2)


def test_a_policy_names_whoever_may_do_or_see_anything() -> None:
    rules = ApprovalPolicy(("ana",), roles=Roles(viewer=("dee",), operator=("cy",), admin=("bo",)))
    assert [who for who in PEOPLE if policy.names(rules, who.upper())] == ["ana", "bo", "cy", "dee"]
    assert policy.confirmers(rules) == ("ana", "bo", "cy")
    assert [who for who in PEOPLE if policy.names(ApprovalPolicy(("ana",)), who)] == ["ana"]


def test_whoever_rules_or_operates_may_break_the_glass() -> None:
    plain = ApprovalPolicy(("ana",))
    assert sorted(policy.breakers(plain)) == ["ana"]
    ruled = replace(plain, roles=Roles(viewer=("dee",), operator=("cy",), admin=("bo",)))
    assert sorted(policy.breakers(ruled)) == ["bo", "cy"]


@pytest.mark.parametrize(
    "spelt",
    [
        "Jos\u00c9@Example.org",
        "jose\u0301@example.org",
        "  jos\u00e9@example.org\t",
        "Jos\u00e9 <jos\u00e9@example.org>",
        "jos\u00e9\u200b@example.org\u2060",
        "\ufeffjos\u00e9@example.org",
    ],
)
def test_a_person_is_one_however_their_address_is_spelt(spelt: str) -> None:
    rules = ApprovalPolicy(("jos\u00e9@example.org", "bo"))
    assert judge(rules, [yes("jos\u00e9@example.org")], (spelt,)).agreed == ()
    assert people.resolved(["jos\u00e9@example.org", spelt], {}) == ("jos\u00e9@example.org",)
    assert not people.same(spelt, "jose@example.org")


def test_whoever_is_told_to_have_pushed_a_commit_is_kept_once_in_whatever_order() -> None:
    def told(by: str, after: str = "c") -> facts.CameIn:
        return facts.CameIn("github", "main", "duplicate", "", notice={"kind": "Pushed", "after": after, "by": by})

    rows = [
        told("bo"),
        told("ana"),
        told("bo"),
        told(""),
        told("cy", "d"),
        facts.CameIn("github", "main", "release", ""),
    ]
    pushers = {"c": ("ana", "bo"), "d": ("cy",)}
    assert project.fold(rows).pushers == project.fold(reversed(rows)).pushers == pushers
