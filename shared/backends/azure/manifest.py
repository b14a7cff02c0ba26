"""A package manifest: all that is deployed for a release, by name, version and digest.

Azure ML builds the image that it deploys from a model, an environment and source, each time anew. So what is approved
is this manifest, and what is deployed is exactly what it names; an image's digest would promise what nobody deploys.
"""

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.errors import StepFailed
from shared.ports import Artifacts, ImageSpec
from shared.release.ids import canonical

ENTRY = "entry.py"
FOLDER = "signalbox"
"""What the source is called in a container; always the same, so that it changes nothing about the environment."""


class Manifest(Struct, frozen=True):
    """`digest` is the model's, `code`, `source` and `requirements` are artifacts, `schema` is JSON.

    `requirements` is the list of the packages of the environment as it was when the model was trained in it.
    """

    project: str
    release: str
    model: str
    version: int
    digest: str
    environment: str
    environment_version: str
    source: str
    code: str
    entry: str
    schema: str
    requirements: str

    def encoded(self) -> bytes:
        """Return its one form, whose digest names it."""
        return canonical(msgspec.to_builtins(self))

    def deploys(self) -> Mapping[str, str]:
        """Return what people read of it."""
        return {
            "model": f"{self.model}:{self.version}",
            "environment": f"{self.environment}:{self.environment_version}",
            "source": self.source,
        }


class Package(Struct, frozen=True):
    """A manifest with its digest, and the source it names."""

    digest: str
    manifest: Manifest
    source: bytes


async def fetch(artifacts: Artifacts, digest: str) -> Package:
    """Return what a digest names; `StepFailed` when it is no package manifest."""
    content = await artifacts.get(digest)
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise StepFailed(f"{digest} is no package manifest: {error}", "Open the release again") from error
    return Package(digest, manifest, await artifacts.get(manifest.source))


def source(spec: ImageSpec, code: bytes, scripts: Path) -> bytes:
    """Return the source of a service as a tar: the project's code, our entry, and what it enforces.

    The same bytes wherever and whenever it is made from the same.
    """
    told = {"release": spec.release, "model": spec.provenance["model"], "schema": "schema.json"}
    files = {path.name: (path.read_bytes(), 0o644) for path in scripts.glob("*.py")}
    files["serving.json"] = (json.dumps(told | {"score": f"code/{spec.entry}"}, sort_keys=True).encode(), 0o644)
    files["schema.json"] = (spec.schema.encode(), 0o644)
    with tarfile.open(fileobj=io.BytesIO(code)) as archive:
        for member in archive:
            content = archive.extractfile(member)
            if content is not None:
                files[f"code/{member.name}"] = (content.read(), member.mode)
    return _tar(files)


def _tar(files: Mapping[str, tuple[bytes, int]]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, (content, mode) in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), mode
            archive.addfile(entry, io.BytesIO(content))
    return whole.getvalue()
