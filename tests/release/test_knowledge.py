"""Folding: facts in any order and repetition are the same knowledge; where not, the ledger's order decides."""

import random
from collections.abc import Callable, Hashable
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import environment, facts, known, line, notices, project, state
from shared.release.facts import KINDS, Fact
from tests.release import any_facts

ROUNDS = st.integers(1, 3)
POOLS: dict[str, st.SearchStrategy[Any]] = {
    "line": st.lists(st.sampled_from([*line.NAMES, "a step of another version"]), min_size=1, unique=True).map(tuple),
    "round": ROUNDS,
    "step": st.sampled_from(line.NAMES),
    "name": st.sampled_from(["one", "two", "three"]),
    "attempt": st.sampled_from(["message-1:1", "message-1:2", "message-2:1"]),
    "approver": st.sampled_from(["ana", "bo"]),
    "release": st.sampled_from(["a" * 20, "b" * 20, "c" * 20]),
    "number": st.integers(1, 4),
    "generation": st.integers(1, 4),
    "sequencer": st.sampled_from(["1", "01", "2", "10", "000a"]),
    "slot": st.sampled_from(["one", "two"]),
    "event": st.sampled_from(["RunCompleted", "ModelDeployed"]),
}

# Adding to a set or taking the largest: nothing else that is known of the release matters.
ALWAYS_FREE = {"StepOrdered", "StepStarted", "PutOff", "Heard", "ProductionChanged", "GlassUnconfirmed"}

# The first word about a thing stands: these are free as long as no two of them say different things about one.
FIRST_WORD: dict[str, Callable[[Any], Hashable]] = {
    "ReleaseOpened": lambda fact: "the release",
    "Submitted": lambda fact: fact.name,
    "StepFailed": lambda fact: (fact.step, fact.round),
    "CarriedOver": lambda fact: "the release",
    "CodeRead": lambda fact: "the release",
    "ChampionChosen": lambda fact: fact.round,
    "Asked": lambda fact: fact.round,
    "Decided": lambda fact: (fact.round, fact.approver),
    "Reminded": lambda fact: (fact.round, fact.due),
    "GlassBroken": lambda fact: fact.round,
    "GlassConfirmed": lambda fact: fact.round,
    "Parked": lambda fact: "the release",
    "ReleaseEnded": lambda fact: "the release",
} | {kind.__name__: lambda fact: fact.round for kind in state.OUTCOMES}

# The newest word about a thing stands: free on the same condition.
LAST_WORD: dict[str, Callable[[Any], Hashable]] = {"Blocked": lambda fact: (fact.step, fact.round)}

# Resumed undoes: what was parked and tried before it counts no more, what comes after it counts.
UNDOES = {"Resumed"}

PROJECT_FREE = {"DataArrived", "CommitPassed", "ApprovalAsked", "CameIn", "CiEnded", "NewerBegun"}
PROJECT_FREE |= {"GlassWaits", "GlassSettled"}
# What was wanted before a number or a decision is answered by it; the last word about a schedule or a parking stands;
# a policy takes the place of the one in force, and of no other.
PROJECT_ORDERED = {"TrainingWanted", "Governed", "ScheduleSet", "ReleaseParked", "ReleaseResumed"}
PROJECT_ORDERED |= {"PolicyBacked", "BackingEnded", "PolicySet"}
PROJECT_FIRST = {"ReleaseNumbered": lambda fact: fact.release, "ReleaseClosed": lambda fact: fact.release}

ENVIRONMENT_FREE = {"LiveSeen", "SwitchGivenUp"}
ENVIRONMENT_ORDERED = {"LiveDecided", "SlotClaimed", "SlotVacated", "Held", "Lifted"}

AUDIT_FREE = {"Accessed", "CheckpointMade", "Redacted", "Restored"}
# The last word about a thing and a target stands.
TELLING_ORDERED = {"Told", "NotTold", "TargetLost", "TargetBack"}

RELEASE = sorted(ALWAYS_FREE | set(FIRST_WORD) | set(LAST_WORD))


def test_every_kind_is_said_here_to_be_free_of_order_or_not() -> None:
    said = [
        *ALWAYS_FREE,
        *FIRST_WORD,
        *LAST_WORD,
        *UNDOES,
        *PROJECT_FREE,
        *PROJECT_FIRST,
        *PROJECT_ORDERED,
        *ENVIRONMENT_FREE,
        *ENVIRONMENT_ORDERED,
        *AUDIT_FREE,
        *TELLING_ORDERED,
    ]
    assert sorted(said) == sorted(KINDS)


def of_one_mind(known: list[Fact], first: dict[str, Callable[[Any], Hashable]]) -> list[Fact]:
    """Leave out what contradicts an earlier word about the same thing."""
    said: dict[Hashable, Fact] = {}
    kept = []
    for fact in known:
        name = facts.kind_of(fact)
        if name not in first or said.setdefault((name, first[name](fact)), fact) == fact:
            kept.append(fact)
    return kept


def retold(known: list[Fact], shuffle: random.Random) -> list[Fact]:
    """Return the same facts in another order, some of them more often."""
    told = known + [shuffle.choice(known) for _ in known]
    shuffle.shuffle(told)
    return told


@settings(max_examples=200, deadline=None)
@given(known=st.lists(any_facts.facts(*RELEASE, **POOLS), min_size=1, max_size=25), seed=st.integers(0, 1000))
def test_any_order_and_repetition_is_the_same_knowledge_of_a_release_and_the_same_is_due(
    known: list[Fact], seed: int
) -> None:
    agreed = of_one_mind(known, FIRST_WORD | LAST_WORD)
    once, again = state.fold(agreed), state.fold(retold(agreed, random.Random(seed)))
    assert once == again
    assert line.due(once) == line.due(again)
    assert line.standing(once) == line.standing(again)


@settings(max_examples=100, deadline=None)
@given(
    known=st.lists(any_facts.facts(*PROJECT_FREE, *PROJECT_FIRST, **POOLS), min_size=1, max_size=25),
    seed=st.integers(0, 1000),
)
def test_any_order_and_repetition_is_the_same_knowledge_of_a_project(known: list[Fact], seed: int) -> None:
    agreed = of_one_mind(known, PROJECT_FIRST | {"DataArrived": one_version, "CommitPassed": lambda fact: fact.number})
    once, again = project.fold(agreed), project.fold(retold(agreed, random.Random(seed)))
    assert once == again
    assert (once.data, once.data_version, once.next_number) == (again.data, again.data_version, again.next_number)


def one_version(fact: facts.DataArrived) -> Hashable:
    return fact.container, fact.name, fact.etag, fact.sequencer.lstrip("0")


@settings(max_examples=50, deadline=None)
@given(known=st.lists(any_facts.facts(*ENVIRONMENT_FREE, **POOLS), min_size=1, max_size=8), seed=st.integers(0, 1000))
def test_any_order_and_repetition_of_what_was_seen_live_is_the_same_knowledge(known: list[Fact], seed: int) -> None:
    assert environment.fold(known) == environment.fold(retold(known, random.Random(seed)))


@settings(max_examples=100, deadline=None)
@given(
    first=st.lists(any_facts.facts(*RELEASE, **POOLS), max_size=10),
    others=st.lists(
        any_facts.facts(*PROJECT_FREE, *PROJECT_FIRST, *ENVIRONMENT_FREE, *ENVIRONMENT_ORDERED), max_size=5
    ),
)
def test_facts_of_other_streams_are_folded_into_nothing(first: list[Fact], others: list[Fact]) -> None:
    assert state.fold(first + others) == state.fold(first)
    assert project.fold(first) == project.ProjectState()
    assert environment.fold(first) == environment.EnvironmentState()


# --- the exceptions, where the ledger's order decides


@pytest.mark.parametrize("kind", FIRST_WORD)
def test_of_two_facts_that_contradict_each_other_the_first_in_the_ledger_stands(kind: str) -> None:
    key = FIRST_WORD[kind]

    @settings(max_examples=20, deadline=None)
    @given(one=any_facts.facts(kind, **POOLS), other=any_facts.facts(kind, **POOLS))
    def first_stands(one: Fact, other: Fact) -> None:
        both = state.fold([one, other])
        if key(one) == key(other):
            assert both == state.fold([one])
        else:
            assert both == state.fold([other, one])

    first_stands()


def test_what_blocks_a_step_is_what_was_said_last() -> None:
    private, wrong = facts.Blocked("check", 1, "it is private"), facts.Blocked("check", 1, "the token is wrong")
    assert state.fold([private, wrong]).blocked == {("check", 1): wrong}
    assert state.fold([wrong, private]).blocked == {("check", 1): private}


def test_the_first_outcome_of_a_turn_stands() -> None:
    first, later = facts.Packaged(1, "sha256:a"), facts.Packaged(1, "sha256:b")
    assert state.fold([first, later]).outcomes == {("package", 1): first}
    assert state.fold([later, first]).outcomes == {("package", 1): later}


def test_the_first_ending_stands() -> None:
    cancelled = facts.ReleaseEnded("cancelled", "ask", "not wanted")
    live = facts.ReleaseEnded("live", "promote", "it is live")
    assert state.fold([cancelled, live]).ended == cancelled
    assert state.fold([live, cancelled]).ended == live


def test_what_an_approver_said_first_stands_and_another_round_is_another_question() -> None:
    no = facts.Decided(1, "ana", "reject", "no", "sha256:e")
    yes = facts.Decided(1, "ana", "approve", "yes", "sha256:e")
    again = facts.Decided(2, "ana", "approve", "yes", "sha256:f")
    assert state.fold([no, yes, again]).decided == {1: {"ana": no}, 2: {"ana": again}}


def test_a_person_who_resumes_undoes_what_was_parked_before_and_attempts_count_anew() -> None:
    parked = facts.Parked("train", 1, "5 attempts")
    started = facts.StepStarted("train", 1, "one", "message-1:1")
    resumed = facts.Resumed(**{field: "ana" for field in facts.Resumed.__struct_fields__})
    after = state.fold([started, parked, resumed])
    assert (after.parked, after.tried("one")) == (None, set())
    before = state.fold([resumed, started, parked])
    assert (before.parked, before.tried("one")) == (parked, {"message-1:1"})


def test_an_attempt_that_was_put_off_does_not_count_whenever_that_is_heard() -> None:
    started = facts.StepStarted("train", 1, "one", "message-1:1")
    put_off = facts.PutOff("train", 1, "one", "message-1:1", "jobs is away")
    assert state.fold([started, put_off]).tried("one") == state.fold([put_off, started]).tried("one") == set()
    assert state.fold([started]).tried("one") == {"message-1:1"}
    assert state.fold([]).tried("one") == set()


def test_the_round_is_the_highest_that_was_opened() -> None:
    changes = [facts.ProductionChanged(number, "a" * 20, number) for number in (3, 2)]
    assert state.fold(changes).round == state.fold(reversed(changes)).round == 3


def test_a_release_that_has_no_opening_fact_has_none() -> None:
    assert state.fold([]).opened is None
    with pytest.raises(AssertionError):
        _ = state.fold([]).release


# --- the project


def numbered(release: str, number: int) -> facts.ReleaseNumbered:
    return facts.ReleaseNumbered(release, number, "c" * 40, "d" * 16, "push")


def arrived(name: str, etag: str, sequencer: str, size: int = 1) -> facts.DataArrived:
    return facts.DataArrived("houses", name, size, etag, sequencer)


@pytest.mark.parametrize(
    ("older", "newer"),
    [("1", "2"), ("9", "10"), ("0a", "a1"), ("00000000000000EB", "00000000000000EC")],
)
def test_the_newer_of_two_arrivals_is_the_one_with_the_larger_sequencer_padded_to_one_width(
    older: str, newer: str
) -> None:
    one, two = arrived("in/a.csv", "0xOLD", older), arrived("in/a.csv", "0xNEW", newer)
    assert list(project.fold([one, two]).arrivals.values()) == [two]
    assert list(project.fold([two, one]).arrivals.values()) == [two]


def test_arrivals_that_share_a_sequencer_are_told_apart_by_etag_in_either_order() -> None:
    one, two = arrived("in/a.csv", "1", "07"), arrived("in/a.csv", "2", "7")
    assert list(project.fold([one, two]).arrivals.values()) == list(project.fold([two, one]).arrivals.values()) == [two]


def test_the_data_of_a_project_is_the_newest_of_every_blob_by_name() -> None:
    known = project.fold([arrived("in/b.csv", "1", "2"), arrived("in/a.csv", "1", "1"), arrived("in/b.csv", "2", "3")])
    assert [(blob.name, blob.etag) for blob in known.data] == [("in/a.csv", "1"), ("in/b.csv", "2")]
    assert known.data_version != project.fold([]).data_version


def test_numbers_are_given_in_the_ledgers_order_and_a_repeat_takes_none() -> None:
    known = project.fold([numbered("a" * 20, 1), numbered("b" * 20, 2), numbered("a" * 20, 3)])
    assert (known.next_number, list(known.numbered)) == (3, ["a" * 20, "b" * 20])
    assert known.numbered["a" * 20].number == 1
    assert (project.fold([]).next_number, project.fold([]).numbered) == (1, {})


def test_the_commit_that_passed_is_that_of_the_highest_number() -> None:
    passed = [facts.CommitPassed("a" * 20, number, letter * 40) for number, letter in ((1, "a"), (3, "c"), (2, "b"))]
    assert project.fold(passed).passed == project.fold(reversed(passed)).passed == passed[1]


def test_until_a_commit_has_passed_the_newest_that_is_on_a_branch_and_changed_something_is_trained_again() -> None:
    first = facts.ReleaseNumbered("a" * 20, 1, "a" * 40, "", "push")
    second = facts.ReleaseNumbered("b" * 20, 2, "b" * 40, "", "push")
    assert [project.fold(each).commit for each in ([], [first], [first, second])] == ["", "a" * 40, "b" * 40]
    for how in ("stale", "unchanged"):
        assert project.fold([first, second, facts.ReleaseClosed("b" * 20, how)]).commit == "a" * 40
    assert project.fold([first, second, facts.CommitPassed("a" * 20, 1, "a" * 40)]).commit == "a" * 40


def test_how_a_release_was_closed_first_stands() -> None:
    assert project.fold([facts.ReleaseClosed("a", "live"), facts.ReleaseClosed("a", "kept")]).closed == {"a": "live"}


def test_what_a_release_saw_of_its_project_ends_where_it_took_its_number() -> None:
    known = [arrived("in/a.csv", "1", "1"), numbered("a" * 20, 1), arrived("in/a.csv", "2", "2"), numbered("b" * 20, 2)]
    assert [blob.etag for blob in project.before(known, "a" * 20).data] == ["1"]
    assert [blob.etag for blob in project.before(known, "b" * 20).data] == ["2"]
    assert project.before(known, "b" * 20).next_number == 2
    assert project.before(known, "c" * 20) == project.fold(known)


# --- what is known is never changed in place


@pytest.mark.parametrize(
    "kind", [*KINDS.values(), *get_args(notices.Notice), known.KnownRelease, known.KnownEnvironment, facts.Unknown]
)
def test_facts_notices_and_what_was_read_are_never_changed(kind: type[msgspec.Struct]) -> None:
    assert kind.__struct_config__.frozen


# --- the environment


def live(generation: int, release: str, version: int = 1) -> facts.LiveDecided:
    number = ord(release[0]) - ord("a") + 1
    return facts.LiveDecided(
        generation, release, number, f"{release}-production", version, "sha256:i", "ana", "promoted"
    )


@settings(max_examples=100, deadline=None)
@given(decided=st.lists(any_facts.facts("LiveDecided", **POOLS), max_size=12))
def test_a_decision_that_is_not_newer_than_the_live_one_changes_nothing(decided: list[Fact]) -> None:
    known = environment.fold(decided)
    generations = [each.generation for each in known.history]
    assert generations == sorted(set(generations))
    assert known.generation == max((each.generation for each in decided), default=0)  # type: ignore[attr-defined]


def test_of_two_decisions_of_one_generation_the_first_in_the_ledger_is_live() -> None:
    assert environment.fold([live(1, "a"), live(1, "b")]).live == live(1, "a")
    assert environment.fold([live(1, "b"), live(1, "a")]).live == live(1, "b")


def test_an_older_decision_that_comes_late_is_not_even_history() -> None:
    assert environment.fold([live(2, "b"), live(1, "a")]).history == [live(2, "b")]


def test_a_roll_back_goes_to_the_newest_decision_for_an_older_release() -> None:
    known = environment.fold([live(1, "a"), live(2, "b"), live(3, "c"), live(4, "c", 2)])
    assert known.before == live(2, "b")
    assert environment.fold([live(1, "a"), live(2, "b"), live(3, "a")]).before is None
    assert environment.fold([live(1, "a")]).before is None
    assert environment.fold([]).before is None
    assert (environment.fold([]).live, environment.fold([]).generation) == (None, 0)


def test_what_was_ever_live_is_found_by_release_and_by_version_and_the_newest_counts() -> None:
    known = environment.fold([live(1, "a", 1), live(2, "b", 2), live(3, "a", 1)])
    assert known.ever_live("a") == known.ever_live("v1") == live(3, "a", 1)
    assert known.ever_live("v2") == live(2, "b", 2)
    assert (known.ever_live("c"), known.ever_live("v3"), known.ever_live("2")) == (None, None, None)


def test_slots_and_holds_are_as_the_last_word_in_the_ledger_says() -> None:
    claimed, vacated = facts.SlotClaimed("a", "slot", 1), facts.SlotVacated("slot")
    held, lifted = facts.Held("ana", "look at it"), facts.Lifted("bo", "it is fine")
    assert environment.fold([claimed, held]).slots == {"slot": claimed}
    assert environment.fold([claimed, vacated]).slots == {}
    assert environment.fold([vacated, claimed]).slots == {"slot": claimed}
    assert environment.fold([claimed, vacated]).vacated == {"slot"}
    assert environment.fold([vacated, claimed]).vacated == set()
    first = live(1, "a", 1)
    assert environment.fold([first, facts.SlotVacated(first.slot)]).vacated == {first.slot}
    assert environment.fold([first, facts.SlotVacated(first.slot), live(2, "a", 1)]).vacated == set()
    assert environment.fold([held, lifted]).held is None
    assert environment.fold([lifted, held]).held == held


def test_a_question_stands_in_the_way_of_older_ones_until_it_ends_other_than_live() -> None:
    asked = [facts.ApprovalAsked("a" * 20, 2), facts.ApprovalAsked("b" * 20, 3)]
    assert project.fold([]).asking == 0
    assert project.fold(asked).asking == 3
    assert project.fold([*asked, facts.ReleaseClosed("b" * 20, "live")]).asking == 3
    assert project.fold([*asked, facts.ReleaseClosed("b" * 20, "rejected")]).asking == 2


def test_a_question_about_what_others_registered_stands_in_nobodys_way() -> None:
    ours, theirs = numbered("a" * 20, 2), numbered("b" * 20, 3)
    theirs = msgspec.structs.replace(theirs, cause="adopted", version=facts.VersionSeen("houses", 2, ""))
    again = msgspec.structs.replace(theirs, release="c" * 20, number=4, cause="rerun")
    asked = [facts.ApprovalAsked(each.release, each.number) for each in (ours, theirs, again)]
    assert project.fold([ours, theirs, again, *asked]).asking == 2
    assert project.fold([theirs, again, *asked[1:]]).asking == 0
