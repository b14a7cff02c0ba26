"""What a person decides in the form of a page: no token comes along, but the form's secret and a cookie."""

from urllib.parse import urlencode

import pytest

from shared.errors import NotAllowed, NotTrusted, NotUnderstood
from shared.release import tokens
from shared.release.notices import DecisionGiven
from shared.sources.people import decision, upto, viewer

KEY, NOW = b"a key that signs approval links", 1_772_000_000
RELEASE, WHO, EVIDENCE = "75710518b3f1b81b193f", "ana@example.org", "sha256:" + "a" * 64
TOKEN = tokens.sign(KEY, tokens.Grant(RELEASE, WHO, EVIDENCE, NOW + 60))
FORM = tokens.sign_form(KEY, WHO, RELEASE, EVIDENCE, NOW + 60)
SENT = {"form": FORM, "evidence": EVIDENCE, "decision": "approve", "reason": "better"}
HEADERS = {
    "Content-Type": "application/x-www-form-urlencoded",
    "Cookie": f"signalbox={TOKEN}",
    "Origin": "null",
    "Sec-Fetch-Site": "same-origin",
}


def sent(fields: dict[str, str], headers: dict[str, str]) -> DecisionGiven:
    return decision(KEY, NOW, RELEASE, {}, HEADERS | headers, urlencode(SENT | fields).encode())


def test_the_form_with_the_cookie_of_whom_it_was_shown_to_decides() -> None:
    assert sent({}, {}) == DecisionGiven(RELEASE, WHO, "approve", "better", EVIDENCE, "link")


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({"form": ""}, {}),
        ({"form": FORM[:-1]}, {}),
        ({"evidence": ""}, {}),
        ({"evidence": "sha256:" + "b" * 64}, {}),
        ({}, {"Origin": "", "Sec-Fetch-Site": ""}),
        ({}, {"Origin": "https://elsewhere.example.org", "Host": "signalbox.example.org", "Sec-Fetch-Site": ""}),
        ({}, {"Sec-Fetch-Site": "cross-site"}),
        ({}, {"Cookie": "signalbox=" + tokens.sign(KEY, tokens.Grant(RELEASE, "bo@x.org", EVIDENCE, NOW + 60))}),
        ({}, {"Cookie": "signalbox=" + tokens.sign(KEY, tokens.Grant(RELEASE, WHO, EVIDENCE, NOW))}),
    ],
)
def test_a_form_that_is_not_ours_decides_nothing(fields: dict[str, str], headers: dict[str, str]) -> None:
    with pytest.raises(NotAllowed):
        sent(fields, headers)


def test_a_form_without_a_cookie_is_nobodys() -> None:
    with pytest.raises(NotTrusted, match="No token came"):
        sent({}, {"Cookie": ""})


def test_a_pass_decides_about_the_evidence_that_is_named() -> None:
    held = {"Authorization": f"Bearer {tokens.sign_pass(KEY, tokens.Pass(WHO, NOW + 60))}", "Cookie": ""}
    assert sent({}, held).evidence == EVIDENCE
    assert viewer(KEY, NOW, RELEASE, {}, held).how == "pass"
    with pytest.raises(NotUnderstood, match="name the evidence"):
        sent({"evidence": ""}, held)


def test_a_list_is_shown_up_to_a_row() -> None:
    assert (upto({}), upto({"upto": "7"})) == (None, 7)
    for wrong in ("0", "-1", "1.5", "many", "9" * 10, "²"):
        with pytest.raises(NotUnderstood, match="begin at the newest"):
            upto({"upto": wrong})
