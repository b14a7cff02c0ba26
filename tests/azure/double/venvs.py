"""Environments as a compute target builds them: a venv made by uv from the registered conda and pip specification.

Assumed: packages that conda would bring have the same name and version for pip; the interpreter is the one that runs
this double, whatever version is asked for, because only that one is here. Docker images are named and never pulled.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

BASE = str(getattr(sys, "_base_executable", sys.executable))
CONDAS_OWN = ("python", "pip", "setuptools", "wheel")
Say = Callable[[str], None]


class BuildFailed(Exception):
    """An environment cannot be made; the text is what the build printed."""


def packages(environment: dict[str, Any]) -> list[str]:
    """Return the requirements of an environment as pip takes them, sorted."""
    found: list[str] = []
    for each in (environment.get("python") or {}).get("condaDependencies", {}).get("dependencies", []):
        if isinstance(each, dict):
            found += each.get("pip", [])
        else:
            name, version = [*re.split(r"=+", each, maxsplit=1), ""][:2]
            exact = version if not version or version[0] in "<>" or version.endswith("*") else f"{version}.*"
            found += [] if name.strip() in CONDAS_OWN else [f"{name}=={exact}" if exact else name]
    return sorted(found)


def interpreter(folder: Path, environment: dict[str, Any], say: Say, present: str = "") -> Path:
    """Return the Python of an environment, built at its first use; `present` is taken for every one instead."""
    if present or (environment.get("python") or {}).get("userManagedDependencies"):
        return Path(present or sys.executable)
    wanted = packages(environment)
    key = hashlib.sha256(json.dumps([wanted, sys.version]).encode()).hexdigest()[:20]
    venv = folder / key
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "built").exists():
            _build(venv, wanted, say)
    return venv / "bin" / "python"


def _build(venv: Path, wanted: list[str], say: Say) -> None:
    from uv import find_uv_bin

    shutil.rmtree(venv, ignore_errors=True)
    for command in (
        ["venv", "--quiet", "--no-project", "--python", BASE, str(venv)],
        ["pip", "install", "--quiet", "--python", str(venv / "bin" / "python"), "--compile-bytecode", *wanted],
    ):
        say(f"uv {' '.join(command[:2])}")
        surroundings = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        ended = subprocess.run([find_uv_bin(), *command], env=surroundings, capture_output=True, text=True, check=False)
        say(ended.stderr)
        if ended.returncode:
            raise BuildFailed(ended.stderr.strip())
    (venv / "built").touch()
