"""Which packages an interpreter has: the list that names an environment, and that another is made from."""

import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

from signalbox_job.outcome import JobFailed


def packages() -> str:
    """Return `name==version` of everything installed beside this interpreter, one a line, sorted."""
    found = {
        re.sub(r"[-_.]+", "-", each.metadata["Name"]).lower(): each.version
        for each in importlib.metadata.distributions()
        if each.metadata["Name"]
    }
    return "".join(sorted(f"{name}=={version}\n" for name, version in found.items()))


def digest(listed: str) -> str:
    """Return `sha256:<hex>` of such a list."""
    return "sha256:" + hashlib.sha256(listed.encode()).hexdigest()


def interpreter(listed: str, folder: Path) -> str:
    """Return an interpreter that has exactly the packages of a list: this one, or one that is made in `folder`."""
    if digest(listed) == digest(packages()):
        return sys.executable
    from uv import find_uv_bin

    wanted = folder / "requirements.txt"
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.write_text(listed, encoding="utf-8")
    python = folder / "venv" / "bin" / "python"
    # A package that is built from its source runs code: it sees neither the run's token nor the way to the data.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AZUREML_", "SIGNALBOX_"))}
    print("the live model has another environment than this run: making it", flush=True)
    for command in (
        ["venv", "--quiet", "--no-project", "--python", sys.executable, str(folder / "venv")],
        ["pip", "install", "--quiet", "--no-deps", "--python", str(python), "--requirement", str(wanted)],
    ):
        ended = subprocess.run([find_uv_bin(), *command], env=clean, capture_output=True, text=True, check=False)
        if ended.returncode:
            said = " ".join(ended.stderr.split())[-500:]
            raise JobFailed(
                f"the environment of the live model cannot be made again: {said}",
                "See that the versions it was trained with are still to be had, or accept what cannot be compared",
            )
    return str(python)
