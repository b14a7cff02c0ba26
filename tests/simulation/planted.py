"""Planted bugs: each is a patch against the real code, applied to a copy of it, and found by the simulation.

`python -m tests.simulation.planted` searches for what kills each, with and without the patrol, and writes the table of
`docs/simulation.md`; `python -m tests.simulation.planted kill CASE...` runs cases on the tree it stands in.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.simulation import sweep
from tests.simulation.sweep import Case

HOUSE = Path(__file__).resolve().parents[2]
PATCHES = sorted((Path(__file__).parent / "mutants").glob("*.patch"))
ANEW = "plant and search anew: python -m tests.simulation.planted"
FOUND = Path(__file__).parent / "mutants" / "found.json"
PAGE = HOUSE / "docs" / "simulation.md"
BEGIN, END = "<!-- planted: written by tests/simulation/planted.py -->", "<!-- end of planted -->"
COPIED = ("function_app.py", "functions", "shared", "tests/world.py", "tests/simulation")
MODES = ("without", "with")
SINGLES, SEEDS = 40, 400
"""How much is searched in each mode: every so many-th single fault, then seeds."""


class Killed(msgspec.Struct, frozen=True):
    """What killed a planted bug in one mode: the case, and what was seen to be wrong."""

    case: Case
    wrong: str


Found = dict[str, dict[str, Killed | None]]
"""By the name of the patch, by mode: what killed it, or nothing."""


class NoLongerApplies(Exception):
    """The code changed under a patch: plant the bug anew."""


def title(patch: Path) -> str:
    """Return what a planted bug is, in its own first line."""
    return patch.read_text().splitlines()[0]


def plant(patch: Path, into: Path) -> None:
    """Copy the house and plant one bug in the copy."""
    for name in COPIED:
        at = HOUSE / name
        (into / name).parent.mkdir(parents=True, exist_ok=True)
        if at.is_dir():
            shutil.copytree(at, into / name, ignore=shutil.ignore_patterns("__pycache__", "jobs"))
        else:
            shutil.copy(at, into / name)
    applied = subprocess.run(["git", "apply", str(patch)], cwd=into, capture_output=True, text=True)
    changed = [line[6:] for line in patch.read_text().splitlines() if line.startswith("+++ b/")]
    same = [name for name in changed if (into / name).read_bytes() == (HOUSE / name).read_bytes()]
    if applied.returncode or same or not changed:
        raise NoLongerApplies(f"{patch.name}: {applied.stderr.strip() or 'it changes nothing'}")


def kill(patch: Path, cases: list[list[Case]]) -> list[Killed | None]:
    """Run lists of cases against a planted bug, each up to the first that finds it."""
    with TemporaryDirectory(prefix="mutant-") as folder:
        into = Path(folder)
        plant(patch, into)
        ran = subprocess.run(
            [sys.executable, "-m", "tests.simulation.planted", "kill"],
            cwd=into,
            env={**os.environ, "PYTHONPATH": str(into), "PYTHONDONTWRITEBYTECODE": "1"},
            input=msgspec.json.encode(cases),
            capture_output=True,
        )
    if ran.returncode:
        raise AssertionError(f"{patch.name}: {ran.stderr.decode()[-2000:]}")
    return msgspec.json.decode(ran.stdout, type=list[Killed | None])


def killed_by(cases: list[Case]) -> Killed | None:
    """Return the first of these cases that finds something wrong."""
    found = sweep.figures(cases, stop=True)
    return Killed(*found.violations[0]) if found.violations else None


def every(patrol: bool) -> list[Case]:
    """Return what a planted bug is searched with in one mode."""
    singles = sweep.singles(patrol)
    return [*singles[3 :: max(len(singles) // SINGLES, 1)], *sweep.seeded(patrol, range(SEEDS))]


def search(patches: list[Path], workers: int = 2) -> Found:
    """Search for what kills planted bugs in both modes."""
    cases = [every(False), every(True)]
    with ThreadPoolExecutor(workers) as pool:
        killed = pool.map(lambda patch: dict(zip(MODES, kill(patch, cases), strict=True)), patches)
        return dict(zip((patch.stem for patch in patches), killed, strict=True))


def again(patch: Path, before: dict[str, Killed | None]) -> dict[str, Killed | None]:
    """Look whether a planted bug is found by what found it before; search anew when the code moved on meanwhile."""
    cases = [[each.case] if (each := before[mode]) else [] for mode in MODES]
    killed = dict(zip(MODES, kill(patch, cases), strict=True))
    return killed if any(killed.values()) else search([patch], 1)[patch.stem]


def known() -> Found:
    """Return what was found by the last search."""
    return msgspec.json.decode(FOUND.read_bytes(), type=Found)


def told(case: Case) -> str:
    """Return a case as it stands in the table."""
    name, _, what = case
    if name == "many":
        return f"seed {what}"
    return " and ".join(f"{kind} at point {number}" for number, kind in what)  # type: ignore[attr-defined]


def table(found: Found) -> Iterator[str]:
    """Yield the lines of the table for people."""
    yield "| planted bug | without the patrol | with the patrol | what is seen |"
    yield "|---|---|---|---|"
    for patch in PATCHES:
        modes = found[patch.stem]
        cells = [told(modes[mode].case) if modes[mode] else "-" for mode in MODES]  # type: ignore[union-attr]
        seen = next((each.wrong for each in modes.values() if each), "not found")
        link = f"[{title(patch)[:-1]}](../tests/simulation/mutants/{patch.name})"
        yield f"| {link} | {' | '.join(cells)} | {seen[:110]} |"


def main(arguments: list[str]) -> int:
    """Run the cases given on standard input, or search for all and write down what was found."""
    if arguments == ["kill"]:
        cases = msgspec.json.decode(sys.stdin.buffer.read(), type=list[list[Case]])
        sys.stdout.buffer.write(msgspec.json.encode([killed_by(each) for each in cases]))
        return 0
    chosen = [patch for patch in PATCHES if not arguments or patch.stem in arguments]
    found = (known() if arguments else {}) | search(chosen)
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    lines = list(table(found))
    print("\n".join(lines))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text("\n".join([before + BEGIN, *lines, END + rest.partition(END)[2]]))
    missed = [name for name, modes in found.items() if not any(modes.values())]
    print(f"{len(found)} planted, {len(found) - len(missed)} found" + (f"; not found: {missed}" if missed else ""))
    return len(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
