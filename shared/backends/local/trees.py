"""Folders that somebody else's code wrote: copied, digested and read without ever following a link."""

import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from shared.errors import StepFailed

LARGEST_ANSWER = 32 * 1024 * 1024


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield (relative posix path, path) of every file, sorted; `StepFailed` names what is not a plain file."""
    found = []
    for parent, folders, names in os.walk(folder):
        for name in [*folders, *names]:
            path = Path(parent, name)
            mode = path.lstat().st_mode
            relative = path.relative_to(folder).as_posix()
            if stat.S_ISREG(mode):
                found.append((relative, path))
            elif not stat.S_ISDIR(mode):
                kind = "a symbolic link" if stat.S_ISLNK(mode) else "a special file"
                raise StepFailed(f"{relative} is {kind}, which is never followed", "write plain files only")
    yield from sorted(found)


def copy(source: Path, target: Path) -> None:
    """Copy a file or a folder of plain files; `target` must not exist."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if stat.S_ISREG(source.lstat().st_mode):
        shutil.copyfile(source, target, follow_symlinks=False)
        return
    target.mkdir()
    for relative, path in files(source):
        (target / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target / relative, follow_symlinks=False)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_digest(folder: Path) -> str:
    """Return `sha256:` of the sorted lines `<relative path> NUL <sha256 hex> LF`: what the training job gives."""
    whole = hashlib.sha256()
    for relative, path in files(folder):
        whole.update(f"{relative}\0{file_digest(path)}\n".encode())
    return f"sha256:{whole.hexdigest()}"


def read_answer(path: Path) -> bytes | None:
    """Return a small plain file; None when there is none, or when it is a link, or larger than any answer is."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST_ANSWER:
            return None
        return file.read()


def below(folder: Path, path: str) -> Path:
    """Return `folder/path`; `StepFailed` when that is not within the folder or passes through a link."""
    found = folder
    for part in path.split("/"):
        if part in ("", ".", "..") or "\0" in part:
            raise StepFailed(f"{path!r} is not a path within {folder.name}", "use plain names, separated by /")
        found = found / part
        if found.is_symlink():
            raise StepFailed(f"{path} is a symbolic link, which is never followed", "write plain files only")
    return found
