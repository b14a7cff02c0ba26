"""The Python environment of a project: its requirements and ours, resolved to a hashed lock, built once per lock.

The bytecode in it does not depend on times or on where it was built, so that a layer made of it is reproducible.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.backends import requirements as requirements_file
from shared.backends.local import trees
from shared.backends.local.durable import locked, sync_tree, write_durably
from shared.backends.local.processes import ROOT, own_environment
from shared.backends.local.tarballs import WrittenLayer, write_layer
from shared.errors import StepFailed

OURS = ROOT / "shared" / "jobs" / "requirements.in"
IN_IMAGE = "/opt/dependencies"
BUILD_SECONDS = 1800
NOTES_OF_UV = re.compile(r"^\s*(#|--hash)|^Resolved |^warning:|No solution found when resolving dependencies")
FRAME = " \u00d7\u2570\u2500\u25b6\u2502"
"""What uv draws around its words."""

LAYOUT = "2"
"""Changed with what is kept beside an environment, so that one an older version built is never misread."""

Log = Callable[[str], None]


class Environment(Struct, frozen=True):
    """A built environment: `lock` is the SHA-256 of its lock file, `site` holds its packages.

    `layer` is what it becomes in an image, written before any project's code could change the environment.
    """

    key: str
    lock: str
    python: Path
    site: Path
    layer: WrittenLayer


class _Built(Struct, frozen=True):
    """What is kept beside a built environment."""

    lock: str
    python: str
    site: str
    layer: WrittenLayer


def ensure(state: Path, code: Path, requirements: str, log: Log, ours: Path = OURS) -> Environment:
    """Return the environment for the requirements file of a code folder, building it at its first use.

    `StepFailed` when the file is missing or asks for more than packages, or when no set of versions fits.
    """
    wanted, needed = requirements_file.read(code, requirements), ours.read_text("utf-8")
    key = hashlib.sha256(f"{LAYOUT}\0{wanted}\0{needed}\0{platform.python_version()}".encode()).hexdigest()[:32]
    folder = state / "envs" / key
    if not (folder / "built.json").is_file():
        with locked(folder.with_suffix(".lock"), BUILD_SECONDS, lambda: log("waiting: another job is building it")):
            if not (folder / "built.json").is_file():
                log("building the environment (first time for this lock)")
                _build(folder, (wanted, needed), log)
                log("the environment is built")
    built = msgspec.json.decode((folder / "built.json").read_bytes(), type=_Built)
    return Environment(key, built.lock, folder / built.python, folder / built.site, built.layer)


def bare_python(state: Path) -> Path:
    """Return the interpreter of an environment that holds nothing: what runs in it comes from image layers only."""
    folder = state / "envs" / f"bare-{platform.python_version()}"
    with locked(folder.with_suffix(".lock"), 60.0):
        if not (folder / "bin" / "python").exists():
            _uv(["venv", "--quiet", "--clear", "--no-project", "--python", _base_python(), str(folder)])
    return folder / "bin" / "python"


def _build(folder: Path, texts: Sequence[str], log: Log) -> None:
    """Make the environment beside its place, then move it there: a half-built one is never used."""
    building = folder.with_suffix(".building")
    shutil.rmtree(building, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)
    building.mkdir(parents=True, mode=0o700)
    sources = []
    for name, text in zip(("project.in", "signalbox.in"), texts, strict=True):
        (building / name).write_text(text, "utf-8")
        sources.append(name)
    _uv(["venv", "--quiet", "--relocatable", "--no-project", "--python", _base_python(), "venv"], building)
    python = building / "venv" / "bin" / "python"
    compiling = ["pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]
    try:
        _uv([*compiling, "--python", str(python), "--output-file", "lock.txt", *sources], building)
    except StepFailed as failure:
        # The resolver calls both "you": a person knows only what they wrote themselves.
        needed = ", ".join(line for _, line in requirements_file.lines(texts[1]))
        raise StepFailed(failure.reason, f"{failure.advice}; what runs them needs {needed} beside them") from None
    lock = (building / "lock.txt").read_bytes()
    log(f"{len(re.findall(rb'^[A-Za-z0-9]', lock, re.M))} packages")
    # Hard links would let what runs in this environment write into the cache that all others are made from.
    syncing = ["pip", "sync", "--quiet", "--require-hashes", "--allow-empty-requirements", "--link-mode", "copy"]
    _uv([*syncing, "--python", str(python), "lock.txt"], building)
    site = _site(building / "venv")
    _compile(python, site)
    digest = f"sha256:{hashlib.sha256(lock).hexdigest()}"
    built = _Built(digest, "venv/bin/python", str(site.relative_to(building)), _layer(building, site))
    sync_tree(building)
    write_durably(building / "built.json", msgspec.json.encode(built))
    building.rename(folder)


def _layer(building: Path, site: Path) -> WrittenLayer:
    files = [(f"{IN_IMAGE[1:]}/{name}", path) for name, path in trees.files(site)]
    return write_layer(building / "layer.tar.gz", files)


def _site(venv: Path) -> Path:
    (site,) = venv.glob("lib/python*/site-packages")
    return site


def _compile(python: Path, site: Path) -> None:
    # A file of a package that is not valid Python for this version (a template) is no failure of ours.
    flags = ["-q", "-q", "-j", "2", "--invalidation-mode", "unchecked-hash", "-s", str(site), "-p", IN_IMAGE]
    environment = {"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"}
    subprocess.run([python, "-I", "-m", "compileall", *flags, str(site)], check=False, env=environment)


def _base_python() -> str:
    return str(getattr(sys, "_base_executable", sys.executable))


def _uv(arguments: Sequence[str], folder: Path | None = None) -> None:
    """Run uv with the person's own configuration; `StepFailed` with its last lines when it says no."""
    from uv import find_uv_bin

    command = [find_uv_bin(), *arguments]
    try:
        ended = subprocess.run(
            command,
            cwd=folder,
            env=own_environment(),
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        reason = f"building the environment did not end within {BUILD_SECONDS // 60} minutes"
        raise StepFailed(
            reason, "check this machine's access to the package index, then open the release again"
        ) from None
    if ended.returncode != 0:
        lines = [line.strip(FRAME) for line in ended.stderr.splitlines() if line.strip()]
        told = " ".join(line.removeprefix("cause: ") for line in lines[-8:] if not NOTES_OF_UV.search(line))
        reason = f"the requirements could not be made into an environment: {told[-800:]}"
        raise StepFailed(reason, "change the versions the project asks for, or this machine's package index")
