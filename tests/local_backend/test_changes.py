"""What changed between two commits of a real repository, as far as a project looks."""

import asyncio
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from origins import BRANCH, Origin

from shared.backends.local.changes import globs
from shared.backends.local.repository import GitRepository
from shared.errors import NotUnderstood
from shared.release import line
from shared.release.config import read_projects
from shared.release.notices import Pushed
from tests.world import FILES as PROJECT
from tests.world import World

FILE, SCRIPT, LINK, MODULE = 0o100644, 0o100755, 0o120000, 0o160000
Files = dict[str, tuple[int, bytes]]
FIRST: Files = {
    "README.md": (FILE, b"1"),
    "libs/rows.py": (FILE, b"1"),
    "libs/docs/rows.md": (FILE, b"1"),
    "services/a/train.py": (FILE, b"1"),
    "services/a/parts/x.py": (FILE, b"1"),
    "services/b/train.py": (FILE, b"1"),
}


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin.git")


def commit(origin: Origin, files: Files, *parents: str) -> str:
    """Commit files by their whole paths."""
    return origin.commit(nested(origin, files), *parents)


def nested(origin: Origin, files: Files) -> Files:
    here = {name: entry for name, entry in files.items() if "/" not in name}
    for folder in {name.partition("/")[0] for name in files if "/" in name}:
        inside = {name.partition("/")[2]: entry for name, entry in files.items() if name.partition("/")[0] == folder}
        here[folder] = (0o040000, origin.tree(nested(origin, inside)))
    return here


def same(
    state: Path, origin: Origin, new: str, old: str, path: str = "services/a", watch: tuple[str, ...] = ()
) -> bool:
    git = GitRepository(state)
    assert asyncio.run(git.place(origin.url, BRANCH, new)).on_branch
    return asyncio.run(git.same(origin.url, new, old, path, watch))


def without(name: str) -> Files:
    return {other: entry for other, entry in FIRST.items() if other != name}


CHANGES: dict[str, tuple[Files, bool]] = {
    "nothing at all": (FIRST, True),
    "a file of another project": (FIRST | {"services/b/train.py": (FILE, b"2")}, True),
    "a file whose name only begins like the path": (FIRST | {"services/ab": (FILE, b"2")}, True),
    "a file deep below the path": (FIRST | {"services/a/parts/x.py": (FILE, b"2")}, False),
    "a new file": (FIRST | {"services/a/new.py": (FILE, b"")}, False),
    "a file taken away": (without("services/a/parts/x.py"), False),
    "a file moved out of the path": (without("services/a/train.py") | {"services/b/t.py": (FILE, b"1")}, False),
    "a file moved into the path": (without("README.md") | {"services/a/README.md": (FILE, b"1")}, False),
    "a file renamed within the path": (without("services/a/train.py") | {"services/a/fit.py": (FILE, b"1")}, False),
    "a mode": (FIRST | {"services/a/train.py": (SCRIPT, b"1")}, False),
    "a link in place of a file": (FIRST | {"services/a/train.py": (LINK, b"1")}, False),
    "a submodule within": (FIRST | {"services/a/vendor": (MODULE, b"1" * 40)}, False),
    "the folder is gone": ({"README.md": (FILE, b"1")}, False),
    "the folder is a file": ({"services/a": (FILE, b"1")}, False),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_counts_as_a_change_below_the_path(state: Path, origin: Origin, change: str) -> None:
    files, expected = CHANGES[change]
    old = commit(origin, FIRST)
    assert same(state, origin, commit(origin, files, old), old) is expected


@pytest.mark.parametrize("path", ["services/absent", "README.md", "README.md/x", ".."])
def test_what_is_a_folder_in_neither_commit_is_not_the_same(state: Path, origin: Origin, path: str) -> None:
    old = commit(origin, FIRST)
    assert same(state, origin, commit(origin, FIRST, old), old, path) is False


@pytest.mark.parametrize(
    ("watch", "changed", "expected"),
    [
        (("libs/**",), "libs/rows.py", False),
        (("libs/**",), "libs/docs/rows.md", False),
        (("libs/**",), "README.md", True),
        (("libs",), "libs/docs/rows.md", False),
        (("libs/",), "libs/new/deep/file", False),
        (("libs/*.py",), "libs/docs/rows.md", True),
        (("libs/**/*.md",), "libs/docs/rows.md", False),
        (("/*.md",), "README.md", False),
        (("/*.md",), "libs/docs/rows.md", True),
        (("*.md",), "libs/docs/rows.md", False),
        (("libs/**", "!*.md"), "libs/docs/rows.md", True),
        (("libs/row[sz].py",), "libs/rows.py", False),
        (("LIBS/**",), "libs/rows.py", True),
        ((".config/**",), ".config/x", False),
    ],
)
def test_what_globs_match_counts_beside_the_path(
    state: Path, origin: Origin, watch: tuple[str, ...], changed: str, expected: bool
) -> None:
    old = commit(origin, FIRST)
    new = commit(origin, FIRST | {changed: (FILE, b"2")}, old)
    assert same(state, origin, new, old, watch=watch) is expected


@pytest.mark.parametrize(
    ("entry", "expected"), [((MODULE, b"2" * 40), False), ((LINK, b"elsewhere"), False), ((FILE, b"2"), True)]
)
def test_a_submodule_or_a_link_that_is_watched_counts(
    state: Path, origin: Origin, entry: tuple[int, bytes], expected: bool
) -> None:
    old = commit(origin, FIRST)
    name = "libs/vendor" if entry[0] != FILE else "docs/vendor"
    assert same(state, origin, commit(origin, FIRST | {name: entry}, old), old, watch=("libs/**",)) is expected


def test_a_watched_folder_that_became_a_submodule_counts(state: Path, origin: Origin) -> None:
    old = commit(origin, {"a/x": (FILE, b"1")})
    new = commit(origin, {"a/x": (FILE, b"1"), "libs": (MODULE, b"1" * 40)}, old)
    assert same(state, origin, new, old, "a", ("libs/",)) is False


@pytest.mark.parametrize(("changed", "expected"), [("libs/rows.py", False), ("services/a/train.py", True)])
def test_globs_without_a_path_stand_alone(state: Path, origin: Origin, changed: str, expected: bool) -> None:
    old = commit(origin, FIRST)
    new = commit(origin, FIRST | {changed: (FILE, b"2")}, old)
    assert same(state, origin, new, old, path="", watch=("libs/**",)) is expected
    assert same(state, origin, new, old, path="") is False


def test_a_merge_is_compared_by_what_it_holds_not_by_what_it_joined(state: Path, origin: Origin) -> None:
    old = commit(origin, FIRST)
    aside = origin.commit(nested(origin, FIRST | {"services/b/train.py": (FILE, b"2")}), old, branch=None)
    merged = commit(origin, FIRST | {"services/b/train.py": (FILE, b"2")}, old, aside)
    assert same(state, origin, merged, old) is True
    assert same(state, origin, merged, old, path="services/b") is False
    assert same(state, origin, merged, aside, path="services/b") is True


def test_a_commit_that_does_not_come_before_is_not_the_same(state: Path, origin: Origin) -> None:
    root = commit(origin, FIRST)
    forced_away = commit(origin, FIRST, root)
    assert same(state, origin, forced_away, root) is True
    now = commit(origin, FIRST, root)
    for other in (forced_away, "0" * 40, "main"):
        assert same(state, origin, now, other) is False


MODELS = """
[projects.{name}]
repository = "{url}"
path = "models/{name}"
watch = ["libs/{name}.py"]
approvers = ["ana@example.org"]
"""
NAMES = ("prices", "rents", "sales")


def test_one_push_of_three_projects_of_which_two_changed_trains_two(state: Path, origin: Origin) -> None:
    text = "".join(MODELS.format(name=name, url=origin.url) for name in NAMES)
    world = World(projects=dict(read_projects(text).projects), git=GitRepository(state))
    project: Files = {
        f"models/{name}/{file}": (FILE, content.encode()) for name in NAMES for file, content in PROJECT.items()
    }

    def push(files: Files, *parents: str) -> tuple[str, list[str]]:
        new = commit(origin, files, *parents)
        answer = world.take_in(Pushed("github", (origin.url,), "refs/heads/main", "", new, "dee", "a change", ""))
        world.run()
        return new, [opened["release"] for opened in answer.body["releases"]]

    first, opened = push(project)
    assert [line.standing(world.state(release)) for release in opened] == ["ask"] * 3
    changed: Files = {"models/prices/train.py": (FILE, b"print(2)"), "libs/sales.py": (FILE, b"print(2)")}
    second, opened = push(project | changed, first)
    assert [world.ended(release) for release in opened] == ["open", "unchanged", "open"]
    ended = world.state(opened[1]).ended
    assert ended is not None
    assert (
        ended.reason == f"nothing under models/rents or matching libs/rents.py changed since {first[:7]} (release #1)"
    )
    _, opened = push(project | changed | {"README.md": (FILE, b"1")}, second)
    assert [world.ended(release) for release in opened] == ["unchanged"] * 3


ANY = st.text(st.sampled_from("ab/*?!.[]{}#\\ -^&|~\t"), max_size=8)
CLASSES = st.from_regex(r"a?\[[ab&|~.^!-]{1,4}\]", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(glob=ANY | CLASSES)
def test_every_glob_that_an_operator_may_write_can_be_read(glob: str) -> None:
    text = f"[projects.a]\nrepository = 'r'\napprovers = ['ana']\nwatch = ['{glob}']\n"
    try:
        read = read_projects(text)
    except NotUnderstood:
        return
    (pattern,) = globs(read.projects["a"].watch).patterns
    assert pattern.include is not None
