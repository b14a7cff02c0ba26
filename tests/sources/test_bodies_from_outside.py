import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import LengthRequired, NotUnderstood, TooLarge
from shared.sources.bodies import DEEPEST, LARGEST, header, length_checked, read_form, read_json, understood
from shared.sources.texts import exact, hidden_in, prose, shown

documents = st.dictionaries(
    st.text(),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=10,
    ),
)


class Point(msgspec.Struct):
    x: int


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


def test_a_header_is_found_in_any_case_and_trimmed():
    assert header({"x-gitHub-EVENT": " push "}, "X-GitHub-Event") == "push"
    assert header({}, "X-GitHub-Event") == ""


def test_a_body_above_the_limit_is_too_large_and_one_at_the_limit_is_not():
    length_checked({"Content-Length": str(LARGEST)}, b" " * LARGEST)
    with pytest.raises(TooLarge, match=str(LARGEST + 1)):
        length_checked({"Content-Length": str(LARGEST + 1)}, b" " * (LARGEST + 1))


@pytest.mark.parametrize(
    "headers", [{}, {"transfer-encoding": "chunked"}, {"Content-Length": "7", "Transfer-Encoding": "chunked"}]
)
def test_an_empty_body_without_a_length_is_asked_for_its_length(headers: dict[str, str]):
    with pytest.raises(LengthRequired, match="not chunked"):
        length_checked(headers, b"")


def test_a_body_that_arrived_needs_no_header_and_an_empty_one_that_says_so_is_let_through():
    length_checked({}, b"{}")
    length_checked({"content-length": "0"}, b"")


@settings(max_examples=200, deadline=None)
@given(documents)
def test_an_object_reads_as_json_reads_it(document: dict[str, object]):
    assert read_json(json.dumps(document).encode()) == document


@settings(max_examples=500, deadline=None)
@given(
    st.binary(max_size=60)
    | st.lists(st.sampled_from(["{", "}", "[", "]", '"a"', ":", ",", "1e9", "NaN", "-", '"\\ud800"', "\x01"])).map(
        lambda parts: ('{"k":' + "".join(parts) + "}").encode()
    )
)
def test_any_bytes_are_an_object_or_not_understood(body: bytes):
    with suppress(NotUnderstood):
        assert isinstance(read_json(body), dict)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "no JSON"),
        (b"{", "no JSON"),
        (b'{"a": NaN}', "no JSON"),
        (b'{"a": Infinity}', "no JSON"),
        (b'{"a": 1e999}', "no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "no JSON"),
        (b'{"a": "\xff"}', "no JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "no JSON"),
        (b'{"a": 1} {"a": 1}', "no JSON"),
        (b"[1]", "a JSON list; send an object"),
        (b"null", "a JSON NoneType; send an object"),
        (b'{"a": 1, "a": 2}', "given twice"),
        (b'{"a": [{"b": 1, "b": 1}]}', "given twice"),
        (b"[" * 100_000, "64 levels"),
        (nested(DEEPEST + 1), "64 levels"),
        (b'{"a":' + b"[" * DEEPEST + b"]" * DEEPEST + b"}", "64 levels"),
    ],
)
def test_a_body_that_no_real_sender_writes_is_not_understood(body: bytes, says: str):
    with pytest.raises(NotUnderstood, match=says):
        read_json(body)


def test_a_body_at_the_depth_limit_is_read():
    assert read_json(nested(DEEPEST))["a"]


def test_a_form_gives_its_fields_blank_ones_too():
    assert read_form(b"decision=reject&reason=too+slow%21&evidence=") == {
        "decision": "reject",
        "reason": "too slow!",
        "evidence": "",
    }


@pytest.mark.parametrize("body", [b"a=1&a=2", b"a=%ff", b"\xff=1", b"&".join(b"a%d=1" % n for n in range(51))])
def test_a_form_that_says_a_field_twice_or_is_no_text_or_has_too_many_fields_is_not_understood(body: bytes):
    with pytest.raises(NotUnderstood):
        read_form(body)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_form_or_not_understood(body: bytes):
    with suppress(NotUnderstood):
        assert isinstance(read_form(body), dict)


def test_a_shape_that_does_not_fit_names_what_and_which_field_and_what_to_send():
    assert understood({"x": 1, "more": 2}, Point, "The point") == Point(1)
    with pytest.raises(
        NotUnderstood, match=r"^The point cannot be read: Expected `int`, got `str` - at `x`\. Send x\.$"
    ):
        understood({"x": "1"}, Point, "The point", "Send x.")


@pytest.mark.parametrize("hidden", ["\u202e", "\u2066", "\u200b", "\x00", "\x1b", "\x85", "\u2028", "\ud800", "\ufeff"])
def test_a_hidden_character_is_refused_in_names_and_reasons_and_stripped_from_what_is_shown(hidden: str):
    assert hidden_in(f"a{hidden}b") == hidden
    assert shown(f"a{hidden}b") == "ab"
    for reader in (exact, prose):
        with pytest.raises(NotUnderstood, match=f"by has a hidden or control character, U\\+{ord(hidden):04X}"):
            reader("by", f"a{hidden}b")


def test_letters_of_every_script_and_joined_emoji_are_let_through():
    for text in ("Ñandú", "模型", "क्\u200dष", "👩\u200d🔬"):
        assert exact("by", text) == prose("by", text) == shown(text) == text


def test_a_reason_keeps_its_lines_and_a_name_has_one():
    assert prose("reason", " first\r\n\tsecond \n") == "first\n\tsecond"
    assert shown("first\r\n\tsecond\n") == "first\n\tsecond"
    with pytest.raises(NotUnderstood, match=r"U\+000A"):
        exact("by", "ana\nbo")


def test_what_is_too_long_is_refused_from_people_and_cut_where_it_is_only_shown():
    assert prose("reason", "x" * 2000) == shown("x" * 2001) == "x" * 2000
    with pytest.raises(NotUnderstood, match="reason has 2001 characters; at most 2000"):
        prose("reason", "x" * 2001)


@pytest.mark.parametrize("blank", ["", "  "])
def test_a_name_is_never_blank_and_a_reason_may_be(blank: str):
    assert prose("reason", blank) == ""
    with pytest.raises(NotUnderstood, match="by is empty"):
        exact("by", blank)
