"""What is kept of a slot: what is to run in it, and what came of that."""

import os
import re
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from shared.backends.local.processes import Identity
from shared.backends.local.workspace import NAME
from shared.errors import StepFailed

LONGEST_TAIL = 4000
SEARCHED = 64 * 1024
CODE = "/var/azureml-app/code/"
"""Where an image keeps the project's own files."""

_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')


class Slot(Struct, frozen=True):
    """What is to run in a slot: one image digest, for one environment of one project."""

    slot: str
    project: str
    environment: str
    release: str
    image: str


class Started(Struct, frozen=True):
    """How starting ended: `url` without a path, `who` the master of the service, `model` its `<name>:<version>`."""

    status: Literal["answering", "failed", "stopped"]
    url: str = ""
    seconds: float = 0.0
    reason: str = ""
    who: Identity | None = None
    model: str = ""


def slot_folder(state: Path, name: str) -> Path:
    """Return where a slot lives; `StepFailed` for a name that is no plain name."""
    if not NAME.fullmatch(name):
        raise StepFailed(f"{name!r} is not the name of a slot", "names are <release>-<environment>")
    return state / "services" / name


def read_slot(folder: Path) -> Slot:
    """Return what is to run in the slot."""
    return msgspec.json.decode((folder / "spec.json").read_bytes(), type=Slot)


def read_started(folder: Path) -> Started | None:
    """Return how starting ended; None while it has not."""
    try:
        return msgspec.json.decode((folder / "status.json").read_bytes(), type=Started)
    except FileNotFoundError:
        return None


def service_log(folder: Path) -> Path:
    """Return where the output of the service goes."""
    return folder / "service.log"


def raised(log: Path) -> str:
    """Return what the project's code raised last, like `KeyError: 'bmi' (score.py:18)`; empty when it raised nothing.

    The server's own frames around it and the exception it makes of it are left out.
    """
    place, found = "", ""
    for line in tail(log, SEARCHED).splitlines():
        if frame := _FRAME.match(line):
            if CODE in frame["file"]:
                place = f"{frame['file'].partition(CODE)[2]}:{frame['line']}"
        elif place and line and not line[0].isspace():
            found, place = f"{line[:300]} ({place})", ""
    return found


def tail(log: Path, most: int = LONGEST_TAIL) -> str:
    """Return the end of a log, at most 4,000 bytes of it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - most))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
