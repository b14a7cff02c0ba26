"""What changed between two commits, found in their trees: no content is read, and no history.

Entries are equal when their mode and their id are: a rename, a mode, a link's target and a submodule's commit count.
"""

import stat
from typing import TYPE_CHECKING

from shared.errors import Blocked

if TYPE_CHECKING:
    from dulwich.objects import ObjectID
    from dulwich.repo import Repo
    from pathspec import GitIgnoreSpec

Entry = tuple[int, "ObjectID"]
"""Mode and id, as they stand in a tree."""


def same(repo: "Repo", commit: str, other: str, path: str, watch: tuple[str, ...]) -> bool:
    """Say whether two commits of the mirror are equal below the folder `path`, and where globs of `watch` match."""
    mine, theirs = (_root(repo, each) for each in (commit, other))
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if parts or not watch:
        folder = _folder(repo, mine, parts)
        if folder is None or folder != _folder(repo, theirs, parts):
            return False
    return not _differ(repo, mine, theirs, "", globs(watch))


def globs(watch: tuple[str, ...]) -> "GitIgnoreSpec":
    """Return what matches a path from the root of the repository; `Blocked` for what cannot be read as globs."""
    from pathspec import GitIgnoreSpec
    from pathspec.patterns.gitwildmatch import GitWildMatchPatternError

    try:
        return GitIgnoreSpec.from_lines(watch)
    except GitWildMatchPatternError as error:
        raise Blocked(f"`watch` cannot be read ({error}). Correct it in the operator's projects file") from error


def _root(repo: "Repo", commit: str) -> Entry:
    from dulwich.objects import Commit

    found = repo[commit.encode()]
    assert isinstance(found, Commit)
    return stat.S_IFDIR, found.tree


def _folder(repo: "Repo", root: Entry, parts: list[str]) -> Entry | None:
    """Return the folder at a path, None when there is none."""
    found: Entry | None = root
    for part in parts:
        found = _inside(repo, found).get(part.encode())
    return found if found and stat.S_ISDIR(found[0]) else None


def _inside(repo: "Repo", entry: Entry | None) -> dict[bytes, Entry]:
    from dulwich.objects import Tree

    if entry is None or not stat.S_ISDIR(entry[0]):
        return {}
    tree = repo[entry[1]]
    assert isinstance(tree, Tree)
    return {name: (mode, child) for name, mode, child in tree.items()}


def _differ(repo: "Repo", mine: Entry | None, theirs: Entry | None, path: str, watched: "GitIgnoreSpec") -> bool:
    """Say whether something that is watched differs at a path or below it; folders that are equal are not opened."""
    if mine == theirs:
        return False
    for entry in (mine, theirs):
        # A submodule stands where a folder would.
        name = f"{path}/" if entry and not (stat.S_ISREG(entry[0]) or stat.S_ISLNK(entry[0])) else path
        if entry and not stat.S_ISDIR(entry[0]) and watched.match_file(name):
            return True
    ours, others = _inside(repo, mine), _inside(repo, theirs)
    return any(
        _differ(repo, ours.get(name), others.get(name), _below(path, name), watched)
        for name in sorted(ours.keys() | others.keys())
    )


def _below(path: str, name: bytes) -> str:
    part = name.decode("utf-8", "surrogateescape")
    return f"{path}/{part}" if path else part
