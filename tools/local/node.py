"""Finds node and installs Azurite once, from its lock, into a folder of the user's cache.

Without a node on the PATH, node itself comes as a Python package, into a venv beside it.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tools.local.files import held

LOCKED = Path(__file__).parents[2] / "tests" / "azurite"
"""package.json and package-lock.json of Azurite, and node.txt, the lock of the Python package."""

OLDEST = 20
_MINUTES = 10


class NoAzurite(Exception):
    """Azurite cannot be had here; the message says why."""


def azurite_command(environment: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """The node and the script that are Azurite here; installs what is missing. Raises NoAzurite."""
    cache = _cache(environment)
    cache.mkdir(parents=True, exist_ok=True)
    with held(cache / "azurite.lock", wait=True):
        node, npm = _node_on(environment.get("PATH", "")) or _node_of_python(cache, environment)
        return node, str(_azurite(cache, node, npm, environment) / "node_modules/azurite/dist/src/azurite.js")


def _cache(environment: Mapping[str, str]) -> Path:
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME", "~")).expanduser() / ".cache")
    return Path(base) / "signalbox"


def _named(kind: str, *locked: str) -> str:
    """A folder's name that changes with what is locked."""
    content = b"".join((LOCKED / name).read_bytes() for name in locked)
    return f"{kind}-{hashlib.sha256(content).hexdigest()[:12]}"


def _node_on(path: str) -> tuple[str, str] | None:
    node, npm = shutil.which("node", path=path), shutil.which("npm", path=path)
    if node is None or npm is None:
        return None
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.match(r"v(\d+)\.", told)
    return (node, npm) if version and int(version[1]) >= OLDEST else None


def _node_of_python(cache: Path, environment: Mapping[str, str]) -> tuple[str, str]:
    folder = cache / _named("node", "node.txt")
    if not folder.exists():
        draft = folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        uv = [sys.executable, "-m", "uv"]
        # Relocatable, as it is moved once it is whole.
        _run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(draft)], cache, environment)
        install = ["pip", "install", "--quiet", "--require-hashes", "-r", str(LOCKED / "node.txt")]
        _run([*uv, *install, "--python", str(draft / "bin" / "python")], cache, environment)
        draft.rename(folder)
    return str(folder / "bin" / "node"), str(folder / "bin" / "npm")


def _azurite(cache: Path, node: str, npm: str, environment: Mapping[str, str]) -> Path:
    folder = cache / _named("azurite", "package-lock.json")
    if not folder.exists():
        draft = folder.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(LOCKED / name, draft / name)
        path = os.pathsep.join([str(Path(node).parent), environment.get("PATH", "")])
        flags = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _run([npm, "ci", *flags], draft, {**environment, "PATH": path})
        draft.rename(folder)
    return folder


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> None:
    what = " ".join([Path(command[0]).name, *command[1:3]])
    try:
        ran = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=_MINUTES * 60, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NoAzurite(f"Azurite could not be installed: `{what}` failed: {error}") from error
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip().splitlines() or ["it said nothing"]
        raise NoAzurite(f"Azurite could not be installed: `{what}` failed: {said[-1]}")
