"""Finds a Python 3.13 and makes the venv in which Microsoft's worker runs."""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.local.files import held

HOUSE = Path(__file__).resolve().parents[2]
LOCK = Path(__file__).parent / "requirements.txt"
PLACE = HOUSE / ".venv/conformance"
UV = Path(sys.executable).parent / "uv"
# Stands in tests/allowed_skips.txt, word for word.
MISSING = "Microsoft's worker needs Python 3.13, and none was found on this machine"


class NoPython313(Exception):
    """There is no Python 3.13 here."""


def workers_python() -> Path:
    """The interpreter of the worker's venv, made anew when its lock has changed; raises NoPython313."""
    return python_of(LOCK, PLACE)


def python_of(lock: Path, place: Path) -> Path:
    """The Python 3.13 of a venv that holds what a lock names, made anew when that has changed; raises NoPython313."""
    python, stamp = place / "bin/python", place / "lock.sha256"
    wanted = hashlib.sha256(lock.read_bytes()).hexdigest()
    with held(place.with_suffix(".lock"), wait=True):
        if not stamp.exists() or stamp.read_text() != wanted or not is_313(str(python)):
            _run(UV, "venv", "--quiet", "--clear", "--python", found(), place)
            _run(UV, "pip", "sync", "--quiet", "--python", python, "--require-hashes", "--compile-bytecode", lock)
            stamp.write_text(wanted)
    return python


def found() -> str:
    """The first Python 3.13 of those that may be one."""
    for candidate in _candidates():
        if is_313(candidate):
            return candidate
    raise NoPython313(MISSING)


def _candidates() -> Iterator[str]:
    yield sys.executable
    yield "python3.13"
    asked = subprocess.run([UV, "python", "find", "3.13"], capture_output=True, text=True, check=False)
    yield from asked.stdout.splitlines()
    yield from (str(one) for one in sorted(Path.home().glob(".pyenv/versions/3.13*/bin/python3.13")))


def is_313(python: str) -> bool:
    """Whether `python` runs and is a 3.13; a name on PATH may be a shim with nothing behind it."""
    if shutil.which(python) is None:
        return False
    ask = "import sys; print(*sys.version_info[:2])"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False).stdout == "3 13\n"


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, cwd=HOUSE)
