"""The threat model holds: each entry has a defence, a test that exists, and a patch that the test sees."""

import subprocess

import pytest

from tests.security import model, switched_off

PAGE = model.PAGE.read_text()
ENTRIES = model.entries(PAGE)


def test_every_abuse_has_a_number_of_its_own() -> None:
    assert [entry.number for entry in ENTRIES] == list(range(1, len(ENTRIES) + 1))
    assert len(ENTRIES) >= 42


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: str(entry.number))
def test_every_abuse_has_a_defence_and_a_test_that_exists(entry: model.Entry) -> None:
    assert entry.wrong() == ""


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("A verifier", "A verifier", ""),
        ("[it is found](../tests/test_security.py)", "", "no test shows it"),
        ("it is found", "it is lost", "test_it_is_lost does not exist"),
        ("A verifier", "", "it has no defence"),
        ("not code: none", "none", "nothing says why it is not code"),
        ("not code: none", "[none](../tests/security/switched_off/none.patch)", "there is no tests/security"),
    ],
)
def test_an_entry_that_lacks_something_is_found(old: str, new: str, says: str) -> None:
    whole = "| 1 | A forgery | A verifier | [it is found](../tests/test_security.py) | not code: none |"
    whole = whole.replace("it is found", "an entry that lacks something is found")
    old = old.replace("it is found", "an entry that lacks something is found")
    (entry,) = model.entries(whole.replace(old, new))
    assert says in entry.wrong()
    assert bool(says) == bool(entry.wrong())


def test_every_patch_belongs_to_an_abuse_and_names_one_of_its_tests() -> None:
    tests = {entry.patch(): {each.id() for each in entry.tests} for entry in ENTRIES if entry.patch()}
    assert tests.keys() == {patch.stem for patch in switched_off.PATCHES}
    for patch in switched_off.PATCHES:
        assert switched_off.test_of(patch).partition("[")[0] in tests[patch.stem], patch.stem


@pytest.mark.parametrize("patch", switched_off.PATCHES, ids=lambda patch: patch.stem)
def test_every_defence_that_was_switched_off_made_its_test_fail(patch: model.Path) -> None:
    seen = switched_off.known()[patch.stem]
    assert (seen.with_it, seen.without_it) == ("green", "red"), switched_off.ANEW
    assert seen.patch == switched_off.digest(patch), switched_off.ANEW
    fits = subprocess.run(["git", "apply", "--check", str(patch)], cwd=model.HOUSE, capture_output=True, text=True)
    assert fits.returncode == 0, f"the code under it moved: mend the patch. {switched_off.ANEW} {fits.stderr}"


def test_the_page_lists_what_was_switched_off() -> None:
    assert "\n".join(switched_off.table(switched_off.known())) in PAGE, switched_off.ANEW
