"""Blobs as files under STATE/data, reached without following any link."""

import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from stat import S_ISREG

from tools.local.blobs import PIECE, UNFINISHED, Blob


class Folder:
    """The place of blobs that are files below one folder."""

    def __init__(self, data: Path) -> None:
        self._data = data
        data.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, draft: Path, parts: Sequence[str]) -> Blob:
        """Move the file `draft` to `parts`; FileExistsError and the like where there is something else."""
        with _folder(self._data, parts[:-1], make=True) as folder:
            with suppress(FileNotFoundError):
                found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
                if not S_ISREG(found.st_mode):
                    raise IsADirectoryError(parts[-1])
            os.rename(draft, parts[-1], dst_dir_fd=folder)
            os.fsync(folder)
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        return Blob(parts[0], "/".join(parts[1:]), found.st_mtime_ns, found.st_size)

    def read(self, parts: Sequence[str], whole: bool) -> tuple[Blob, Iterator[bytes] | None]:
        """Return a blob and, if `whole`, its bytes piece by piece."""
        with _folder(self._data, parts[:-1], make=False) as folder:
            try:
                handle = os.open(parts[-1], os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
            except OSError as error:
                raise FileNotFoundError(parts[-1]) from error
        found = os.fstat(handle)
        if not S_ISREG(found.st_mode):
            os.close(handle)
            raise FileNotFoundError(parts[-1])
        blob = Blob(parts[0], "/".join(parts[1:]), found.st_mtime_ns, found.st_size)
        if not whole:
            os.close(handle)
        return blob, _pieces(handle, blob.size) if whole else None

    def blobs(self) -> Iterator[Blob]:
        """Return every blob below the folder."""
        return blobs_in(self._data)


def blobs_in(data: Path) -> Iterator[Blob]:
    """Every regular file below a container folder; hidden, unfinished and linked ones are left out."""
    for container in _entries(data):
        if container.is_dir(follow_symlinks=False):
            yield from _below(container.path, container.name, "")


def _below(folder: str, container: str, prefix: str) -> Iterator[Blob]:
    for entry in _entries(Path(folder)):
        if entry.is_dir(follow_symlinks=False):
            yield from _below(entry.path, container, f"{prefix}{entry.name}/")
        elif entry.is_file(follow_symlinks=False) and not entry.name.endswith(UNFINISHED):
            with suppress(FileNotFoundError):
                found = entry.stat(follow_symlinks=False)
                yield Blob(container, prefix + entry.name, found.st_mtime_ns, found.st_size)


def _entries(folder: Path) -> Sequence[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted((one for one in found if not one.name.startswith(".")), key=lambda one: one.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


@contextmanager
def _folder(data: Path, parts: Sequence[str], make: bool) -> Iterator[int]:
    """A handle on a folder below `data`, reached without following any link."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    handle = os.open(data, flags)
    try:
        for part in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=handle)
                    os.fsync(handle)
            deeper = os.open(part, flags, dir_fd=handle)
            os.close(handle)
            handle = deeper
        yield handle
    finally:
        os.close(handle)


def _pieces(handle: int, size: int) -> Iterator[bytes]:
    with closing(os.fdopen(handle, "rb")) as file:
        while size > 0 and (piece := file.read(min(PIECE, size))):
            size -= len(piece)
            yield piece
