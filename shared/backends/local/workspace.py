"""What a job finds in its folder: the code at the commit, the data of the data version, its inputs."""

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import msgspec

from shared.backends.local import stored, trees
from shared.backends.local.environments import Environment
from shared.backends.local.snapshots import unpack
from shared.errors import StepFailed
from shared.ports import JobSpec

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
        unpack(stored.artifact(state, spec.code), folder / "code")
    for blob in spec.data:
        stored.fetch(state, blob, folder / "data")
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


def _resolve(state: Path, name: str, reference: str, inputs: Path) -> None:
    target = trees.below(inputs, name)
    kind, _, rest = reference.partition(":")
    if kind == "job":
        trees.copy(job_output(state, rest), target)
    elif kind == "version":
        from shared.backends.local.registry import model_source

        trees.copy(model_source(state, reference)[0], target)
    elif kind == "image":
        from shared.backends.local.layers import unpacked

        target.write_bytes(msgspec.json.encode(unpacked(state, rest).descriptor()))
    else:
        raise StepFailed(
            f"input {name} is {reference!r}", "inputs are job:<name>/<path>, version:<name>:<number> or image:<digest>"
        )


def job_output(state: Path, reference: str) -> Path:
    """Return what `<job name>/<path>` names in the outputs of a completed job; `StepFailed` when it is not there."""
    name, _, path = reference.partition("/")
    found = trees.below(job_folder(state, name) / "outputs", path)
    if not found.exists():
        raise StepFailed(f"job {name} left no {path}", f"see the log of {name}")
    return found
