"""The files of the app as the Functions host reads them: host.json, the Python, and what would be deployed."""

import json
import platform
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from tools.doctor.finding import Finding
from tools.local.host_json import seconds
from tools.package import archive

BUNDLE = "Microsoft.Azure.Functions.ExtensionBundle"
VERSIONS = "[4.*, 5.0.0)"
LOUD = {"Debug", "Trace"}
LONGEST = 30 * 60
"""Seconds that an app on a plan of its own may give a function by default; on Consumption it is 10 minutes."""


def examine(house: Path) -> Iterator[Finding]:
    """Return every finding about the files of an app."""
    yield python()
    yield from host(house)
    yield packed(house)


def python() -> Finding:
    """Look whether the Python and its azure-functions are a pair that Azure runs: 1.x up to 3.12, 2.x from 3.13 on."""
    try:
        installed = version("azure-functions")
    except PackageNotFoundError:
        return Finding("python", "azure-functions is not installed", "make setup")
    told = f"{platform.python_version()} with azure-functions {installed}"
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        return Finding("python", f"{told}: the app runs on 3.11, 3.12 and 3.13", "make setup PYTHON=python3.12")
    fits = installed.split(".")[0] == ("2" if sys.version_info >= (3, 13) else "1")
    return Finding("python", told, "" if fits else "make setup installs the one that belongs to this Python")


def host(house: Path) -> Iterator[Finding]:
    """Look at host.json."""
    path = house / "host.json"
    try:
        raw = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        yield Finding("host.json", f"it cannot be read: {error}", f"put {path} back")
        return
    wrong = [*_bundle(raw), *_queues(raw), *_times(raw), *_logging(raw)]
    yield from (Finding("host.json", found, do) for found, do in wrong)
    if not wrong:
        yield Finding(
            "host.json",
            f"extension bundle {VERSIONS}, messages in base64, no more than {raw['functionTimeout']} a function",
        )


def _bundle(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    bundle = raw.get("extensionBundle") or {}
    if bundle.get("id") != BUNDLE or bundle.get("version") != VERSIONS:
        told = " ".join(str(bundle.get(key, "")) for key in ("id", "version")).strip() or "none"
        yield (
            f"the extension bundle is {told}: only {VERSIONS} is still mended",
            f'"extensionBundle": {{"id": "{BUNDLE}", "version": "{VERSIONS}"}}',
        )


def _queues(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    queues = raw.get("extensions", {}).get("queues", {})
    if queues.get("messageEncoding", "base64") != "base64":
        yield (
            f"messageEncoding is {queues['messageEncoding']!r}: orders are sent in base64",
            '"messageEncoding": "base64"',
        )
    if int(queues.get("maxDequeueCount", 5)) < 2:
        yield "maxDequeueCount is under 2: an order whose worker dies once is given up", '"maxDequeueCount": 5'


def _times(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    told = str(raw.get("functionTimeout", "-1"))
    try:
        bounded = 0 < seconds(told) <= LONGEST
    except ValueError:
        bounded = False
    if not bounded:
        yield f"functionTimeout is {told}: a step that hangs must be ended", '"functionTimeout": "00:10:00"'


def _logging(raw: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    levels = raw.get("logging", {}).get("logLevel", {})
    for name, level in levels.items():
        if level in LOUD:
            yield f"{name} is logged at {level}, with addresses that hold keys", f'"{name}": "Information"'
    if levels.get("Azure", levels.get("default")) not in ("Warning", "Error", "Critical", "None"):
        yield "the SDKs log every request", '"logging": {"logLevel": {"Azure": "Warning"}}'


def packed(house: Path) -> Finding:
    """Look at what a deployment would take."""
    try:
        names = archive.chosen(house)
    except (archive.NoPackage, OSError) as error:
        return Finding("package", str(error), f"mend {archive.IGNORE}")
    wrong = [*archive.strangers(names), *archive.links(house, names), *archive.missing(house)]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if wrong[1:] else ""
        return Finding("package", f"{wrong[0]}{more}", "mend it, then: make package")
    return Finding("package", f"{len(names)} files would be deployed; make package tries them on Microsoft's worker")
