"""An OCI image layout on disk: blobs named by their digest, and an index that names manifests by tag."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.backends.local.durable import locked, sync_folder, write_durably
from shared.errors import NotFound, StepFailed, Unavailable

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
INDEX = "application/vnd.oci.image.index.v1+json"
TAG = "org.opencontainers.image.ref.name"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Descriptor(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What OCI calls a descriptor: a typed pointer to a blob; `size` in bytes."""

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = {}


class Manifest(Struct, frozen=True, rename="camel"):
    """An OCI image manifest."""

    config: Descriptor
    layers: Sequence[Descriptor]
    annotations: Mapping[str, str]
    schema_version: int = 2
    media_type: str = MANIFEST


class Index(Struct, frozen=True, rename="camel"):
    """The index of a layout: one manifest a tag."""

    manifests: Sequence[Descriptor] = ()
    schema_version: int = 2
    media_type: str = INDEX


class Layout:
    """The image layout of one project; safe across processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def path(self, digest: str) -> Path:
        """Return where a blob is, or would be; `NotFound` for what is no digest."""
        if not DIGEST.fullmatch(digest):
            raise NotFound(f"{digest!r} is not a digest; one looks like sha256:<64 hex digits>")
        return self._folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def put(self, content: bytes, media_type: str) -> Descriptor:
        """Store a small blob."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        write_durably(self.path(digest), content)
        return Descriptor(media_type, digest, len(content))

    def adopt(self, file: Path, digest: str) -> bool:
        """Take a file as the blob of that digest, by a hard link where there can be one; False when it was there."""
        target = self.path(digest)
        if target.exists():
            return False
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = target.with_name(f".new-{os.getpid()}-{target.name}")
        temporary.unlink(missing_ok=True)
        try:
            os.link(file, temporary)
        except OSError:
            shutil.copyfile(file, temporary)
        os.replace(temporary, target)
        sync_folder(target.parent)
        return True

    def get(self, digest: str) -> bytes:
        """Return a blob, verified; `NotFound` when it is not there."""
        path = self.path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise NotFound(f"there is no blob {digest} in {self._folder.name}") from None
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise Unavailable(f"the stored bytes of {digest} were changed; restore {path} from a backup")
        return content

    def manifest(self, digest: str) -> Manifest:
        """Return a manifest by its digest."""
        return msgspec.json.decode(self.get(digest), type=Manifest)

    def tagged(self, tag: str) -> Descriptor | None:
        """Return the manifest a tag names."""
        return next((found for found in self._index().manifests if found.annotations.get(TAG) == tag), None)

    def tag(self, tag: str, manifest: Descriptor) -> None:
        """Name a manifest; a tag is never moved, `StepFailed` when it names another one."""
        with locked(self._folder / ".lock"):
            present = self.tagged(tag)
            if present is not None and present.digest != manifest.digest:
                reason = f"{self._folder.name}:{tag} is {present.digest} already, not {manifest.digest}"
                raise StepFailed(reason, "a tag is never moved: open the release again")
            if present is None:
                named = msgspec.structs.replace(manifest, annotations={TAG: tag})
                index = Index((*self._index().manifests, named))
                write_durably(self._folder / "oci-layout", b'{"imageLayoutVersion":"1.0.0"}', 0o644)
                write_durably(self._folder / "index.json", canonical(index), 0o644)

    def _index(self) -> Index:
        try:
            return msgspec.json.decode((self._folder / "index.json").read_bytes(), type=Index)
        except FileNotFoundError:
            return Index()


def canonical(document: Any) -> bytes:
    """Return JSON that is the same bytes for the same content."""
    return msgspec.json.encode(document, order="sorted")


def layout_of(state: Path, digest: str) -> Layout:
    """Return the layout that holds a blob; `NotFound` when none does."""
    for folder in sorted((state / "images").glob("*/")):
        layout = Layout(folder)
        if layout.path(digest).exists():
            return layout
    raise NotFound(f"there is no image {digest}")
