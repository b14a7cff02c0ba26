"""The files of one commit as a tar that is the same bytes wherever and whenever it is made."""

import io
import stat
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import StepFailed

if TYPE_CHECKING:
    from dulwich.objects import Tree
    from dulwich.repo import Repo

MOST_BYTES = 256 * 1024 * 1024


def pack(repo: "Repo", commit: str, path: str) -> bytes:
    """Return the regular files below `path` at `commit` as a sorted tar without times and owners.

    `StepFailed` names a link, a submodule, a path that no file system should be given, or what is too large.
    """
    files = sorted(_files(repo, _folder(repo, commit, path), ""))
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, runs, blob in files:
            content = repo[blob].as_raw_string()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755 if runs else 0o644
            archive.addfile(entry, io.BytesIO(content))
            if contents.tell() > MOST_BYTES:
                reason = f"the files at commit {commit} are larger than {MOST_BYTES // 2**20} MB"
                raise StepFailed(reason, "keep data out of the repository: it arrives as blobs")
    return contents.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write the regular files of a snapshot below `folder`; `StepFailed` for anything else in it."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:") as entries:
        for entry in entries:
            content = entries.extractfile(entry) if entry.isfile() else None
            if content is None or not all(_is_plain(part) for part in entry.name.split("/")):
                raise StepFailed(f"the snapshot holds {entry.name!r}, which is not a plain file", "push it as a file")
            target = folder / entry.name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("xb") as file:
                file.write(content.read())
            target.chmod(0o755 if entry.mode & 0o100 else 0o644)


def _folder(repo: "Repo", commit: str, path: str) -> "Tree":
    from dulwich.objects import Commit, Tree

    found = repo[commit.encode()]
    assert isinstance(found, Commit)
    tree = repo[found.tree]
    for part in [part for part in path.split("/") if part not in ("", ".")]:
        assert isinstance(tree, Tree)
        if part.encode() not in tree or not stat.S_ISDIR(tree[part.encode()][0]):
            raise StepFailed(f"there is no folder {path!r} at commit {commit}", "correct `path` in the projects file")
        tree = repo[tree[part.encode()][1]]
    assert isinstance(tree, Tree)
    return tree


def _files(repo: "Repo", tree: "Tree", above: str) -> Iterator[tuple[str, bool, bytes]]:
    from dulwich.objects import Tree

    for raw, mode, child in tree.items():
        name = raw.decode("utf-8", "surrogateescape")
        path = f"{above}{name}"
        if not _is_plain(name):
            raise StepFailed(f"{path!r} is not a name that a file here may have", "rename it and push again")
        if stat.S_ISDIR(mode):
            folder = repo[child]
            assert isinstance(folder, Tree)
            yield from _files(repo, folder, f"{path}/")
        elif stat.S_ISREG(mode):
            yield path, bool(mode & 0o100), child
        else:
            kind = "a symbolic link" if stat.S_ISLNK(mode) else "a submodule"
            raise StepFailed(f"{path} is {kind}, which is never followed", f"commit the files of {path} in its place")


def _is_plain(name: str) -> bool:
    """Say whether one part of a path stays where it is put."""
    if name.lower() in ("", ".", "..", ".git") or any(ord(char) < 32 or 0xDC80 <= ord(char) <= 0xDCFF for char in name):
        return False
    return "/" not in name and "\\" not in name
