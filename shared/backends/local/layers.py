"""Layers of images, unpacked once, by digest."""

import shutil
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.backends.local import trees
from shared.backends.local.durable import locked, sync_folder, sync_tree
from shared.backends.local.environments import bare_python
from shared.backends.local.oci import LAYER, Descriptor, Layout, layout_of
from shared.errors import Unavailable


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


def unpacked(state: Path, digest: str) -> Unpacked:
    """Unpack the image of a manifest digest; `NotFound` when there is none."""
    layout = layout_of(state, digest)
    manifest = layout.manifest(digest)
    folders = [_unpack(state, layout, layer) for layer in manifest.layers]
    config = msgspec.json.decode(layout.get(manifest.config.digest))["config"]
    environment = dict(pair.split("=", 1) for pair in config["Env"])
    places = {name: _place(folders, value) for name, value in environment.items()}
    return Unpacked(str(bare_python(state)), places, config.get("Labels") or {})


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
    with locked(target.with_suffix(".lock"), 300.0):
        if not target.is_dir():
            if layer.media_type != LAYER:
                raise Unavailable(f"layer {layer.digest} is of the unknown kind {layer.media_type}")
            if trees.file_digest(path) != path.name:
                raise Unavailable(
                    f"the stored bytes of layer {layer.digest} were changed; restore {path} from a backup"
                )
            _unpack_now(path, target)
    return target


def _unpack_now(path: Path, target: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=".new-"))
    try:
        with tarfile.open(path, mode="r|gz") as archive:
            for entry in archive:
                _write(archive, entry, temporary)
        sync_tree(temporary)
        temporary.rename(target)
        sync_folder(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


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
