"""Ids: the same inputs are the same id, any other input is another one, and every computed name leads back."""

import json
import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import ids, line

TEXT = st.text(max_size=12)
RELEASE = st.tuples(TEXT, TEXT, TEXT, TEXT)
ID = st.text("0123456789abcdef", min_size=20, max_size=20)
PROJECT = st.from_regex(r"[a-z][a-z0-9-]{0,62}", fullmatch=True).filter(lambda name: ids.release_in(name) is None)
BLOB = st.tuples(TEXT, TEXT, st.integers(0, 2**60), TEXT)


@settings(max_examples=100, deadline=None)
@given(inputs=RELEASE)
def test_the_same_inputs_are_the_same_release(inputs: tuple[str, str, str, str]) -> None:
    assert ids.release_id(*inputs) == ids.release_id(*inputs)
    assert re.fullmatch(r"[0-9a-f]{20}", ids.release_id(*inputs))


@settings(max_examples=200, deadline=None)
@given(inputs=RELEASE, others=RELEASE)
def test_any_changed_input_is_another_release(
    inputs: tuple[str, str, str, str], others: tuple[str, str, str, str]
) -> None:
    for at in range(4):
        changed = (*inputs[:at], others[at], *inputs[at + 1 :])
        assert (ids.release_id(*changed) == ids.release_id(*inputs)) == (changed == inputs)


@settings(max_examples=100, deadline=None)
@given(inputs=RELEASE, at=st.integers(0, 2))
def test_a_character_that_moves_to_the_next_input_makes_another_release(
    inputs: tuple[str, str, str, str], at: int
) -> None:
    moved = list(inputs)
    moved[at], moved[at + 1] = moved[at] + "x", moved[at + 1]
    back = list(inputs)
    back[at], back[at + 1] = back[at], "x" + back[at + 1]
    assert ids.release_id(*moved) != ids.release_id(*back)


def test_ids_stay_what_they_were_because_they_name_what_stands_outside() -> None:
    assert ids.release_id("houses", "a" * 40, "0123456789abcdef", "") == "5772579bb18a7b10c02a"
    assert ids.data_version([("houses", "in/a.csv", 100, "0x8D")]) == "b614cffdbb25e432"
    assert ids.data_version([]) == "0bb0bfa71b01a039"
    assert ids.alias("0" * 20) == "able-auk"


@settings(max_examples=100, deadline=None)
@given(blobs=st.lists(BLOB, max_size=5), seed=st.randoms(use_true_random=False))
def test_a_data_version_does_not_depend_on_the_order_of_its_blobs(blobs: list[Any], seed: Any) -> None:
    other = list(blobs)
    seed.shuffle(other)
    assert ids.data_version(other) == ids.data_version(blobs)
    assert re.fullmatch(r"[0-9a-f]{16}", ids.data_version(blobs))


@settings(max_examples=100, deadline=None)
@given(blobs=st.lists(BLOB, min_size=1, max_size=4), changed=BLOB, data=st.data())
def test_any_changed_blob_is_another_data_version(blobs: list[Any], changed: Any, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(blobs) - 1))
    field = data.draw(st.integers(0, 3))
    blob = blobs[at]
    other = (*blob[:field], changed[field], *blob[field + 1 :])
    assert (ids.data_version([*blobs[:at], other, *blobs[at + 1 :]]) == ids.data_version(blobs)) == (other == blob)
    assert ids.data_version(blobs[:at] + blobs[at + 1 :]) != ids.data_version(blobs)


@settings(max_examples=100, deadline=None)
@given(release=ID, project=PROJECT, round=st.integers(1, 10**6), step=st.sampled_from(line.NAMES))
def test_every_computed_name_leads_back_to_its_release(release: str, project: str, round: int, step: str) -> None:
    names = [
        release,
        ids.run_name(release, step, round),
        ids.slot_name(release, "staging"),
        ids.slot_name(release, "production"),
        ids.going_live(release),
        f"{project}:{release}",
        f"release/{release}",
        f"open/{release}",
        f"https://live.example.org/{project}/{ids.slot_name(release, 'staging')}/score",
    ]
    assert {ids.release_in(name) for name in names} == {release}


@settings(max_examples=100, deadline=None)
@given(one=st.tuples(ID, st.sampled_from(line.NAMES), st.integers(1, 99)), data=st.data())
def test_two_runs_have_one_name_only_when_release_step_and_round_are_one(one: Any, data: st.DataObject) -> None:
    other = data.draw(st.one_of(st.just(one), st.tuples(ID, st.sampled_from(line.NAMES), st.integers(1, 99))))
    assert (ids.run_name(*one) == ids.run_name(*other)) == (one == other)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "houses-nightly-3",
        "a" * 19,
        "a" * 21,
        "A" * 20,
        "a" * 40,
        "sha256:" + "a" * 64,
        "g" + "a" * 19,
        "٣" * 20,
        "\uff41" * 20,
    ],
)
def test_a_name_of_others_leads_to_no_release(name: str) -> None:
    assert ids.release_in(name) is None


@settings(max_examples=50, deadline=None)
@given(release=ID)
def test_a_release_has_one_sayable_name(release: str) -> None:
    adjective, noun = ids.alias(release).split("-")
    assert adjective in ids.ADJECTIVES
    assert noun in ids.NOUNS
    assert ids.alias(release) == ids.alias(release)


def test_every_sayable_name_can_come_up_and_no_word_stands_twice() -> None:
    pairs = len(ids.ADJECTIVES) * len(ids.NOUNS)
    assert len({ids.alias(f"{number:012x}{'0' * 8}") for number in range(pairs)}) == pairs


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(TEXT, VALUES, max_size=5))
def test_the_canonical_form_does_not_depend_on_the_order_of_keys_and_says_the_same(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert ids.canonical(turned) == ids.canonical(value)
    assert json.loads(ids.canonical(value)) == value


def test_the_canonical_form_has_no_spaces_and_no_escapes_and_holds_no_nan() -> None:
    assert ids.canonical({"b": "ä", "a": [1, 2.5, None]}) == '{"a":[1,2.5,null],"b":"ä"}'.encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        ids.canonical([float("nan")])


def test_a_digest_says_by_which_algorithm() -> None:
    assert ids.sha256(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
