"""Who looks at pages, and what their link lets them decide about."""

import pytest

from shared.errors import NotTrusted
from shared.release import tokens
from shared.sources import visits
from shared.sources.identity import Person

KEY = b"a key that signs approval links"
GRANT = tokens.Grant("75710518b3f1b81b193f", "ana@example.org", "sha256:" + "a" * 64, 1000)
TOKEN = tokens.sign(KEY, GRANT)


def look(query: dict[str, str], headers: dict[str, str]) -> Person:
    return visits.visitor(visits.Visit("pages/", query, headers), KEY, 1, signed_in=False)


def test_a_link_says_who_looks_and_so_does_the_cookie_that_it_became() -> None:
    assert look({"token": TOKEN}, {}).email == look({}, {"cookie": f"signalbox={TOKEN}"}).email == GRANT.approver


def test_without_either_nobody_looks() -> None:
    with pytest.raises(NotTrusted, match="Nobody is known here"):
        look({}, {"cookie": "other=1"})


def test_a_link_decides_about_what_it_was_made_for_and_a_pass_about_what_its_holder_is_asked() -> None:
    who = look({"token": TOKEN}, {})
    assert visits.asked_by_link(who, GRANT.release, GRANT.evidence) == ""
    assert "another release" in visits.asked_by_link(who, "other", GRANT.evidence)
    assert "Production changed" in visits.asked_by_link(who, GRANT.release, "sha256:newer")
    assert visits.asked_by_link(Person("ana@example.org", "pass"), "other", "any") == ""


def test_a_browser_keeps_it_out_of_reach_and_not_for_ever() -> None:
    assert visits.kept("t", secure=False) == "signalbox=t; Max-Age=43200; Path=/api; HttpOnly; SameSite=Lax"
    assert visits.kept("t", secure=True).endswith("; Secure")


def test_only_a_token_of_ours_proves_somebody() -> None:
    assert visits.proves(TOKEN, KEY, 1)
    for token in ("", "\r\nSet-Cookie: a=b", TOKEN[:-1], "é"):
        assert not visits.proves(token, KEY, 1)
    assert not visits.proves(TOKEN, KEY, GRANT.expires)
