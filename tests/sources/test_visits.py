"""Who looks at pages."""

import pytest

from shared.errors import NotAllowed, NotTrusted
from shared.release import tokens
from shared.sources import visits

KEY = b"a key that signs approval links"
GRANT = tokens.Grant("75710518b3f1b81b193f", "ana@example.org", "sha256:" + "a" * 64, 1000)
TOKEN = tokens.sign(KEY, GRANT)


@pytest.mark.parametrize(
    ("query", "headers"),
    [
        ({"token": TOKEN}, {}),
        ({}, {"Authorization": f"bearer {TOKEN}"}),
        ({}, {"cookie": f"signalbox={TOKEN}"}),
        ({}, {"Cookie": f"other=1; signalbox={TOKEN}; more=x=y"}),
        ({"token": TOKEN}, {"cookie": "signalbox=older"}),
    ],
)
def test_a_link_of_ours_says_who_looks(query: dict[str, str], headers: dict[str, str]) -> None:
    who = visits.visitor(KEY, 1, query, headers)
    assert (who.person, who.release, who.evidence, who.expires) == (GRANT.approver, GRANT.release, GRANT.evidence, 1000)


@pytest.mark.parametrize(
    "cookie", ["", "signalbox", "signalbox=", "signalbox=x; signalbox=" + TOKEN, "=", ";;", "é=\ud800"]
)
def test_nothing_else_does(cookie: str) -> None:
    with pytest.raises(NotTrusted):
        visits.visitor(KEY, 1, {}, {"cookie": cookie})


def test_an_expired_link_says_nobody() -> None:
    with pytest.raises(NotAllowed):
        visits.visitor(KEY, 1000, {}, {"cookie": f"signalbox={TOKEN}"})


@pytest.mark.parametrize(("seconds", "age"), [(60, 60), (10**9, visits.LONGEST), (-5, 0)])
def test_a_browser_keeps_it_out_of_reach_and_not_for_ever(seconds: int, age: int) -> None:
    assert visits.kept("t", seconds, secure=False) == f"signalbox=t; Max-Age={age}; Path=/api; HttpOnly; SameSite=Lax"
    assert visits.kept("t", seconds, secure=True).endswith("; Secure")
