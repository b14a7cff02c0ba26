import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import (
    Conflict,
    LengthRequired,
    Misconfigured,
    NotAllowed,
    NotFound,
    NotTrusted,
    NotUnderstood,
    SignalboxError,
    TooLarge,
)
from shared.release.notices import (
    CancelAsked,
    DecisionGiven,
    EnvironmentAsked,
    OpenAsked,
    ReplayAsked,
    RerunAsked,
    ResumeAsked,
)
from shared.release.tokens import Grant, sign, verify
from shared.sources.people import (
    about_release,
    decision,
    environment_request,
    most,
    open_request,
    replay_request,
    viewer,
)

KEY, NOW = b"0123456789abcdef0123456789abcdef", 1_772_000_000
RELEASE, OTHER = "7c21aa90bb41cc52dd63", "0000000000000000dead"
EVIDENCE = "sha256:" + "9d" * 32
GRANT = Grant(RELEASE, "ana@example.org", EVIDENCE, NOW + 60)
TOKEN = sign(KEY, GRANT)
BEARER = {"Authorization": f"Bearer {TOKEN}"}
ASK = {"project": "diabetes", "reason": "new sensor", "by": "bo@example.org"}
ON_DEMAND = {"Idempotency-Key": "2026-03-01/1"}
grants = st.builds(Grant, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.integers(1, 2**37))


def body(**fields: object) -> bytes:
    return json.dumps(fields).encode()


def decide(headers: dict[str, str] = BEARER, query: dict[str, str] | None = None, **fields: object) -> DecisionGiven:
    return decision(KEY, NOW, RELEASE, query or {}, headers, body(**fields))


def approve(headers: dict[str, str]) -> DecisionGiven:
    return decide(BEARER | headers, decision="approve")


# tokens


@settings(max_examples=300, deadline=None)
@given(grants, st.binary(min_size=16, max_size=64))
def test_what_was_signed_is_verified_until_the_moment_it_expires(grant: Grant, key: bytes):
    token = sign(key, grant)
    assert verify(key, token, grant.expires - 1) == grant
    with pytest.raises(NotAllowed, match="expired"):
        verify(key, token, grant.expires)


@settings(max_examples=500, deadline=None)
@given(st.data(), grants, st.characters(), st.sampled_from(["replace", "insert", "delete"]))
def test_a_token_with_one_character_changed_is_never_verified(data: Any, grant: Grant, other: str, how: str):
    token = sign(KEY, grant)
    at = data.draw(st.integers(0, len(token) - 1))
    changed = token[:at] + ("" if how == "delete" else other) + token[at + (how != "insert") :]
    if changed != token:
        with pytest.raises(NotTrusted, match="not signed by us"):
            verify(KEY, changed, 0)


def test_every_character_at_every_place_of_a_token_counts():
    for at, right in enumerate(TOKEN):
        for other in "ABCDwxyz0189-_.=":
            if other != right:
                with pytest.raises(NotTrusted):
                    verify(KEY, TOKEN[:at] + other + TOKEN[at + 1 :], NOW)


@settings(max_examples=300, deadline=None)
@given(st.text() | st.sampled_from(["", ".", "..", "sb1..", "sb1.W10.", "\ud800.\ud800.\ud800"]))
def test_no_made_up_text_is_a_token(text: str):
    with pytest.raises(NotTrusted):
        verify(KEY, text, NOW)


def test_a_token_of_another_key_is_not_trusted():
    with pytest.raises(NotTrusted):
        verify(KEY[::-1], TOKEN, NOW)


def test_an_expired_token_says_since_when_and_what_to_do():
    with pytest.raises(NotAllowed, match="expired at 2026-02-25 06:14 UTC; ask for a new one"):
        verify(KEY, TOKEN, NOW + 60)


@pytest.mark.parametrize("key", [b"", b"0123456789abcde"])
def test_a_key_that_can_be_guessed_signs_and_verifies_nothing(key: bytes):
    with pytest.raises(Misconfigured, match="APPROVAL_KEY"):
        sign(key, GRANT)
    with pytest.raises(Misconfigured, match="APPROVAL_KEY"):
        verify(key, TOKEN, NOW)


def test_a_token_is_safe_in_a_url():
    assert urlencode({"token": TOKEN}) == f"token={TOKEN}"


# deciding


def test_a_decision_is_the_approvers_about_the_evidence_of_the_token():
    given_ = decide(decision="approve", reason=" fine \r\n", evidence=EVIDENCE)
    assert given_ == DecisionGiven(RELEASE, "ana@example.org", "approve", "fine", EVIDENCE, "link")


def test_a_decision_without_an_evidence_is_about_that_of_the_token():
    assert decide(decision="reject", reason="too slow", evidence=None).evidence == EVIDENCE


def test_a_decision_in_a_form_is_read_and_blank_fields_are_as_if_left_out():
    form = urlencode({"decision": "reject", "reason": "zu groß", "evidence": "", "token": TOKEN}).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    assert decision(KEY, NOW, RELEASE, {}, headers, form).reason == "zu groß"


def test_json_that_curl_calls_a_form_is_read_as_json():
    assert (
        decide(BEARER | {"Content-Type": "application/x-www-form-urlencoded"}, decision="approve").decision == "approve"
    )


@pytest.mark.parametrize(
    ("headers", "query", "fields"),
    [
        (BEARER, {}, {}),
        ({"authorization": f"bearer  {TOKEN}"}, {}, {}),
        ({}, {}, {"token": TOKEN}),
        ({}, {"token": TOKEN}, {}),
        ({"Authorization": "Basic abc"}, {"token": TOKEN}, {}),
        (BEARER, {"token": "forged"}, {"token": "forged"}),
        ({}, {"token": "forged"}, {"token": TOKEN}),
    ],
)
def test_the_token_is_taken_from_the_header_then_the_field_then_the_query(
    headers: dict[str, str], query: dict[str, str], fields: dict[str, object]
):
    assert decide(headers, query, decision="approve", **fields).approver == "ana@example.org"


def test_a_forged_token_in_the_header_is_not_made_good_by_one_in_the_query():
    with pytest.raises(NotTrusted, match="not signed by us"):
        decide({"Authorization": "Bearer forged"}, {"token": TOKEN}, decision="approve")


@pytest.mark.parametrize("token", [None, "", 7])
def test_without_a_token_nobody_decides(token: object):
    with pytest.raises(NotTrusted, match="No token came"):
        decide({}, decision="approve", token=token)


def test_who_is_not_trusted_learns_nothing_about_the_fields():
    with pytest.raises(NotTrusted):
        decide({"Authorization": "Bearer forged"}, decision="perhaps", unknown=1)


def test_a_token_of_another_release_decides_nothing_here():
    headers = {"Authorization": "Bearer " + sign(KEY, Grant(OTHER, "ana@example.org", EVIDENCE, NOW + 60))}
    with pytest.raises(NotAllowed, match=f"for the release {OTHER} and no other"):
        decide(headers, decision="approve")


def test_a_token_that_expired_decides_nothing():
    with pytest.raises(NotAllowed, match="expired"):
        decision(KEY, NOW + 60, RELEASE, {}, BEARER, body(decision="approve"))


def test_an_evidence_that_is_not_the_tokens_is_a_conflict():
    with pytest.raises(Conflict, match="The evidence changed"):
        decide(decision="approve", evidence="sha256:" + "00" * 32)


@pytest.mark.parametrize("reason", [None, "", " \r\n "])
def test_a_rejection_needs_a_reason(reason: object):
    with pytest.raises(NotUnderstood, match="A rejection needs a reason"):
        decide(decision="reject", reason=reason)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({}, "missing required field `decision`"),
        ({"decision": "Approve"}, "Invalid enum value 'Approve' - at `decision`"),
        ({"decision": True}, "at `decision`"),
        ({"decision": "approve", "reason": ["x"]}, "at `reason`"),
        ({"decision": "approve", "reason": "x" * 2001}, "reason has 2001 characters"),
        ({"decision": "approve", "reason": "fine\u202e"}, "reason has a hidden or control character"),
        (
            {"decision": "approve", "aproved_by": "bo"},
            "`aproved_by`. The fields are decision, reason, evidence, token.",
        ),
    ],
)
def test_an_odd_decision_names_the_field_and_what_is_allowed(fields: dict[str, object], says: str):
    with pytest.raises(NotUnderstood, match=says):
        decide(**fields)


@pytest.mark.parametrize("content", [b"yes", b"decision=approve", b"[]", b'"approve"'])
def test_a_body_that_is_neither_json_nor_a_form_is_told_what_to_send(content: bytes):
    with pytest.raises(NotUnderstood, match=r"neither JSON nor a form\. Send"):
        decision(KEY, NOW, RELEASE, {}, BEARER | {"Content-Type": "text/plain"}, content)


def test_a_decision_has_a_length_and_a_limit():
    with pytest.raises(LengthRequired):
        decision(KEY, NOW, RELEASE, {}, BEARER, b"")
    with pytest.raises(TooLarge):
        decision(KEY, NOW, RELEASE, {}, BEARER, b" " * 65_537)


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"Origin": "https://evil.example.org", "Host": "signalbox.example.org"},
        {"Origin": "https://signalbox.example.org:8443", "Host": "signalbox.example.org"},
        {"Origin": "https://evil.example.org", "Host": "signalbox.example.org", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "https://signalbox.example.org"},
        {"Origin": "nonsense"},
        {"Origin": "null", "Host": "null"},
        {"Origin": "null", "Host": "signalbox.example.org", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "nonsense", "Host": "signalbox.example.org"},
    ],
)
def test_what_a_page_of_another_site_sends_is_refused_whatever_token_it_has(headers: dict[str, str]):
    with pytest.raises(NotAllowed, match="a page of another site"):
        approve(headers)
    with pytest.raises(NotAllowed, match="a page of another site"):
        open_request(ON_DEMAND | headers, body(**ASK))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "https://Signalbox.example.org", "Host": "signalbox.example.org"},
        {"Origin": "http://127.0.0.1:7071", "Host": "127.0.0.1:7071", "Sec-Fetch-Site": "same-origin"},
        {"Origin": "null", "Host": "127.0.0.1:7071", "Sec-Fetch-Site": "same-origin"},
    ],
)
def test_what_our_own_page_or_a_command_sends_is_taken(headers: dict[str, str]):
    assert approve(headers).decision == "approve"


def test_a_viewer_is_known_by_the_header_or_the_query():
    by_query = viewer(KEY, NOW, RELEASE, {"token": TOKEN}, {})
    assert (viewer(KEY, NOW, RELEASE, {}, BEARER), by_query.grant) == (by_query, GRANT)
    with pytest.raises(NotTrusted, match="No token came"):
        viewer(KEY, NOW, RELEASE, {}, {})
    with pytest.raises(NotAllowed, match="no other"):
        viewer(KEY, NOW, OTHER, {"token": TOKEN}, {})


# asking


def test_a_release_on_demand_has_a_person_a_reason_and_a_key():
    asked = open_request({"idempotency-key": " 2026-03-01/1 "}, body(**ASK))
    assert asked == OpenAsked("diabetes", "bo@example.org", "new sensor", "2026-03-01/1")


@pytest.mark.parametrize("key", ["", "two words", "ü", "x" * 201, "a\x7f", "a\tb"])
def test_a_release_on_demand_without_a_proper_key_is_told_what_to_send(key: str):
    with pytest.raises(NotUnderstood, match="Idempotency-Key must have 1 to 200 visible ASCII characters"):
        open_request({"Idempotency-Key": key}, body(**ASK))


def test_the_longest_key_is_taken():
    assert open_request({"Idempotency-Key": "x" * 200}, body(**ASK)).key == "x" * 200


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"project": None}, "missing required field `project`. The fields are project, reason, by. Send"),
        ({"by": ""}, "missing required field `by`"),
        ({"reason": " "}, "reason is empty; say why"),
        ({"by": "   "}, "by is empty"),
        ({"by": "bo\nana"}, "by has a hidden or control character"),
        ({"by": "x" * 201}, "by has 201 characters"),
        ({"commit": "3f2c9d1"}, "unknown field `commit`. The fields are project, reason, by."),
    ],
)
def test_an_odd_request_names_the_field_and_what_is_allowed(change: dict[str, object], says: str):
    with pytest.raises(NotUnderstood, match=says):
        open_request(ON_DEMAND, body(**ASK | change))


def test_a_cancellation_has_a_person_and_a_reason():
    asked = about_release("cancel", RELEASE, {}, body(reason="wrong data", by=" bo@example.org "))
    assert asked == CancelAsked(RELEASE, "bo@example.org", "wrong data")
    with pytest.raises(NotUnderstood, match="The fields are reason, by"):
        about_release("cancel", RELEASE, {}, body(reason="wrong data"))


def test_a_parked_release_is_resumed_by_a_person_for_a_reason():
    asked = about_release("resume", RELEASE, {}, body(reason="the machine is back", by="bo@example.org"))
    assert asked == ResumeAsked(RELEASE, "bo@example.org", "the machine is back")
    with pytest.raises(NotUnderstood, match="The fields are reason, by"):
        about_release("resume", RELEASE, {}, body(by="bo@example.org"))


def test_a_rerun_is_one_for_each_idempotency_key_and_needs_none() -> None:
    said = body(reason="the disk was full", by="bo@example.org")
    assert about_release("rerun", RELEASE, {}, said) == RerunAsked(RELEASE, "bo@example.org", "the disk was full", "")
    assert about_release("rerun", RELEASE, {"Idempotency-Key": "2"}, said).key == "2"  # type: ignore[union-attr]
    with pytest.raises(NotUnderstood, match="Idempotency-Key"):
        about_release("rerun", RELEASE, {"Idempotency-Key": "a b"}, said)


def test_nothing_else_is_asked_of_a_release() -> None:
    with pytest.raises(NotFound, match="cancel, resume and rerun"):
        about_release("explode", RELEASE, {}, body(reason="no", by="bo@example.org"))


@pytest.mark.parametrize(("action", "to"), [("rollback", "v3"), ("rollback", ""), ("hold", ""), ("lift", "")])
def test_an_environment_is_rolled_back_held_and_lifted(action: str, to: str):
    asked = environment_request("diabetes", "production", {}, body(action=action, reason="r", by="bo", to=to))
    assert asked == EnvironmentAsked("diabetes", "production", action, "bo", "r", to)


def test_only_a_rollback_goes_to_a_version():
    with pytest.raises(NotUnderstood, match="The field to belongs to a rollback; leave it out to hold"):
        environment_request("diabetes", "staging", {}, body(action="hold", reason="r", by="bo", to="v3"))


def test_an_environment_or_action_that_does_not_exist_is_answered_with_those_that_do():
    with pytest.raises(NotFound, match="no environment 'prod'; there are staging and production"):
        environment_request("diabetes", "prod", {}, body(action="hold", reason="r", by="bo"))
    with pytest.raises(NotUnderstood, match=r'`action`.*"rollback", "hold" or "lift"'):
        environment_request("diabetes", "staging", {}, body(action="stop", reason="r", by="bo"))


contents = st.binary(max_size=40) | st.dictionaries(
    st.sampled_from(["decision", "reason", "evidence", "token", "project", "by", "to", "action"]),
    st.none() | st.integers() | st.text(max_size=6) | st.sampled_from(["approve", "hold"]),
).map(lambda fields: json.dumps(fields).encode())


@settings(max_examples=400, deadline=None)
@given(contents, st.dictionaries(st.sampled_from(["Origin", "Host", "Content-Type", "Sec-Fetch-Site"]), st.text()))
def test_whatever_is_sent_is_a_request_or_an_answer_below_500(content: bytes, headers: dict[str, str]):
    for ask in (
        lambda: decision(KEY, NOW, RELEASE, {}, BEARER | headers, content),
        lambda: open_request(ON_DEMAND | headers, content),
        lambda: about_release("cancel", RELEASE, headers, content),
        lambda: about_release("resume", RELEASE, headers, content),
        lambda: about_release("rerun", RELEASE, headers, content),
        lambda: environment_request("diabetes", "production", headers, content),
    ):
        status = 200
        try:
            ask()
        except SignalboxError as error:
            status = error.status
        assert status < 500


def test_fifty_rows_are_shown_unless_a_person_wants_another_number() -> None:
    assert (most({}), most({"limit": "7"}), most({"limit": "10000"})) == (50, 7, 10_000)


HUGE = ("9" * 5000, "00001000099", "000000001" + "0" * 5000)


@pytest.mark.parametrize("limit", ["", "0", "-1", "many", "10001", *HUGE, "1.5", "\uff11"])
def test_a_limit_that_is_no_number_of_rows_is_refused(limit: str) -> None:
    with pytest.raises(NotUnderstood, match="is no number from 1 to 10000"):
        most({"limit": limit})


def test_a_person_lets_an_event_come_in_again() -> None:
    asked = replay_request("houses:12/replay", {}, b'{"by": "bo", "reason": "it has a name now"}')
    assert asked == ReplayAsked("houses:12", "bo", "it has a name now")


@pytest.mark.parametrize("path", ["", "replay", "houses:12", "houses:12/forget"])
def test_a_person_is_told_what_can_be_done_with_an_event(path: str) -> None:
    with pytest.raises(NotFound, match="/replay"):
        replay_request(path, {}, b'{"by": "bo", "reason": "why"}')
