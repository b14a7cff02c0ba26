"""The table of settings and the code agree: nothing is read that it does not hold, nothing in it is read by nobody."""

import ast
import functools
import json
import re
from collections.abc import Iterator
from pathlib import Path

from shared.settings import TABLE, Setting
from tools import settings as written

HOUSE = Path(__file__).resolve().parents[1]
# Of the machine or of the platform, not the operator's to set.
OTHERS = {
    "HOME": "where the SDK keeps its caches",
    "PATH": "where programs stand",
}
# The table's own readers take the names that they are given: `given.text("BACKEND")`.
READERS = tuple(f"shared/settings/{name}.py" for name in ("__init__", "given", "named"))
GIVEN = {"text", "choice", "number"}


def deployed() -> list[Path]:
    # Jobs run on compute, where no setting of the app is.
    shared = [path for path in (HOUSE / "shared").rglob("*.py") if HOUSE / "shared/jobs" not in path.parents]
    return sorted([*shared, *(HOUSE / "functions").glob("*.py"), HOUSE / "function_app.py"])


def key(node: ast.expr) -> str:
    """The name that is read, `SECRET_<NAME>` for one that is put together, nothing for a variable."""
    match node:
        case ast.Constant(value=str(name)):
            return name
        case ast.JoinedStr(values=[ast.Constant(value=str(start)), ast.FormattedValue()]):
            return f"{start}<NAME>"
        case _:
            return ""


def is_environment(node: ast.expr) -> bool:
    return ast.unparse(node).split(".")[-1] == "environ"


def reads(module: ast.Module, reader: bool = False) -> Iterator[tuple[int, str]]:
    """Yield line and name of everything that is read of the environment, and of a binding's connection."""
    for node in ast.walk(module):
        match node:
            case ast.Subscript(value=value, slice=name, ctx=ast.Load()) if is_environment(value):
                yield node.lineno, key(name)
            case ast.Compare(left=name, ops=[ast.In() | ast.NotIn()], comparators=[value]) if is_environment(value):
                yield node.lineno, key(name)
            case ast.Call(func=ast.Attribute(value=value, attr="get" | "pop"), args=[name, *_]) if is_environment(
                value
            ):
                yield node.lineno, key(name)
            case ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="getenv"), args=[name, *_]):
                yield node.lineno, key(name)
            case ast.Call(func=ast.Attribute(attr=attr), args=[name, *_]) if reader and attr in GIVEN:
                yield node.lineno, key(name)
            case ast.keyword(arg="connection", value=ast.Constant(value=str(name))):
                yield node.lineno, name


@functools.cache
def read_by_code() -> dict[str, str]:
    """Every name that the app reads, with one place where."""
    found = {}
    for path in deployed():
        place = path.relative_to(HOUSE).as_posix()
        for line, name in reads(ast.parse(path.read_text()), place in READERS):
            assert name or place in READERS, f"{place}:{line} reads a setting whose name the table cannot hold"
            found[name] = f"{place}:{line}"
    return {name: place for name, place in found.items() if name and name not in OTHERS}


def test_every_setting_that_code_reads_is_in_the_table() -> None:
    assert {name: place for name, place in read_by_code().items() if name not in TABLE} == {}


def test_every_setting_in_the_table_is_read_by_code_or_by_the_host() -> None:
    assert [name for name, one in TABLE.items() if name not in read_by_code() and not one.host] == []


def test_a_read_of_any_kind_is_seen() -> None:
    text = """
a = os.environ["A"]; b = os.environ.get("B", ""); c = "C" in os.environ; d = os.getenv("D"); e = given.text("E")
f = environ.get(f"SECRET_{name}"); g = self.environ.pop("G"); bp.queue_trigger(connection="H"); i = os.environ[name]
os.environ["WRITTEN"] = "1"; other.get("OTHER")
"""
    names = ["A", "B", "C", "D", "E", "SECRET_<NAME>", "G", "H", ""]
    assert sorted(name for _, name in reads(ast.parse(text), reader=True)) == sorted(names)


def test_the_sample_holds_every_setting_and_no_other_and_no_secret() -> None:
    sample = json.loads((HOUSE / "local.settings.sample.json").read_text())
    named = {written.NAMED.get(name, name): one for name, one in TABLE.items()}
    assert sample["Values"].keys() == named.keys()
    # The Functions tools take nothing but text.
    assert all(isinstance(value, str) for value in sample["Values"].values())
    harmless = {"", "UseDevelopmentStorage=true"}
    assert {name for name, one in named.items() if one.secret and sample["Values"][name] not in harmless} == set()


def test_the_page_tells_every_setting_with_what_it_is() -> None:
    page = (HOUSE / "docs/settings.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \| ([^|]+(?:\\\|[^|]+)*) \|", page, re.M))
    assert rows.keys() == TABLE.keys()
    assert [name for name, one in TABLE.items() if not rows[name].startswith(plain(one))] == []


def plain(setting: Setting) -> str:
    return setting.what.replace("<account>", "ACCOUNT")


def test_the_values_of_the_sample_are_ones_that_the_app_takes() -> None:
    patterned = {name: one for name, one in TABLE.items() if one.like and one.sample}
    assert [name for name, one in patterned.items() if not re.fullmatch(one.like, one.sample)] == []
