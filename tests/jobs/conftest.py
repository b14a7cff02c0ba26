"""Runs job scripts as the runner does: as processes of their own, with a project's packages and a clean environment."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

# Projects that the jobs run, and tests that run inside a project's environment.
collect_ignore = ["projects", "parts"]

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "shared" / "jobs"
SCRIPT_OF = {"try": "try_service"}


@dataclass(frozen=True)
class Ran:
    """How a job ended: exactly one of `result` and `failure` is there unless a fault of ours ended it."""

    code: int
    outputs: Path
    log: str
    result: dict[str, Any] | None
    failure: dict[str, str] | None


RunJob = Callable[..., Ran]


def clean_environment() -> dict[str, str]:
    """Return what a job sees of our environment."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}


@pytest.fixture(scope="session")
def job_python() -> str:
    """Interpreter of an environment with the jobs' requirements, built once for each text of them."""
    requirements = SCRIPTS / "requirements.in"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = Path(sys.prefix) / "jobs-test" / key
    python, ready = folder / "bin" / "python", folder / "ready"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            import uv

            tool = uv.find_uv_bin()
            passed = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
            subprocess.run([tool, "venv", "-q", "--clear", "-p", sys.executable, folder], check=True, env=passed)
            install = [tool, "pip", "install", "-q", "--compile-bytecode", "-p", python, "-r", requirements]
            subprocess.run(install, check=True, env=passed)
            ready.touch()
    return str(python)


@pytest.fixture(scope="session")
def run_job(job_python: str) -> RunJob:
    """Return how to run one job in a folder to its end."""

    def run(
        folder: Path, kind: str, code: Path, data: Path | None, settings: Mapping[str, Any], **inputs: Path | str
    ) -> Ran:
        folder.mkdir(parents=True)
        shutil.copytree(code, folder / "code")
        (folder / "data").mkdir()
        if data is not None:
            shutil.copytree(data, folder / "data", dirs_exist_ok=True)
        (folder / "outputs").mkdir()
        paths = {"code": "code", "data": "data", "outputs": "outputs"}
        told = {
            "name": f"{'0' * 20}-{kind}-1", "kind": kind, "project": "some-project", "release": "0" * 20, "step": kind,
            "settings": settings, "paths": paths | {"inputs": {name: str(path) for name, path in inputs.items()}},
            "python": job_python, "environment": {"key": "k", "lock": "l"},
        }  # fmt: skip
        (folder / "job.json").write_text(json.dumps(told))
        script = SCRIPTS / f"{SCRIPT_OF.get(kind, kind)}.py"
        ended = subprocess.run(
            [job_python, script], cwd=folder, env=clean_environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        outputs = folder / "outputs"
        return Ran(ended.returncode, outputs, ended.stdout, read(outputs, "result"), read(outputs, "failure"))

    return run


def read(outputs: Path, name: str) -> dict[str, Any] | None:
    """Return a JSON file of the outputs, None when it is not there."""
    path = outputs / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None
