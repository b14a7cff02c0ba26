"""Streams as bytes: what is read is what was written, and what was changed before a link is found."""

import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.release import chain, environment, facts, project, state
from shared.release.chain import Broken, Stream, decode, encode, first_head
from shared.release.facts import KINDS, Fact, Unknown
from tests.release import any_facts

AT = "2026-03-03T09:00:00.000+00:00"
NAME = "project/houses"


def written(*appends: tuple[bool, list[Fact]], name: str = NAME) -> bytes:
    """Return a stream that got these appends, each conditional (at the position read) or not."""
    content = b""
    for conditional, rows in appends:
        head = decode(name, content).head if conditional else None
        content += encode(rows, AT, head)
    return content


def lines_of(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def linked(line: bytes) -> bool:
    return bool(json.loads(line)["prev"])


# --- a fact read back is equal


@pytest.mark.parametrize("kind", KINDS)
def test_a_fact_of_every_kind_reads_back_equal(kind: str) -> None:
    @settings(max_examples=25, deadline=None)
    @given(fact=any_facts.facts(kind))
    def reads_back(fact: Fact) -> None:
        (record,) = decode(NAME, encode([fact], AT, first_head(NAME))).records
        assert record == chain.Record(fact, AT)
        assert type(record.fact) is KINDS[kind]

    reads_back()


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_but_the_first_ones_may_be_added_because_it_has_a_default_or_was_there_from_the_start(
    kind: str,
) -> None:
    fields = msgspec.structs.fields(KINDS[kind])
    required = [field.required for field in fields]
    assert required == sorted(required, reverse=True)


def test_a_fact_that_could_not_be_read_back_is_never_written() -> None:
    no_number = facts.Evaluated(1, "job", "first", "rmse", 20, float("nan"))
    with pytest.raises(Broken, match="Evaluated cannot be written: Expected `float`, got `null`"):
        encode([no_number], AT, None)
    text_for_a_number = facts.VersionAdopted(1, "houses", "3", "digest")  # type: ignore[arg-type]
    with pytest.raises(Broken, match="VersionAdopted cannot be written"):
        encode([text_for_a_number], AT, None)


def test_what_was_once_a_fraction_or_anything_at_all_stays_readable() -> None:
    """The types above come from the kinds, so that a type made narrower is only seen against what stands in ledgers."""
    claims = b'[{"name":"noise","verdict":"refused","sentence":"","value":0.3,"bound":0.1}]'
    claimed = msgspec.json.decode(b'{"round":1,"claims":' + claims + b"}", type=KINDS["Certified"])
    labels = b'"labels":{"r2":0.4,"by":["x",{}],"z":null}'
    row = b'{"round":1,"job":"","model":"","bytes":1,"rows":1,"holdout_rows":1,' + labels + b"}"
    trained = msgspec.json.decode(row, type=KINDS["Trained"])
    assert claimed == facts.Certified(1, (facts.Claim("noise", "refused", "", 0.3, 0.1),))
    assert trained == facts.Trained(1, "", "", 1, 1, 1, {"r2": 0.4, "by": ["x", {}], "z": None})


# --- what later versions wrote


@settings(max_examples=50, deadline=None)
@given(
    named=st.text(min_size=1, max_size=20).filter(lambda name: name not in KINDS),
    content=st.dictionaries(st.text(max_size=5), any_facts.JSON, max_size=4),
)
def test_an_unknown_kind_survives_byte_by_byte_and_is_folded_into_nothing(
    named: str, content: dict[str, object]
) -> None:
    line = {"kind": named, "at": AT, "prev": first_head(NAME), "data": content}
    stream = decode(NAME, msgspec.json.encode(line) + b"\n")
    (fact,) = stream.facts
    assert isinstance(fact, Unknown)
    assert (fact.named, facts.kind_of(fact), msgspec.json.decode(fact.content)) == (named, named, content)
    again = encode(stream.facts, AT, first_head(NAME))
    assert again == msgspec.json.encode(line) + b"\n"
    assert decode(NAME, again) == stream
    assert (state.fold([fact]), project.fold([fact]), environment.fold([fact])) == (
        state.State(),
        project.ProjectState(),
        environment.EnvironmentState(),
    )


@settings(max_examples=50, deadline=None)
@given(fact=any_facts.facts(), later=any_facts.JSON)
def test_a_field_of_a_later_version_is_read_over_and_stays_in_the_bytes_that_the_chain_covers(
    fact: Fact, later: object
) -> None:
    data = msgspec.to_builtins(fact) | {"of a later version": later}
    line = {"kind": facts.kind_of(fact), "at": AT, "prev": first_head(NAME), "data": data, "also": later}
    content = msgspec.json.encode(line) + b"\n"
    stream = decode(NAME, content)
    assert stream.facts == (fact,)
    more = content + encode([facts.SlotVacated("slot")], AT, stream.head)
    assert decode(NAME, more).facts[0] == fact
    with pytest.raises(Broken, match="line 2"):
        decode(NAME, more.replace(b"of a later version", b"of a later Version", 1))


# --- the chain

ROWS = any_facts.facts("DataArrived", "CameIn", "ReleaseNumbered", "SlotVacated", "StepOrdered")
APPENDS = st.lists(st.tuples(st.booleans(), st.lists(ROWS, min_size=1, max_size=3)), min_size=1, max_size=6)
LINKED_LAST = APPENDS.map(lambda appends: [*appends, (True, [facts.SlotVacated("the last one is linked")])])


@settings(max_examples=60, deadline=None)
@given(appends=APPENDS)
def test_conditional_and_unconditional_appends_mix_and_verify(appends: list[tuple[bool, list[Fact]]]) -> None:
    content = written(*appends)
    stream = decode(NAME, content)
    assert stream.facts == tuple(fact for _, rows in appends for fact in rows)
    assert (stream.position, stream.name) == (len(content), NAME)
    assert [linked(line) for line in lines_of(content)] == [linked for linked, rows in appends for _ in rows]


def test_a_stream_that_does_not_exist_is_empty_and_has_the_head_of_its_name() -> None:
    assert decode(NAME, b"") == Stream(NAME, (), 0, first_head(NAME))
    assert first_head("project/houses") != first_head("project/flights")


@settings(max_examples=150, deadline=None)
@given(appends=LINKED_LAST, data=st.data())
def test_a_changed_byte_anywhere_before_a_link_is_found(
    appends: list[tuple[bool, list[Fact]]], data: st.DataObject
) -> None:
    content = written(*appends)
    before = len(content) - len(lines_of(content)[-1])
    at = data.draw(st.integers(0, before - 1))
    flipped = data.draw(st.integers(0, 255).filter(lambda byte: byte != content[at]))
    with pytest.raises(Broken):
        decode(NAME, content[:at] + bytes([flipped]) + content[at + 1 :])


@settings(max_examples=60, deadline=None)
@given(appends=LINKED_LAST, data=st.data())
def test_a_deleted_line_before_a_link_is_found(appends: list[tuple[bool, list[Fact]]], data: st.DataObject) -> None:
    lines = lines_of(written(*appends))
    gone = data.draw(st.integers(0, len(lines) - 2))
    with pytest.raises(Broken):
        decode(NAME, b"".join(lines[:gone] + lines[gone + 1 :]))


@settings(max_examples=60, deadline=None)
@given(appends=LINKED_LAST, data=st.data())
def test_two_swapped_lines_are_found(appends: list[tuple[bool, list[Fact]]], data: st.DataObject) -> None:
    lines = lines_of(written(*appends))
    first = data.draw(st.integers(0, len(lines) - 2))
    second = data.draw(st.integers(first + 1, len(lines) - 1))
    # Two rows that are the same byte by byte may change places: nothing was changed.
    if lines[first] == lines[second]:
        return
    lines[first], lines[second] = lines[second], lines[first]
    with pytest.raises(Broken):
        decode(NAME, b"".join(lines))


@settings(max_examples=60, deadline=None)
@given(appends=LINKED_LAST, data=st.data())
def test_lines_cut_out_of_the_middle_are_found(appends: list[tuple[bool, list[Fact]]], data: st.DataObject) -> None:
    content = written(*appends)
    before = len(content) - len(lines_of(content)[-1])
    start = data.draw(st.integers(0, before - 1))
    end = data.draw(st.integers(start + 1, before))
    with pytest.raises(Broken):
        decode(NAME, content[:start] + content[end:])


@settings(max_examples=60, deadline=None)
@given(appends=LINKED_LAST, row=ROWS, data=st.data())
def test_a_row_put_in_before_a_link_is_found(
    appends: list[tuple[bool, list[Fact]]], row: Fact, data: st.DataObject
) -> None:
    lines = lines_of(written(*appends))
    at = data.draw(st.integers(0, len(lines) - 1))
    with pytest.raises(Broken):
        decode(NAME, b"".join([*lines[:at], encode([row], AT, None), *lines[at:]]))


@settings(max_examples=60, deadline=None)
@given(ours=APPENDS, theirs=APPENDS, data=st.data())
def test_a_linked_line_of_another_stream_is_found_wherever_it_is_put(
    ours: list[tuple[bool, list[Fact]]], theirs: list[tuple[bool, list[Fact]]], data: st.DataObject
) -> None:
    other = "project/flights"
    strange = lines_of(written(*theirs, (True, [facts.SlotVacated("strange")]), name=other))
    line = data.draw(st.sampled_from([line for line in strange if linked(line)]))
    lines = lines_of(written(*ours))
    at = data.draw(st.integers(0, len(lines)))
    with pytest.raises(Broken, match="chain broken"):
        decode(NAME, b"".join([*lines[:at], line, *lines[at:]]))


def test_the_same_facts_under_another_name_are_found() -> None:
    content = written((True, [facts.SlotVacated("slot")]))
    with pytest.raises(Broken, match=r"stream project/flights, line 1: what stands before it was changed"):
        decode("project/flights", content)


def test_a_message_names_the_stream_and_the_first_line_that_does_not_fit() -> None:
    content = written((True, [facts.SlotVacated("one"), facts.SlotVacated("two"), facts.SlotVacated("three")]))
    with pytest.raises(Broken, match=r"stream project/houses, line 3: what stands before it was changed"):
        decode(NAME, content.replace(b"two", b"tow"))
    with pytest.raises(Broken, match=r"stream project/houses, line 2: cannot be read \(Input data was truncated"):
        decode(NAME, content.replace(b'{"slot":"two"}', b'{"slot":"two"'))
    with pytest.raises(Broken, match=r"stream project/houses, line 1: cannot be read \(Object missing required field"):
        decode(NAME, content.replace(b'"slot":"one"', b'"slit":"one"'))


@pytest.mark.parametrize("cut", [1, 2, 20])
def test_a_last_line_that_was_cut_short_is_found_even_by_one_byte(cut: int) -> None:
    content = written((True, [facts.SlotVacated("one"), facts.SlotVacated("two")]))
    with pytest.raises(Broken, match="line 2"):
        decode(NAME, content[:-cut])


def test_an_empty_line_is_found() -> None:
    with pytest.raises(Broken, match="line 2: cannot be read"):
        decode(NAME, written((False, [facts.SlotVacated("one")])) + b"\n")


# --- what a chain that nobody signed or counted cannot see: the audit needs the length or the head from elsewhere


@settings(max_examples=30, deadline=None)
@given(appends=APPENDS, data=st.data())
def test_a_bare_chain_does_not_see_that_whole_lines_are_gone_from_the_tail(
    appends: list[tuple[bool, list[Fact]]], data: st.DataObject
) -> None:
    lines = lines_of(written(*appends))
    kept = data.draw(st.integers(0, len(lines) - 1))
    cut = decode(NAME, b"".join(lines[:kept]))
    assert (len(cut.facts), cut.position) == (kept, len(b"".join(lines[:kept])))
    assert cut.head != decode(NAME, b"".join(lines)).head


@pytest.mark.parametrize("conditional", [True, False], ids=["the last link", "a row after the last link"])
def test_a_bare_chain_does_not_see_an_edit_of_its_last_line_or_of_rows_that_no_link_follows(conditional: bool) -> None:
    content = written((True, [facts.SlotVacated("one")]), (conditional, [facts.SlotVacated("two")]))
    edited = decode(NAME, content.replace(b"two", b"tow"))
    assert edited.facts[1] == facts.SlotVacated("tow")
    assert edited.head != decode(NAME, content).head
    found = content.replace(b"two", b"tow") + encode([facts.SlotVacated("three")], AT, decode(NAME, content).head)
    with pytest.raises(Broken, match="line 3"):
        decode(NAME, found)


def test_a_bare_chain_does_not_see_a_stream_that_was_written_anew_from_its_first_line() -> None:
    forged = written((True, [facts.SlotVacated("never happened")]))
    assert decode(NAME, forged).facts == (facts.SlotVacated("never happened"),)
