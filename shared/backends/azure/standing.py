"""How a service of Azure ML stands, in our words, and what its containers printed.

A service and a version of an endpoint are the same to this module.
"""

import re
from collections.abc import Callable
from typing import Any

from shared.backends.azure.manifest import FOLDER
from shared.errors import SignalboxError
from shared.ports import Service, ServiceStatus

PACKAGE, RELEASE, SLOT = "package", "release", "slot"
STATES: dict[str, ServiceStatus] = {
    "Transitioning": "starting",
    "Healthy": "answering",
    "Unhealthy": "failed",
    "Failed": "failed",
    "Unschedulable": "failed",
    "Deleting": "stopped",
}
LINES, TAIL = 200, 1500
_FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')
CODE = f"/{FOLDER}/code/"

Read = Callable[[], str]
"""Asks for what the containers printed."""


def standing(slot: str, found: Any, read: Read) -> Service:
    """Say how a slot stands; the containers' output is asked for only where it says something."""
    status = STATES.get(found.state, "starting")
    image = str((found.properties or {}).get(PACKAGE, ""))
    if status == "answering":
        return Service(slot, status, image, found.scoring_uri or "", seconds(found), raised(_output(read)))
    if status != "failed":
        return Service(slot, status, image)
    said = words(found.error) or f"its state is {found.state}"
    output = _output(read)
    why = raised(output) or output[-TAIL:].strip()
    return Service(slot, status, image, seconds=seconds(found), log=f"{said}; its log ends: {why}" if why else said)


def words(error: Any) -> str:
    """Return what the service says of a failure, the deepest last."""
    told = error or {}
    parts = [told, *(told.get("details") or [])]
    found = [
        f"{each.get('code', '')}: {' '.join(str(each['message']).split())}" for each in parts if each.get("message")
    ]
    return "; ".join(found)


def seconds(found: Any) -> float:
    """Return how long it took from its creation to how it is now, as the service's own clock has it."""
    if not found.created_time or not found.updated_time:
        return 0.0
    return float(max(0.0, (found.updated_time - found.created_time).total_seconds()))


def raised(output: str) -> str:
    """Return what the project's code raised last, like `KeyError: 'bmi' (score.py:18)`; empty when nothing."""
    place, found = "", ""
    for line in output.splitlines():
        if frame := _FRAME.match(line):
            if CODE in frame["file"]:
                place = f"{frame['file'].partition(CODE)[2]}:{frame['line']}"
        elif place and line and not line[0].isspace():
            found, place = f"{line[:300]} ({place})", ""
    return found


def _output(read: Read) -> str:
    try:
        return read()
    except SignalboxError as error:
        # How it stands is known; the log is a help.
        return f"(the log could not be read: {type(error).__name__})"
