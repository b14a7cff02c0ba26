"""Planted bugs: the simulation finds every one of them, so what it does not find is likely not there."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.simulation import planted

pytestmark = pytest.mark.timeout(600)
PAGE = planted.HOUSE / "docs" / "simulation.md"


def test_every_planted_bug_is_found(record_property: Callable[[str, object], None]) -> None:
    known = planted.known()
    assert len(planted.PATCHES) >= 12
    assert known.keys() == {patch.stem for patch in planted.PATCHES}, planted.ANEW
    with ThreadPoolExecutor(2) as pool:
        killed = pool.map(lambda patch: planted.again(patch, known[patch.stem]), planted.PATCHES)
        found = dict(zip((patch.stem for patch in planted.PATCHES), killed, strict=True))
    missed = {name: modes for name, modes in found.items() if not any(modes.values())}
    both = sum(all(modes.values()) for modes in found.values())
    told = f"planted bugs: {len(found) - len(missed)} of {len(planted.PATCHES)} found, {both} of them in both modes"
    record_property("figures", told)
    assert missed == {}


def test_the_page_shows_what_was_found() -> None:
    assert "\n".join(planted.table(planted.known())) in PAGE.read_text(), planted.ANEW


def test_a_patch_that_no_longer_applies_is_an_error(tmp_path: Path) -> None:
    patch = tmp_path / "gone.patch"
    patch.write_text(planted.PATCHES[0].read_text().replace("\n-", "\n-gone "))
    with pytest.raises(planted.NoLongerApplies, match=r"gone\.patch"):
        planted.plant(patch, tmp_path / "copy")


def test_a_patch_that_changes_nothing_is_an_error(tmp_path: Path) -> None:
    patch = tmp_path / "empty.patch"
    patch.write_text("Nothing is planted.\n")
    with pytest.raises(planted.NoLongerApplies, match=r"empty\.patch"):
        planted.plant(patch, tmp_path / "copy")
