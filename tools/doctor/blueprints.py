"""The blueprints of an app, each loaded in a process of its own, and their routes beside each other."""

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.doctor.finding import Finding

REPOSITORY = Path(__file__).resolve().parents[2]
AT_ONCE = 2
SECONDS = 60


def examine(house: Path) -> Iterator[Finding]:
    """Return every finding about the functions of an app."""
    yield from registered(house)
    names = blueprints(house)
    with ThreadPoolExecutor(AT_ONCE) as threads:
        loaded = dict(zip(names, threads.map(lambda name: load(house, name), names), strict=True))
    wrong = [Finding("functions", f"{name} does not load: {one}", f"mend functions/{name}.py")
             for name, one in loaded.items() if isinstance(one, str)]  # fmt: skip
    functions = [(name, one) for name, found in loaded.items() if not isinstance(found, str) for one in found]
    wrong += [Finding("functions", f"functions/{name}.py: {one['refused']}", f"mend functions/{name}.py")
              for name, one in functions if "refused" in one]  # fmt: skip
    taken = [one for _, one in functions if "refused" not in one]
    wrong += [*clashes(taken), *namesakes(taken)]
    yield from wrong
    if not wrong:
        yield Finding(
            "functions", f"{len(taken)} in {len(names)} blueprints load, and no two have one route and method"
        )


def blueprints(house: Path) -> list[str]:
    """Return the names of the modules in functions/ that hold a blueprint."""
    found = sorted((house / "functions").glob("*.py"))
    return [path.stem for path in found if any(line.startswith("bp =") for line in path.read_text().splitlines())]


def registered(house: Path) -> Iterator[Finding]:
    """Look which blueprints function_app.py names: of one that it does not, no function exists."""
    path = house / "function_app.py"
    try:
        module = ast.parse(path.read_text())
    except (OSError, SyntaxError) as error:
        yield Finding("functions", f"function_app.py cannot be read: {error}", f"mend {path}")
        return
    words = {node.value for node in ast.walk(module) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words |= {alias.name for node in ast.walk(module) if isinstance(node, ast.ImportFrom) for alias in node.names}
    for name in sorted(set(blueprints(house)) - words):
        yield Finding(
            "functions", f"functions/{name}.py is named nowhere in function_app.py", f"add {name!r} to MODULES"
        )


def load(house: Path, name: str) -> Sequence[Mapping[str, Any]] | str:
    """Return the functions of a blueprint, or why it does not load."""
    command = [sys.executable, "-m", "tools.doctor.blueprint", str(house), name]
    # No setting: what is read at import would make a missing one look like a broken module.
    plain = {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(REPOSITORY)}
    try:
        ran = subprocess.run(
            command, capture_output=True, text=True, cwd=REPOSITORY, env=plain, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return f"it was not imported after {SECONDS} s"
    if ran.returncode:
        said = ran.stderr.strip().splitlines()
        where = [line.strip() for line in said if line.strip().startswith(f'File "{house}')]
        return f"{said[-1] if said else f'it ended with {ran.returncode}'}{f' ({where[-1]})' if where else ''}"
    found: list[dict[str, Any]] = json.loads(ran.stdout.splitlines()[-1])
    return found


def clashes(functions: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Say which functions have the same route and a method in common."""
    routed = [one for one in functions if one["kind"] == "httpTrigger"]
    for place, one in enumerate(routed):
        for other in routed[:place]:
            both = sorted(set(one["methods"]) & set(other["methods"]))
            if both and one["shape"] == other["shape"]:
                told = f"{other['name']} and {one['name']} both answer {', '.join(both)} /api/{one['route']}"
                yield Finding("routes", told, f"change the route or the methods of {one['name']}")


def namesakes(functions: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Say which functions have the same name, whatever its case."""
    seen: set[str] = set()
    for one in functions:
        if one["name"].lower() in seen:
            yield Finding("functions", f"two functions are called {one['name']}", "rename one of them")
        seen.add(one["name"].lower())
