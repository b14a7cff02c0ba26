"""The evidence: the same facts always seal to the same bytes, and whatever people are to judge changes them."""

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import adopted, environment, evidence, facts, ids, line, state
from shared.release.config import Policy, read_projects
from shared.release.facts import Fact
from tests.release.test_prefix_rule import GOOD, OPENED

PROJECT = read_projects(
    '[projects.houses]\nrepository = "r"\napprovers = ["bo@example.org", "ana@example.org", "bo@example.org"]\n'
).projects["houses"]
CODE = facts.CodeRead("sha256:code", "{}", "Dee", "dee@example.org", "change the rooms")
KNOWN: list[Fact] = [OPENED, CODE, *(GOOD[step] for step in GOOD if step not in ("ask", "promote"))]
LIVE = facts.LiveDecided(3, "b" * 20, 1, "slot", 7, "sha256:old", "ana", "promoted")


def seal(known: list[Fact], *live: Fact, project: Any = PROJECT) -> bytes:
    return evidence.seal(state.fold(known), environment.fold(live), project)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_same_facts_in_any_order_and_repetition_seal_to_the_same_bytes(seed: int) -> None:
    shuffle = random.Random(seed)
    retold = KNOWN + [shuffle.choice(KNOWN) for _ in KNOWN]
    shuffle.shuffle(retold)
    assert seal(retold, LIVE) == seal(KNOWN, LIVE)


def test_what_goes_on_outside_the_question_does_not_change_the_seal() -> None:
    asked = facts.Asked(1, ids.sha256(seal(KNOWN)), ("ana",), 1, 1_800_000_000)
    more = [
        facts.StepOrdered("ask", 1),
        asked,
        facts.Heard("RunCompleted", "again"),
        facts.StepStarted("ask", 1, "n", "a"),
    ]
    assert seal([*KNOWN, *more]) == seal(KNOWN)


@pytest.mark.parametrize(
    "changed",
    [
        msgspec.structs.replace(OPENED, commit="d" * 40),
        msgspec.structs.replace(OPENED, data="e" * 16),
        msgspec.structs.replace(OPENED, by="eve@example.org"),
        msgspec.structs.replace(OPENED, reason="because"),
        msgspec.structs.replace(OPENED, policy="sha256:q"),
        msgspec.structs.replace(OPENED, blobs=(facts.BlobSeen("houses", "in/a.csv", 1, "1"),)),
        msgspec.structs.replace(CODE, code="sha256:other"),
        msgspec.structs.replace(CODE, email="eve@example.org"),
        *(
            msgspec.structs.replace(GOOD[step], **{field: value})
            for step, field, value in (
                ("check", "content", "sha256:d"),
                ("check", "tests", 0),
                ("train", "labels", {"r2": 0.9}),
                ("evaluate", "candidate", 3.4),
                ("certify", "claims", (facts.Claim("noise", "warning", "noisy"),)),
                ("register", "number", 2),
                ("register", "model", "sha256:n"),
                ("package", "image", "sha256:j"),
                ("package", "deploys", {"model": "houses:1"}),
                ("try", "golden", 19),
            )
        ),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_whatever_people_are_to_judge_changes_the_seal(changed: Fact) -> None:
    kind = type(changed)
    other = [changed if type(fact) is kind else fact for fact in KNOWN]
    assert other != KNOWN
    assert seal(other) != seal(KNOWN)


def test_another_live_model_another_policy_and_other_approvers_change_the_seal() -> None:
    sealed = {
        seal(KNOWN),
        seal(KNOWN, LIVE),
        seal(KNOWN, msgspec.structs.replace(LIVE, generation=4)),
        seal(KNOWN, project=msgspec.structs.replace(PROJECT, policy=Policy(noise_loss=0.5))),
        seal(KNOWN, project=msgspec.structs.replace(PROJECT, approvers=("ana@example.org",))),
    }
    assert len(sealed) == 5


def test_an_approver_who_is_named_twice_or_elsewhere_in_the_list_is_asked_the_same() -> None:
    assert evidence.collect(state.fold(KNOWN), environment.fold([]), PROJECT)["must_agree"] == {
        "approvers": ["ana@example.org", "bo@example.org"],
        "quorum": 1,
    }


def test_the_question_says_what_is_replaced() -> None:
    first, second = json.loads(seal(KNOWN)), json.loads(seal(KNOWN, LIVE))
    assert first["question"] == "Put houses v1 into production, where nothing serves yet?"
    assert first["replaces"] is None
    assert second["question"] == "Put houses v1 into production in place of v7?"
    assert second["replaces"]["image"] == "sha256:old"


def test_where_the_platform_builds_what_it_deploys_no_image_is_shown_but_what_is_deployed() -> None:
    names = {"model": "houses:1", "environment": "signalbox-houses-0f3a:1", "source": "sha256:s"}
    package = msgspec.structs.replace(GOOD["package"], image="sha256:manifest", deploys=names)
    live = msgspec.structs.replace(LIVE, deploys=names)
    sealed = json.loads(seal([package if isinstance(fact, facts.Packaged) else fact for fact in KNOWN], live))
    for shown in (sealed, sealed["replaces"]):
        assert (shown["image"], shown["deploys"]) == ("", names)
    assert (sealed["package"], sealed["replaces"]["package"]) == ("sha256:manifest", "sha256:old")
    assert "deploys" not in json.loads(seal(KNOWN))


def test_a_new_round_is_sealed_with_its_own_evaluation() -> None:
    again = msgspec.structs.replace(GOOD["evaluate"], round=2, candidate=3.0)
    sealed = json.loads(seal([*KNOWN, facts.ProductionChanged(2, "b" * 20, 3), again], LIVE))
    assert (sealed["round"], sealed["evaluate"]["candidate"], sealed["train"]["round"]) == (2, 3.0, 1)


def test_nothing_is_sealed_before_every_step_has_its_outcome() -> None:
    with pytest.raises(AssertionError, match="try has no outcome yet"):
        seal([fact for fact in KNOWN if not isinstance(fact, facts.Tried)])


def test_the_seal_is_canonical_json() -> None:
    sealed = seal(KNOWN, LIVE)
    assert ids.canonical(json.loads(sealed)) == sealed


VERSION = facts.VersionSeen("houses", 7, "sha256:theirs")
SOURCE: list[Fact] = [OPENED, CODE, GOOD["check"]]


def adopting(data: str = OPENED.data, version: facts.VersionSeen = VERSION) -> dict[str, Any]:
    """Return the evidence of a version that others registered, judged on this data version."""
    opened = msgspec.structs.replace(OPENED, release="e" * 20, number=2, data=data, line=line.ADOPTED)
    begins = adopted.begins_with(version, state.fold(SOURCE))
    judged = [GOOD[step] for step in line.ADOPTED if step not in ("ask", "promote")]
    sealed: dict[str, Any] = json.loads(seal([opened, *begins, *judged]))
    return sealed


def test_of_a_version_that_others_registered_it_says_what_is_unknown() -> None:
    sealed = adopting()
    theirs = {"name": "houses", "version": 7, "digest": "sha256:theirs", "commit": "unknown", "data": "unknown"}
    assert (sealed["model"], sealed["train"]) == (theirs, None)
    assert sealed["check"]["tests"] == 3
    origin = {"release": OPENED.release, "number": 1, "data": OPENED.data}
    assert sealed["adopted"] == {"note": adopted.MAY_HAVE_SEEN, "check_of": origin}
    assert (sealed["data"]["content"], sealed["data"]["rows"]) == ("sha256:c", 100)


def test_the_data_of_a_check_that_is_carried_over_are_not_taken_for_those_of_now() -> None:
    sealed = adopting("f" * 16)
    assert (sealed["data"]["version"], sealed["data"]["content"], sealed["data"]["rows"]) == ("f" * 16, "unknown", None)


def test_a_digest_that_nobody_knows_is_unknown() -> None:
    assert adopting(version=facts.VersionSeen("houses", 7, ""))["model"]["digest"] == "unknown"


def test_what_is_compared_with_a_version_that_others_registered_says_so() -> None:
    chosen = facts.ChampionChosen(1, "b" * 20, 3, "sha256:old", adopted=True)
    sealed = json.loads(seal([*KNOWN, chosen], LIVE))
    assert sealed["replaces_note"] == adopted.CHAMPION_MAY_HAVE_SEEN
    ours = msgspec.structs.replace(chosen, adopted=False)
    assert seal([*KNOWN, ours], LIVE) == seal(KNOWN, LIVE)


@pytest.mark.parametrize("known", [[OPENED], [OPENED, CODE], [OPENED, GOOD["check"]]])
def test_nothing_is_adopted_with_a_check_that_has_no_outcome(known: list[Fact]) -> None:
    assert adopted.begins_with(VERSION, state.fold(known)) == ()


def test_the_same_version_is_the_same_ask() -> None:
    assert adopted.ask_of("houses", 7) == "version houses:7"
