"""Layers of images, written so that the same files are the same bytes wherever and whenever that is done."""

import gzip
import hashlib
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from msgspec import Struct


class WrittenLayer(Struct, frozen=True):
    """A layer on disk: `digest` of the compressed file, `diff` of the tar in it, `size` of the file in bytes."""

    digest: str
    diff: str
    size: int


class _Hashing:
    """A file whose bytes are digested as they pass."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        return self._file.write(content)

    def flush(self) -> None:
        self._file.flush()

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def write_layer(target: Path, files: Iterable[tuple[str, Path]]) -> WrittenLayer:
    """Write (path in the image, file) pairs as a gzipped tar: sorted, without times, owners and other accidents."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with target.open("wb") as file:
        outer = _Hashing(file)
        with gzip.GzipFile("", "wb", compresslevel=1, fileobj=outer, mtime=0) as compressed:
            inner = _Hashing(compressed)
            with tarfile.open(fileobj=inner, mode="w|", format=tarfile.PAX_FORMAT) as archive:  # type: ignore[call-overload]
                for name, path in sorted(files):
                    _add(archive, name, path)
        file.flush()
        os.fsync(file.fileno())
    return WrittenLayer(outer.digest(), inner.digest(), outer.size)


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    with path.open("rb") as content:
        found = os.fstat(content.fileno())
        entry.size, entry.mode = found.st_size, 0o755 if found.st_mode & 0o100 else 0o644
        archive.addfile(entry, content)
