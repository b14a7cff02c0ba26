"""Each defence switched off: a patch against the real code, applied to a copy of it, and the test that must then fail.

`python -m tests.security.switched_off` runs each named test with the defence and without it, prints the list,
and writes it down here and in `docs/security.md`. The second line of a patch names its test.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

import msgspec

from tests.security.model import HOUSE, PAGE

HERE = Path(__file__).parent
PATCHES = sorted(HERE.glob("*.patch"))
FOUND = HERE / "found.json"
ANEW = "switch off and look anew: make defences"
BEGIN, END = "<!-- switched off: written by tests/security/switched_off -->", "<!-- end of switched off -->"
SECONDS = 300


class Looked(msgspec.Struct, frozen=True):
    """What a test said with a defence and without it; `patch` is the digest of the patch that was applied."""

    patch: str
    with_it: str
    without_it: str
    says: str


class NoLongerApplies(Exception):
    """The code changed under a patch: mend it."""


def title(patch: Path) -> str:
    """Return what is switched off, in the patch's own first line."""
    return patch.read_text().splitlines()[0].rstrip(".")


def test_of(patch: Path) -> str:
    """Return the test that must fail."""
    return patch.read_text().splitlines()[1].removeprefix("Test: ")


def digest(patch: Path) -> str:
    """Return the digest of a patch."""
    return hashlib.sha256(patch.read_bytes()).hexdigest()[:16]


def known() -> dict[str, Looked]:
    """Return what was seen last."""
    return msgspec.json.decode(FOUND.read_bytes(), type=dict[str, Looked]) if FOUND.is_file() else {}


def copied(into: Path) -> None:
    """Copy every file that the repository holds or will hold."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=True).stdout.splitlines():
        if (HOUSE / name).is_file():
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HOUSE / name, into / name)


def apply(patch: Path, tree: Path) -> None:
    """Switch a defence off in a copy of the tree."""
    changed = [line[6:] for line in patch.read_text().splitlines() if line.startswith("+++ b/")]
    applied = subprocess.run(["git", "apply", str(patch)], cwd=tree, capture_output=True, text=True)
    same = [name for name in changed if (tree / name).read_bytes() == (HOUSE / name).read_bytes()]
    if applied.returncode or same or not changed:
        raise NoLongerApplies(f"{patch.name}: {applied.stderr.strip() or 'it changes nothing'}")


def run(test: str, tree: Path) -> tuple[str, str]:
    """Run a test, or several; return `green` or `red` and what pytest says. What is no answer of a test is an error."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *test.split(" ")]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    ran = subprocess.run(command, cwd=tree, env=environment, capture_output=True, text=True, timeout=SECONDS)
    if ran.returncode == 0 and " passed" in ran.stdout:
        return "green", ""
    if ran.returncode == 1 and re.search(r"^FAILED ", ran.stdout, re.M):
        said = re.findall(r"^E\s+(.*)", ran.stdout, re.M)
        return "red", " ".join((said[0] if said else "").split())[:160].replace(str(tree), "")
    raise AssertionError(f"{test}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}")


def look(patch: Path, tree: Path) -> tuple[str, str]:
    """Run the test of a patch in a copy whose defence is switched off, and switch it on again."""
    apply(patch, tree)
    seen = run(test_of(patch), tree)
    subprocess.run(["git", "apply", "--reverse", str(patch)], cwd=tree, check=True)
    return seen


def looked(patches: Sequence[Path]) -> Iterator[tuple[Path, Looked]]:
    """Yield what each test says with its defence, all of them in one run, and without it, two at once."""
    with TemporaryDirectory(prefix="switched-off-") as folder, ThreadPoolExecutor(2) as pool:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(2):
            copied(Path(folder, str(number)))
            trees.put(Path(folder, str(number)))
        whole = run(" ".join(dict.fromkeys(map(test_of, patches))), Path(folder, "0"))

        def without(patch: Path) -> tuple[str, str]:
            tree = trees.get()
            try:
                return look(patch, tree)
            finally:
                trees.put(tree)

        for patch, (colour, says) in zip(patches, pool.map(without, patches), strict=True):
            yield patch, Looked(digest(patch), whole[0], colour, whole[1] or says)


def table(found: Mapping[str, Looked]) -> Iterator[str]:
    """Yield the lines of the table for people."""
    yield "| what is switched off | test | with it | without it | what the test says |"
    yield "|---|---|---|---|---|"
    for patch in PATCHES:
        seen, test = found[patch.stem], test_of(patch)
        file, _, name = test.partition("::")
        link = f"[{title(patch)}](../tests/security/switched_off/{patch.name})"
        said = seen.says.replace("|", "/").replace("`", "'")
        cells = (link, f"[{name}](../{file})", seen.with_it, seen.without_it, f"`{said}`" if said else "")
        yield f"| {' | '.join(cells)} |"


def write(found: Mapping[str, Looked]) -> None:
    """Write down what was seen so far."""
    FOUND.write_bytes(msgspec.json.format(msgspec.json.encode(dict(sorted(found.items()))), indent=1) + b"\n")


def main(names: list[str]) -> int:
    """Look at the named patches, or at all; print the list and write it down."""
    chosen = [patch for patch in PATCHES if not names or patch.stem in names]
    found = {name: seen for name, seen in known().items() if name in {patch.stem for patch in PATCHES}}
    for patch, seen in looked(chosen):
        found[patch.stem] = seen
        print(f"{seen.with_it} with it, {seen.without_it} without it: {patch.stem} ({test_of(patch)})", flush=True)
        write(found)
    if all(patch.stem in found for patch in PATCHES):
        before, _, rest = PAGE.read_text().partition(BEGIN)
        PAGE.write_text("\n".join([before + BEGIN, *table(found), END + rest.partition(END)[2]]))
    blind = [name for name, seen in found.items() if (seen.with_it, seen.without_it) != ("green", "red")]
    print(f"{len(found)} defences switched off, {len(found) - len(blind)} seen by their tests; not seen: {blind or 0}")
    return len(blind)
