"""What a job finds in its folder: the code at the commit, the data of the data version, its inputs."""

import hashlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared.backends.local import trees
from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.environments import Environment
from shared.backends.local.snapshots import unpack
from shared.errors import StepFailed
from shared.ports import Blob, JobSpec

WORKED_IN = ("code", "data", "inputs", "outputs", "home", "tmp", "work", "job.json")
NEEDED_NO_MORE = ("data", "home", "tmp", "work")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def job_folder(state: Path, name: str) -> Path:
    """Return where a job lives; `StepFailed` for a name that is no plain name."""
    if not NAME.fullmatch(name):
        raise StepFailed(f"{name!r} is not the name of a job", "names are <release>-<step>-<round>")
    return state / "jobs" / name


def prepare(state: Path, spec: JobSpec) -> Path:
    """Fill the job's folder, empty but for its own records, and return it."""
    folder = job_folder(state, spec.name)
    clear(folder, WORKED_IN)
    for name in ("code", "data", "inputs", "outputs", "home", "tmp"):
        (folder / name).mkdir()
    if spec.code:
        unpack(FileArtifacts(state).get_now(spec.code), folder / "code")
    for blob in spec.data:
        _fetch(state, blob, folder / "data")
    for name, reference in spec.inputs.items():
        _resolve(state, name, reference, folder / "inputs")
    return folder


def clear(folder: Path, names: tuple[str, ...]) -> None:
    """Remove what a job worked in."""
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_job(folder: Path, spec: JobSpec, environment: Environment) -> None:
    """Write job.json, all that a job's script reads of us; paths are absolute."""
    inputs = {name: str(folder / "inputs" / name) for name in spec.inputs}
    paths: dict[str, str | Mapping[str, str]] = {name: str(folder / name) for name in ("code", "data", "outputs")}
    job = {
        "name": spec.name,
        "kind": spec.kind,
        "project": spec.project,
        "release": spec.release,
        "step": spec.step,
        "settings": msgspec.Raw(spec.settings.encode()),
        "paths": {**paths, "inputs": inputs},
        "python": str(environment.python),
        "environment": {"key": environment.key, "lock": environment.lock},
    }
    (folder / "job.json").write_bytes(msgspec.json.encode(job))


def etag(found: os.stat_result) -> str:
    """Return the ETag of a blob kept as a file; the local blob endpoint uses the same formula."""
    return hashlib.sha256(f"{found.st_mtime_ns}-{found.st_size}".encode()).hexdigest()[:16]


def _fetch(state: Path, blob: Blob, data: Path) -> None:
    """Copy one blob; `StepFailed` when it is not, or no longer, the one of the data version."""
    source = trees.below(state / "data", f"{blob.container}/{blob.name}")
    target = trees.below(data, blob.name)
    advice = f"a release with the data as it is now opens by itself, or put {blob.name} again"
    if not source.is_file():
        gone = f"put {blob.name} again: what arrived once stays part of the data until something replaces it"
        raise StepFailed(f"{blob.name} is no longer in container {blob.container}", gone)
    if target.exists():
        raise StepFailed(f"two blobs of this data version are called {blob.name}", "give one of them another name")
    trees.copy(source, target)
    # Looked at after the copy: a change during it is seen too.
    found = source.stat()
    if (found.st_size, etag(found)) != (blob.size, blob.etag) or target.stat().st_size != blob.size:
        raise StepFailed(f"{blob.name} in container {blob.container} has changed since this data version", advice)


def _resolve(state: Path, name: str, reference: str, inputs: Path) -> None:
    target = trees.below(inputs, name)
    kind, _, rest = reference.partition(":")
    if kind == "job":
        trees.copy(job_output(state, rest), target)
    elif kind == "image":
        from shared.backends.local.layers import unpacked

        target.write_bytes(msgspec.json.encode(unpacked(state, rest).descriptor()))
    else:
        raise StepFailed(f"input {name} is {reference!r}", "inputs are job:<name>/<path> or image:<digest>")


def job_output(state: Path, reference: str) -> Path:
    """Return what `<job name>/<path>` names in the outputs of a completed job; `StepFailed` when it is not there."""
    name, _, path = reference.partition("/")
    found = trees.below(job_folder(state, name) / "outputs", path)
    if not found.exists():
        raise StepFailed(f"job {name} left no {path}", f"see the log of {name}")
    return found
