"""What the packed code imports, held against what requirements.txt gives it."""

import ast
import functools
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import packages_distributions
from pathlib import Path

JOBS = "shared/jobs/"
"""Runs on compute, where shared/jobs/requirements.in and the project's own requirements are installed."""
LOCAL = "shared/backends/local/"
"""Works on one machine with the repository around it, and takes uv from the environment of `make setup`."""
# Imported by others: azureml-core needs `imghdr`, which Python 3.13 no longer has.
IMPORTED_BY_OTHERS = {"standard-imghdr"}


def imported(house: Path, names: Sequence[str]) -> dict[str, str]:
    """Return every module that is not ours and not Python's, with one file that imports it, lazily too."""
    found = {}
    for name in names:
        if name.endswith(".py") and not name.startswith(JOBS):
            found |= {module: name for module in _modules(ast.parse((house / name).read_text()))}
    ours = {"shared", "functions", "function_app"}
    return {one: place for one, place in found.items() if one.split(".")[0] not in sys.stdlib_module_names | ours}


def _modules(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def locked(lock: str) -> set[str]:
    """Return the names of the distributions in a lock."""
    return {_plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.M)}


def wanted(pyproject: str) -> set[str]:
    """Return the names of the distributions that the app's own list of dependencies names."""
    listed = pyproject.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    return {_plain(name) for name in re.findall(r'^\s*"([A-Za-z0-9._-]+)', listed, re.M)}


def givers(module: str) -> set[str]:
    """Return the distributions that may hold a module: several share the name `azure`."""
    given = {_plain(one) for one in _distributions().get(module.split(".")[0], [])}
    parts = [_plain(part) for part in module.split(".")]
    closer = {one for one in given if one == "-".join(parts[: len(one.split("-"))])}
    return closer or given


def lacking(house: Path, names: Sequence[str]) -> dict[str, str]:
    """Return what is imported and given by no line of requirements.txt, with one file that imports it."""
    held = locked((house / "requirements.txt").read_text())
    return {module: place for module, place in imported(house, names).items() if not givers(module) & held}


def idle(house: Path, names: Sequence[str]) -> list[str]:
    """Return what the app's list of dependencies names and the app itself never imports, sorted."""
    used = {giver for module in imported(house, names) for giver in givers(module)}
    return sorted(wanted((house / "pyproject.toml").read_text()) - used - IMPORTED_BY_OTHERS)


@functools.cache
def _distributions() -> Mapping[str, Sequence[str]]:
    return packages_distributions()


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
