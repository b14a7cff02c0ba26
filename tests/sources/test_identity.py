"""Who somebody is: what proves it, and what never does."""

import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotAllowed, NotTrusted
from shared.release.notices import CancelAsked, PolicyAccepted
from shared.release.tokens import (
    Grant,
    Pass,
    check_form,
    sign,
    sign_form,
    sign_pass,
    verify,
    verify_pass,
)
from shared.sources.identity import PRINCIPAL, Person, behind, person, sender
from shared.sources.people import policy_request

KEY, NOW = b"0123456789abcdef0123456789abcdef", 1_772_000_000
RELEASE, EVIDENCE = "7c21aa90bb41cc52dd63", "sha256:" + "9d" * 32
GRANT = Grant(RELEASE, "ana@example.org", EVIDENCE, NOW + 60)
LINK, PASS = sign(KEY, GRANT), sign_pass(KEY, Pass("bo@example.org", NOW + 60))
UPN = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn"


def principal(*claims: tuple[str, str], kind: str = "aad") -> dict[str, str]:
    """Return the header as App Service writes it."""
    said = {"auth_typ": kind, "name_typ": "name", "role_typ": "roles"}
    body = said | {"claims": [{"typ": name, "val": value} for name, value in claims]}
    return {PRINCIPAL: base64.b64encode(json.dumps(body).encode()).decode()}


ANA = principal(("name", "Ana"), ("preferred_username", "ana@example.org"), ("aud", "signalbox"))


def who(
    headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None, signed_in: bool = False
) -> Person | None:
    return person(headers or {}, query or {}, KEY, NOW, signed_in)


def test_nobody_is_named_by_a_key_or_by_nothing() -> None:
    assert who() is None
    assert who({"x-functions-key": "opens everything"}, {"code": "opens everything"}) is None


def test_a_token_names_its_person_in_the_header_the_form_the_query_and_the_cookie() -> None:
    bo = Person("bo@example.org", "pass")
    assert who({"authorization": f"bearer {PASS}"}) == bo
    assert who(query={"token": PASS}) == bo
    assert person({}, {}, KEY, NOW, field=PASS) == bo
    assert who({"Cookie": f"a=b; signalbox={PASS}; c=d"}) == Person("bo@example.org", "pass", ambient=True)
    assert who({"Authorization": f"Bearer {LINK}"}) == Person("ana@example.org", "link", GRANT)


def test_the_platforms_header_is_nothing_unless_the_platform_signs_people_in() -> None:
    assert who(ANA) is None
    assert who(ANA, signed_in=True) == Person("ana@example.org", "entra", ambient=True)
    assert who({PRINCIPAL: "no base64"}) is None


@pytest.mark.parametrize(
    "header",
    [
        {PRINCIPAL: "no base64"},
        {PRINCIPAL: base64.b64encode(b"[").decode()},
        {PRINCIPAL: base64.b64encode(b"[" * 3000).decode()},
        {PRINCIPAL: "é"},
        {PRINCIPAL: "A" * 70_000},
        principal(("preferred_username", "ana@example.org"), kind="github"),
        principal(("preferred_username", "ana@example.org"), ("preferred_username", "bo@example.org")),
        principal(("preferred_username", " ")),
        principal(("preferred_username", "ana\u202e@example.org")),
        principal(("email", "ana@example.org"), ("name", "ana@example.org")),
        {**principal(("name", "Ana")), "X-MS-CLIENT-PRINCIPAL-NAME": "ana@example.org"},
    ],
)
def test_a_sign_in_that_names_nobody_for_certain_is_not_trusted(header: dict[str, str]) -> None:
    with pytest.raises(NotTrusted):
        who(header, signed_in=True)


def test_a_guest_is_known_by_the_name_that_people_write() -> None:
    guest = principal((UPN, "ana_example.org#EXT#@there"), ("preferred_username", "ana@example.org"))
    assert who(guest, signed_in=True) == Person("ana@example.org", "entra", ambient=True)
    assert who(principal((UPN, "ana@example.org")), signed_in=True) == Person("ana@example.org", "entra", ambient=True)


def test_a_link_opens_nothing_for_somebody_else_who_is_signed_in() -> None:
    with pytest.raises(NotAllowed, match=r"for bo@example\.org, and you are signed in as ana@example\.org"):
        who(ANA, {"token": PASS}, signed_in=True)
    assert who(ANA, {"token": LINK}, signed_in=True) == Person("ana@example.org", "link", GRANT)


def test_a_token_of_the_platform_and_an_old_cookie_are_in_nobodys_way() -> None:
    theirs = {"Authorization": "Bearer eyJ0eXAi.of.theirs", "Cookie": "signalbox=old"}
    assert who(ANA | theirs, signed_in=True) == Person("ana@example.org", "entra", ambient=True)
    with pytest.raises(NotTrusted):
        who(theirs)


def test_an_expired_proof_proves_nothing() -> None:
    with pytest.raises(NotAllowed, match="pass expired at 2026-02-25 06:14 UTC"):
        person({"Authorization": f"Bearer {PASS}"}, {}, KEY, NOW + 60)
    with pytest.raises(NotAllowed, match="approval link expired"):
        person({"Cookie": f"signalbox={LINK}"}, {}, KEY, NOW + 60)


def test_what_was_signed_for_one_purpose_is_good_for_no_other() -> None:
    form = sign_form(KEY, "ana@example.org", RELEASE, EVIDENCE, NOW + 60)
    for read, token in ((verify, PASS), (verify, form), (verify_pass, LINK), (verify_pass, form)):
        with pytest.raises(NotTrusted):
            read(KEY, token, NOW)
    with pytest.raises(NotAllowed, match="not signed by us"):
        check_form(KEY, LINK, "ana@example.org", RELEASE, EVIDENCE, NOW)
    with pytest.raises(NotTrusted):
        who({"Authorization": f"Bearer {form}"})
    # A version that is written over is no other purpose: the mac covers it.
    with pytest.raises(NotTrusted):
        who({"Authorization": f"Bearer sp1{LINK[3:]}"})


def test_a_form_is_good_for_the_person_the_release_and_the_evidence_it_was_shown_for() -> None:
    form = sign_form(KEY, "Ana@example.org", RELEASE, EVIDENCE, NOW + 60)
    check_form(KEY, form, "ana@example.org", RELEASE, EVIDENCE, NOW)
    for other in (("bo@example.org", RELEASE, EVIDENCE), ("ana@example.org", "f" * 20, EVIDENCE)):
        with pytest.raises(NotAllowed, match="shown to somebody else"):
            check_form(KEY, form, *other, NOW)
    with pytest.raises(NotAllowed, match="about something else"):
        check_form(KEY, form, "ana@example.org", RELEASE, "sha256:0", NOW)
    with pytest.raises(NotAllowed, match="form expired"):
        check_form(KEY, form, "ana@example.org", RELEASE, EVIDENCE, NOW + 60)


class Gate:
    """What the operator set."""

    approval_key = KEY
    signed_in = True


def test_what_the_operator_set_says_who_is_let_in() -> None:
    now = datetime.fromtimestamp(NOW, UTC)
    assert sender(ANA, {}, Gate(), now) == Person("ana@example.org", "entra", ambient=True)
    assert sender({}, {"token": PASS}, Gate(), now) == Person("bo@example.org", "pass")


def test_whoever_is_proven_asks_in_their_own_name_and_a_claim_stays_a_claim() -> None:
    asked = CancelAsked(RELEASE, "Ana@example.org", "no")
    assert behind(asked, None) == asked
    assert behind(asked, who({"Authorization": f"Bearer {LINK}"})) == asked
    proven = behind(asked, who(ANA, signed_in=True))
    assert proven == CancelAsked(RELEASE, "ana@example.org", "no", "entra")
    with pytest.raises(NotAllowed, match=r"You are bo@example\.org, and nobody asks in another's name"):
        behind(asked, who(query={"token": PASS}))


def test_a_policy_is_accepted_by_its_digest_with_a_reason() -> None:
    body = b'{"digest": "sha256:1", "by": "ana@example.org", "reason": "as agreed"}'
    assert policy_request("houses", {}, body) == PolicyAccepted("houses", "sha256:1", "ana@example.org", "as agreed")


@settings(max_examples=400, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["Authorization", "Cookie", PRINCIPAL]), st.text()),
    st.text(),
    st.booleans(),
    st.binary().map(lambda raw: base64.b64encode(raw).decode()),
)
def test_whatever_comes_is_nobody_or_an_error_of_ours(
    headers: dict[str, str], token: str, signed_in: bool, encoded: str
) -> None:
    for each in (headers, headers | {PRINCIPAL: encoded}, {"Cookie": f"signalbox={token}"}):
        with suppress(NotTrusted):
            assert who(each, {"token": token}, signed_in) is None
    # The positive control: what is right is taken in every run.
    assert who({"Authorization": f"Bearer {PASS}"}) is not None
