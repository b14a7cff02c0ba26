"""The zip that .funcignore leaves of a folder: the same bytes for the same files, whenever and wherever it is made."""

import hashlib
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec

IGNORE = ".funcignore"
# What may stand in the root of a deployed app, and why.
ROOT = {
    "function_app.py": "the Functions worker loads it",
    "functions": "what we react to",
    "host.json": "the Functions host reads it",
    "projects.toml": "the operator's projects, when they are deployed with the app",
    "requirements.txt": "the Functions build installs it",
    "shared": "the app",
}
KINDS = {".py", ".html", ".css", ".in"}
"""What the app's own folders hold: code, pages and their style, and the list of what jobs need."""
# The Functions tools leave these out whatever .funcignore says.
NEVER = {".git", ".vscode", ".funcignore", ".gitignore", "local.settings.json", "project.lock.json"}
# Fixed, so that the digest of a package tells its content and nothing else.
MOMENT = (1980, 1, 1, 0, 0, 0)
MODE = 0o100644 << 16


class NoPackage(Exception):
    """The folder cannot be packed; the message says why and what to do."""


@dataclass(frozen=True)
class Package:
    """A zip as it was written."""

    path: Path
    names: tuple[str, ...]
    bytes: int
    digest: str
    """SHA-256 of the file, in hex."""


def build(house: Path, path: Path) -> Package:
    """Write the package of a folder; raises NoPackage."""
    names = chosen(house)
    wrong = [*strangers(names), *links(house, names), *missing(house)]
    if wrong:
        raise NoPackage("Nothing was packed:\n" + "\n".join(f"  {one}" for one in wrong))
    path.parent.mkdir(parents=True, exist_ok=True)
    # Not compressed: other versions of zlib would make other bytes of the same files.
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            entry = zipfile.ZipInfo(name, MOMENT)
            entry.create_system, entry.external_attr = 3, MODE
            archive.writestr(entry, (house / name).read_bytes())
    content = path.read_bytes()
    return Package(path, names, len(content), hashlib.sha256(content).hexdigest())


def chosen(house: Path) -> tuple[str, ...]:
    """Return the files that .funcignore leaves, sorted; raises NoPackage when its readers disagree about one."""
    lines = (house / IGNORE).read_text().splitlines()
    seen = list(looked_at(house, GitIgnoreSpec.from_lines(lines), read_as_the_tools_do(lines)))
    if torn := [one.name for one in seen if one.by_git != one.by_tools]:
        told = ", ".join(torn[:5])
        raise NoPackage(
            f"{IGNORE} means one thing to git and another to the Functions tools for {told}: say it plainly."
        )
    return tuple(sorted(one.name for one in seen if not one.by_git))


def read_as_the_tools_do(lines: Sequence[str]) -> re.Pattern[str]:
    """Return what the Functions tools leave out: a path that begins as some line says.

    `*` is one or more characters but no slash, `**` one or more of any; raises NoPackage for `!`.
    """
    rules = [line.strip().removeprefix("/") for line in lines if line.strip() and not line.startswith("#")]
    if any(rule.startswith("!") for rule in rules):
        raise NoPackage(f"{IGNORE} has a line that begins with !: the Functions tools let it win over all others.")
    signs = {"**": ".+", "*": "[^/]+"}
    parts = ["".join(signs.get(part, re.escape(part)) for part in re.split(r"(\*\*|\*)", rule)) for rule in rules]
    return re.compile("|".join(parts))


@dataclass(frozen=True)
class Seen:
    """A file, or a folder whose name ends with a slash, and who leaves it out."""

    name: str
    by_git: bool
    by_tools: bool


def looked_at(house: Path, as_git: GitIgnoreSpec, as_tools: re.Pattern[str], below: str = "") -> Iterator[Seen]:
    """Yield every file below a folder, and every folder that git leaves out, which is not entered."""
    for path in sorted((house / below).iterdir()):
        is_folder = path.is_dir() and not path.is_symlink()
        name = f"{below}{path.name}{'/' if is_folder else ''}"
        seen = Seen(name, bool(as_git.match_file(name)), bool(as_tools.match(name)))
        if path.name in NEVER:
            continue
        if is_folder and not seen.by_git:
            yield from looked_at(house, as_git, as_tools, name)
        else:
            yield seen


def strangers(names: Sequence[str]) -> Iterator[str]:
    """Say what no app needs, so that nobody's data, keys or notes are deployed by chance."""
    for root in sorted({name.split("/")[0] for name in names} - set(ROOT)):
        yield f"{root} is no part of the app: take it away, or name it in {IGNORE}."
    for name in names:
        if "/" in name and name.split("/")[0] in ROOT and Path(name).suffix not in KINDS:
            yield f"{name} is no part of the app: take it away, or name its kind in tools/package/archive.py."


def links(house: Path, names: Sequence[str]) -> Iterator[str]:
    """Say which files are links: what they lead to may be outside of the app."""
    yield from (f"{name} is a link: put the file itself there." for name in names if (house / name).is_symlink())


def missing(house: Path) -> Iterator[str]:
    """Say what no app can do without."""
    needed = [name for name in ROOT if name != "projects.toml"]
    yield from (f"{name} is missing: {ROOT[name]}." for name in needed if not (house / name).exists())
