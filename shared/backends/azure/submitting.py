"""What is sent for a run: one folder with the commit's code, our job scripts, job.json, and the live model if asked.

Nothing in it is secret: how the data are read stands in the run's own environment variables.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.backends.azure import names
from shared.backends.local.snapshots import unpack
from shared.ports import Artifacts, JobSpec

SCRIPT = "signalbox/on_azure.py"
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc")


class Champion(Struct, frozen=True):
    """The live model as it was packaged: its manifest, and what that names."""

    manifest: bytes
    code: bytes
    requirements: bytes
    schema: bytes


class Parts(Struct, frozen=True):
    """The bytes a source folder is made of; champions by the name of the input they are."""

    code: bytes
    champions: Mapping[str, Champion]


async def parts(artifacts: Artifacts, spec: JobSpec) -> Parts:
    """Fetch what a job names by digest."""
    images = {name: told.removeprefix("image:") for name, told in spec.inputs.items() if told.startswith("image:")}
    champions = {name: await _champion(artifacts, digest) for name, digest in images.items()}
    return Parts(await artifacts.get(spec.code) if spec.code else b"", champions)


async def _champion(artifacts: Artifacts, digest: str) -> Champion:
    manifest = await artifacts.get(digest)
    told = msgspec.json.decode(manifest, type=dict[str, Any])
    return Champion(
        manifest,
        await artifacts.get(told["code"]),
        await artifacts.get(told["requirements"]),
        told["schema"].encode(),
    )


@contextlib.contextmanager
def source_folder(state: Path, scripts: Path, spec: JobSpec, given: Parts) -> Iterator[Path]:
    """Yield a folder that holds all a run of this job needs; it is removed afterwards."""
    place = state / "submitted"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix=f"{spec.name}-", dir=place))
    try:
        _fill(folder / "code", given.code)
        shutil.copytree(scripts, folder / "signalbox", ignore=LEFT_OUT)
        for name, champion in given.champions.items():
            _write_champion(folder / "champion" / name, champion)
        (folder / "job.json").write_bytes(job_json(spec))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def job_json(spec: JobSpec) -> bytes:
    """Return what the run reads of the job: as any job's script does, and what the run fetches before it."""
    paths: dict[str, str | Mapping[str, str]] = {name: name for name in ("code", "data", "outputs")}
    told: dict[str, Any] = {
        "name": spec.name,
        "kind": spec.kind,
        "project": spec.project,
        "release": spec.release,
        "step": spec.step,
        "settings": msgspec.Raw(spec.settings.encode()),
        "paths": {**paths, "inputs": {name: f"inputs/{name}" for name in spec.inputs}},
        "data": msgspec.to_builtins(spec.data),
        "inputs": dict(spec.inputs),
        "seconds": spec.seconds,
    }
    if spec.kind == "try":
        service, version = names.asked_by_key(spec.release, spec.project, spec.step)
        told["service"] = {"name": service, "version": version}
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def _fill(folder: Path, archive: bytes) -> None:
    folder.mkdir(parents=True)
    if archive:
        unpack(archive, folder)


def _write_champion(folder: Path, champion: Champion) -> None:
    _fill(folder / "code", champion.code)
    (folder / "manifest.json").write_bytes(champion.manifest)
    (folder / "requirements.txt").write_bytes(champion.requirements)
    (folder / "schema.json").write_bytes(champion.schema)
