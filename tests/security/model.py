"""The threat model as `docs/security.md` has it: its rows, the tests they name, and the patches."""

import ast
import re
from functools import cache
from pathlib import Path

from msgspec import Struct

HOUSE = Path(__file__).resolve().parents[2]
PAGE = HOUSE / "docs" / "security.md"
PATCHES = Path(__file__).parent / "switched_off"
NOT_CODE = "not code: "
_LINK = re.compile(r"\[([^\]]+)\]\(\.\./([^)]+)\)")


class Named(Struct, frozen=True):
    """A test by its file and its name."""

    file: str
    name: str

    def exists(self) -> bool:
        """Say whether the file has such a test."""
        return self.name in _functions(self.file)

    def id(self) -> str:
        """Return what pytest calls it."""
        return f"{self.file}::{self.name}"


class Entry(Struct, frozen=True):
    """One row: an abuse or fault, its defence, what shows it, and how it is switched off."""

    number: int
    abuse: str
    defence: str
    tests: tuple[Named, ...]
    off: str

    def wrong(self) -> str:
        """Say what the row lacks; nothing when it is whole."""
        lacking = [f"{each.id()} does not exist" for each in self.tests if not each.exists()]
        lacking += [] if self.tests else ["no test shows it"]
        lacking += [] if self.abuse and self.defence else ["it has no defence"]
        patch = _LINK.fullmatch(self.off)
        if patch and not (HOUSE / patch[2]).is_file():
            lacking.append(f"there is no {patch[2]}")
        if not patch and not self.off.startswith(NOT_CODE):
            lacking.append("no patch switches it off, and nothing says why it is not code")
        return "; ".join(lacking)

    def patch(self) -> str:
        """Return the name of its patch, or nothing."""
        found = _LINK.fullmatch(self.off)
        return Path(found[2]).stem if found else ""


@cache
def _functions(file: str) -> frozenset[str]:
    path = HOUSE / file
    tree = ast.parse(path.read_text() if path.is_file() else "")
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))


def entries(page: str) -> list[Entry]:
    """Return every row of the threat model."""
    return [_entry(line) for line in page.splitlines() if re.match(r"\| \d+ \|", line)]


def _entry(line: str) -> Entry:
    number, abuse, defence, tests, off = (cell.strip() for cell in line.strip("|").split("|"))
    named = tuple(Named(file, "test_" + words.replace(" ", "_")) for words, file in _LINK.findall(tests))
    return Entry(int(number), abuse, defence, named, off)
