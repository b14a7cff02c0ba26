"""What stands in the row of something that came in, and is taken in again from there."""

import pytest

from shared.release import notices
from shared.release.notices import Notice

PUSH = notices.Pushed("github", ("acme/houses",), "refs/heads/main", "0" * 40, "a" * 40, "dee", "a change", "d-1")
KEPT: list[Notice] = [
    PUSH,
    notices.Ignored("github", "ping", "a ping", "d-2", ("acme/houses",)),
    notices.BlobHeard("houses", "in/may.csv", 9, "0x1", "01"),
    notices.DriftHeard("houses", "w1", "psi 9"),
    notices.ModelHeard("houses", "3", ""),
]


@pytest.mark.parametrize("notice", KEPT)
def test_what_the_outside_told_is_read_back_from_its_row(notice: Notice) -> None:
    assert notices.told_again(notices.kept(notice)) == notice


def test_what_a_person_asked_is_not_kept_to_be_asked_again() -> None:
    assert notices.kept(notices.CancelAsked("r", "ana", "wrong data")) == {}


def test_what_is_too_large_for_a_row_is_not_kept() -> None:
    assert notices.kept(notices.DriftHeard("houses", "w1", "x" * notices.LARGEST_KEPT)) == {}


@pytest.mark.parametrize("row", [{}, {"kind": "Sold"}, {"kind": "DriftHeard"}, {"kind": "DriftHeard", "monitor": 3}])
def test_a_row_that_this_version_cannot_read_tells_nothing(row: dict[str, object]) -> None:
    assert notices.told_again(row) is None
