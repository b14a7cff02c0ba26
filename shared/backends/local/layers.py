"""Layers of images: written so that the same files are the same bytes, and unpacked once, by digest."""

import gzip
import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import msgspec
from msgspec import Struct

from shared.backends.local.durable import sync_folder
from shared.backends.local.environments import bare_python
from shared.backends.local.oci import LAYER, Descriptor, Layout, layout_of
from shared.errors import Unavailable


class WrittenLayer(Struct, frozen=True):
    """A layer on disk: `digest` of the compressed file, `diff` of the tar in it, `size` of the file in bytes."""

    digest: str
    diff: str
    size: int


class Unpacked(Struct, frozen=True):
    """An image whose layers are unpacked: its environment with paths of this machine, and an interpreter for it."""

    python: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]

    def descriptor(self) -> Mapping[str, Any]:
        """Return what a job needs to score with the model in the image."""
        return {
            "python": self.python,
            "path": [self.environment["PYTHONPATH"]],
            "score": self.environment["SIGNALBOX_SCORE"],
            "model_dir": self.environment["AZUREML_MODEL_DIR"],
            "schema": self.environment["SIGNALBOX_SCHEMA"],
        }


class _Hashing:
    """A file whose bytes are digested as they pass."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        self._hash.update(content)
        self.size += len(content)
        return self._file.write(content)

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self._hash.update(content)
        return content

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


def unpacked(state: Path, digest: str) -> Unpacked:
    """Unpack the image of a manifest digest; `NotFound` when there is none."""
    layout = layout_of(state, digest)
    manifest = layout.manifest(digest)
    folders = [_unpack(state, layout, layer) for layer in manifest.layers]
    config = msgspec.json.decode(layout.get(manifest.config.digest))["config"]
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    places = {name: _place(folders, value) for name, value in environment.items()}
    return Unpacked(str(bare_python(state)), places, config.get("Labels") or {})


def _add(archive: tarfile.TarFile, name: str, path: Path) -> None:
    entry = tarfile.TarInfo(name)
    with path.open("rb") as content:
        found = os.fstat(content.fileno())
        entry.size, entry.mode = found.st_size, 0o755 if found.st_mode & 0o100 else 0o644
        archive.addfile(entry, content)


def _place(folders: list[Path], value: str) -> str:
    """Return where a path of the image is on this machine; what is no path in it stays as it is."""
    if value.startswith("/"):
        for folder in reversed(folders):
            if (folder / value[1:]).exists():
                return str(folder / value[1:])
    return value


def _unpack(state: Path, layout: Layout, layer: Descriptor) -> Path:
    """Unpack one layer unless it is there; it appears whole and verified, or not at all."""
    path = layout.path(layer.digest)
    target = state.absolute() / "layers" / path.name
    if target.is_dir():
        return target
    if layer.media_type != LAYER:
        raise Unavailable(f"layer {layer.digest} is of the unknown kind {layer.media_type}")
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    try:
        with path.open("rb") as file:
            hashing = _Hashing(file)
            with tarfile.open(fileobj=hashing, mode="r|gz") as archive:  # type: ignore[call-overload]
                for entry in archive:
                    _write(archive, entry, temporary)
            while hashing.read(1024 * 1024):
                pass
        if hashing.digest() != layer.digest:
            raise Unavailable(f"the stored bytes of layer {layer.digest} were changed; restore {path} from a backup")
        if not target.is_dir():
            temporary.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    content = archive.extractfile(entry) if entry.isreg() else None
    if content is None or any(part in ("", ".", "..") for part in entry.name.split("/")):
        raise Unavailable(f"the layer holds {entry.name!r}, which is no plain file")
    target = folder / entry.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        shutil.copyfileobj(content, file)
    # Layers are shared by every slot that has them: nobody writes to them.
    target.chmod(0o555 if entry.mode & 0o100 else 0o444)
