"""The secret of a form that a page shows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NotAllowed
from shared.release import forms, tokens

KEY = b"a key that signs approval links"
SHOWN = ("ana@example.org", "75710518b3f1b81b193f", "sha256:" + "a" * 64)


def test_a_form_counts_for_whom_it_was_shown_until_it_expires() -> None:
    form = forms.make(KEY, *SHOWN, 1000)
    forms.check(KEY, form, *SHOWN, 999)
    with pytest.raises(NotAllowed, match="too long"):
        forms.check(KEY, form, *SHOWN, 1000)


@pytest.mark.parametrize("at", range(3))
def test_a_form_is_of_no_use_to_another_person_release_or_evidence(at: int) -> None:
    other = [*SHOWN]
    other[at] += "x"
    with pytest.raises(NotAllowed):
        forms.check(KEY, forms.make(KEY, *SHOWN, 1000), *other, 1)


@given(st.text() | st.from_regex(r"\d{1,14}\.[0-9a-f]{64}"))
def test_what_we_did_not_make_is_refused_whatever_it_is(given_text: str) -> None:
    with pytest.raises(NotAllowed):
        forms.check(KEY, given_text, *SHOWN, 1)


def test_a_link_is_no_form() -> None:
    link = tokens.sign(KEY, tokens.Grant(SHOWN[1], SHOWN[0], SHOWN[2], 1000))
    with pytest.raises(NotAllowed):
        forms.check(KEY, link, *SHOWN, 1)
