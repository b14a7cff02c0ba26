"""The git side, on repositories made by dulwich; one test serves a repository over loopback http."""

import asyncio
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from dulwich.repo import Repo
from origins import BRANCH, FILES, Origin, serving

from shared.backends.local.repository import GitRepository
from shared.backends.local.snapshots import unpack
from shared.errors import StepFailed, Unavailable


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin" / "project.git")


@pytest.fixture
def git(tmp_path: Path) -> GitRepository:
    return GitRepository(tmp_path / "state")


def place(git: GitRepository, origin: Origin, commit: str, *others: str):  # type: ignore[no-untyped-def]
    return asyncio.run(git.place(origin.url, BRANCH, commit, others))


def snapshot(git: GitRepository, origin: Origin, commit: str, path: str = ".") -> bytes:
    return asyncio.run(git.snapshot(origin.url, BRANCH, commit, path))


def test_a_commit_on_the_branch_is_placed_with_its_author_and_message(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    second = origin.commit(FILES, first)
    found = place(git, origin, first)
    assert (found.on_branch, found.tip) == (True, second)
    assert (found.author, found.email) == ("Ana Önder", "ana@example.org")
    assert found.message == "Ridge, alpha 0.1\n\nLonger story."


def test_a_commit_of_another_branch_is_not_on_the_branch(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    other = origin.commit(FILES, first, branch="feature")
    assert place(git, origin, other).on_branch is False


def test_a_commit_that_was_forced_away_is_no_longer_on_the_branch(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    second = origin.commit(FILES, first)
    assert place(git, origin, second).on_branch is True
    third = origin.commit(FILES, first)
    found = place(git, origin, second)
    assert (found.on_branch, found.tip) == (False, third)


@pytest.mark.parametrize("commit", ["0" * 40, "", "main", "--upload-pack=x", "f" * 39, "F" * 40])
def test_what_is_no_commit_of_it_is_not_on_the_branch(git: GitRepository, origin: Origin, commit: str) -> None:
    origin.commit(FILES)
    assert place(git, origin, commit).on_branch is False


def test_the_others_that_come_after_a_commit_are_named(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    left = origin.commit(FILES, first, branch="left")
    merged = origin.commit(FILES, origin.commit(FILES, first), left)
    aside = origin.commit(FILES, first, branch="aside")
    found = place(git, origin, left, first, left, merged, aside, "0" * 40)
    assert found.older_than == (merged,)


def test_ancestry_does_not_depend_on_the_clocks_of_authors(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    origin.time -= 1_000_000
    second = origin.commit(FILES, first)
    origin.time += 5_000_000
    third = origin.commit(FILES, second)
    assert place(git, origin, first, third).older_than == (third,)


def test_an_absent_branch_has_no_tip_and_holds_nothing(git: GitRepository, origin: Origin) -> None:
    commit = origin.commit(FILES, branch="other")
    assert asyncio.run(git.tip(origin.url, BRANCH)) is None
    assert place(git, origin, commit) == place(git, origin, "0" * 40)


def test_the_tip_follows_each_push(git: GitRepository, origin: Origin) -> None:
    first = origin.commit(FILES)
    assert asyncio.run(git.tip(origin.url, BRANCH)) == first
    second = origin.commit(FILES, first)
    assert asyncio.run(git.tip(origin.url, BRANCH)) == second


def test_a_snapshot_is_the_files_at_that_commit_sorted_and_without_times(git: GitRepository, origin: Origin) -> None:
    commit = origin.commit(FILES)
    origin.commit({"train.py": (0o100644, b"print(2)\n")}, commit)
    with tarfile.open(fileobj=io.BytesIO(snapshot(git, origin, commit))) as archive:
        entries = archive.getmembers()
        assert [(entry.name, entry.mode) for entry in entries] == [("run.sh", 0o755), ("train.py", 0o644)]
        assert {(entry.mtime, entry.uid, entry.gid, entry.uname) for entry in entries} == {(0, 0, 0, "")}
        assert archive.extractfile("train.py").read() == b"print(1)\n"  # type: ignore[union-attr]


def test_two_mirrors_give_the_same_bytes(origin: Origin, tmp_path: Path) -> None:
    commit = origin.commit(FILES)
    one, two = (snapshot(GitRepository(tmp_path / name), origin, commit) for name in ("one", "two"))
    assert one == two


def test_a_snapshot_holds_only_what_is_below_its_path(git: GitRepository, origin: Origin, tmp_path: Path) -> None:
    inner = origin.tree(FILES)
    outer = origin.tree({"model": (0o40000, inner)})
    commit = origin.commit({"models": (0o40000, outer), "link": (0o120000, b"/etc")})
    unpack(snapshot(git, origin, commit, "models/model"), tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["run.sh", "train.py"]
    assert (tmp_path / "out" / "run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("path", ["absent", "train.py", "..", "model/../model"])
def test_a_path_that_is_no_folder_fails_the_step(git: GitRepository, origin: Origin, path: str) -> None:
    commit = origin.commit(FILES)
    with pytest.raises(StepFailed, match="no folder"):
        snapshot(git, origin, commit, path)


@pytest.mark.parametrize(
    ("name", "mode", "word"),
    [
        ("data", 0o120000, "symbolic link"),
        ("vendor", 0o160000, "submodule"),
        (".git", 0o100644, "name"),
        ("..", 0o100644, "name"),
        ("a\\b", 0o100644, "name"),
    ],
)
def test_links_submodules_and_odd_names_fail_the_step(
    git: GitRepository, origin: Origin, name: str, mode: int, word: str
) -> None:
    commit = origin.commit(FILES | {name: (mode, b"/etc/passwd")})
    with pytest.raises(StepFailed, match=word) as caught:
        snapshot(git, origin, commit)
    assert caught.value.advice


def test_a_snapshot_of_a_commit_that_is_nowhere_fails_the_step(git: GitRepository, origin: Origin) -> None:
    origin.commit(FILES)
    with pytest.raises(StepFailed, match="is not in branch main"):
        snapshot(git, origin, "0" * 40)


def test_a_tar_with_anything_but_plain_files_is_not_unpacked(tmp_path: Path) -> None:
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w") as archive:
        entry = tarfile.TarInfo("../outside")
        archive.addfile(entry, io.BytesIO(b""))
    with pytest.raises(StepFailed):
        unpack(contents.getvalue(), tmp_path / "in")
    assert not (tmp_path / "outside").exists()


@pytest.mark.parametrize(
    "url",
    ["ssh://git@example.org/x.git", "git@example.org:x.git", "http://example.org/x.git", "ext::sh -c x", "/srv/x", ""],
)
def test_addresses_of_other_kinds_are_refused(git: GitRepository, url: str) -> None:
    with pytest.raises(StepFailed, match="not allowed"):
        asyncio.run(git.tip(url, BRANCH))


def test_a_repository_that_is_not_there_could_not_be_asked(git: GitRepository, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="could not be asked"):
        asyncio.run(git.tip(f"file://{tmp_path}/nothing.git", BRANCH))


def test_a_password_in_the_address_is_never_shown(git: GitRepository) -> None:
    with pytest.raises(StepFailed) as caught:
        asyncio.run(git.tip("ftp://ana:hunter2@example.org/x", BRANCH))
    assert "hunter2" not in str(caught.value)


@pytest.fixture
def served(origin: Origin) -> Iterator[str]:
    with serving(origin.web()) as host:
        yield f"{host}/project.git"


def test_a_repository_is_mirrored_over_http_and_fetched_again(git: GitRepository, origin: Origin, served: str) -> None:
    first = origin.commit(FILES)
    assert asyncio.run(git.place(served, BRANCH, first)).on_branch is True
    second = origin.commit({"train.py": (0o100644, b"print(2)\n")}, first)
    assert asyncio.run(git.place(served, BRANCH, first, (second,))).older_than == (second,)
    assert asyncio.run(git.tip(served, BRANCH)) == second
    assert asyncio.run(git.snapshot(served, BRANCH, second, ""))


def test_only_what_is_new_is_fetched_again(git: GitRepository, origin: Origin, served: str, tmp_path: Path) -> None:
    first = origin.commit(FILES)
    asyncio.run(git.place(served, BRANCH, first))
    second = origin.commit(FILES | {"new.py": (0o100644, b"print(3)\n")}, first)
    asyncio.run(git.place(served, BRANCH, second))
    (mirror,) = (tmp_path / "state" / "repos").glob("*.git")
    packs = sorted(len(pack) for pack in Repo(str(mirror)).object_store.packs)
    assert packs == [3, 4]


def mirror_of(tmp_path: Path) -> Path:
    (found,) = (tmp_path / "state" / "repos").glob("*.git")
    return found


def test_a_fetch_that_was_killed_is_made_again(git: GitRepository, origin: Origin, tmp_path: Path) -> None:
    first = origin.commit(FILES)
    assert place(git, origin, first).on_branch
    mirror = mirror_of(tmp_path)
    # A fetch that is killed while it writes a ref leaves git's own lock, which nobody else takes away.
    for name in (f"refs/heads/{BRANCH}.lock", "packed-refs.lock", "HEAD.lock"):
        (mirror / name).touch()
    second = origin.commit(FILES, first)
    assert place(git, origin, second).tip == second


def test_a_mirror_that_was_killed_while_it_was_made_is_made_again(
    git: GitRepository, origin: Origin, tmp_path: Path
) -> None:
    first = origin.commit(FILES)
    assert place(git, origin, first).on_branch
    (mirror_of(tmp_path) / "config").unlink()
    assert place(git, origin, first).tip == first


def test_many_threads_fetch_into_one_mirror(git: GitRepository, origin: Origin) -> None:
    commits = [origin.commit(FILES)]
    for number in range(9):
        commits.append(origin.commit({"a": (0o100644, b"%d" % number)}, commits[-1]))

    async def all_of_them() -> list[bool]:
        return [found.on_branch for found in await asyncio.gather(*(git.place(origin.url, BRANCH, c) for c in commits))]

    assert asyncio.run(all_of_them()) == [True] * 10
