"""The rules of the house: what stands where, who may import whom, and how large things get."""

import ast
import os
import subprocess
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from tests.conftest import LONGEST

HOUSE = Path(__file__).resolve().parent.parent

ROOT = {
    ".ci": "the one script that says whether a change holds",
    ".funcignore": "what a deployment leaves out; the Functions tools read it from the root",
    ".github": "runs that script in the outside world",
    ".gitignore": "keeps state, secrets and caches out of the repository",
    "CONTRIBUTING.md": "how to change something, where GitHub looks for it",
    "LICENSE": "MIT, where tools look for it",
    "Makefile": "the two commands of the README, and the others",
    "README.md": "the first page",
    "docs": "how to add a trigger, a step, a backend",
    "examples": "model projects as a user would have them",
    "function_app.py": "the v2 programming model of Azure Functions reads it from the root",
    "functions": "what we react to, one trigger a file",
    "host.json": "the Functions host reads it from the root",
    "local.settings.sample.json": "every setting of the app; the Functions tools look beside host.json",
    "pyproject.toml": "what the project stands on, and the settings of its tools",
    "requirements.txt": "the hashed lock that the Functions build installs from the root",
    "shared": "the app",
    "tests": "the proof",
    "tools": "what is not deployed: the local stand-ins, the command, the demo, benches",
}

# Who may import whom, as in docs/adding.md: any other arrow between the parts is a mistake.
ARROWS = {
    "function_app": {"functions", "errors"},
    "functions": {"browsing", "control", "openapi", "sources", "reports", "pages", "words", "wiring", "errors"},
    "browsing": {"answers", "control", "overviews", "pages", "release", "reports", "sources", "words", "errors"},
    "control": {"answers", "headlines", "release", "steps", "streams", "ports", "words", "errors"},
    "answers": set(),
    "sources": {"sources", "release", "errors"},
    "steps": {"steps", "streams", "ports", "release", "words", "errors"},
    "streams": {"ports", "release", "errors"},
    "reports": {"release", "words", "errors"},
    "overviews": {"release", "reports", "words", "errors"},
    "pages": {"answers"},
    "openapi": {"sources"},
    "headlines": {"words", "release", "errors"},
    "words": {"release", "errors"},
    "release": {"release", "errors"},
    "ports": {"release", "errors"},
    "errors": set(),
    "settings": {"settings", "errors", "release"},
    "backends": {"backends", "ports", "release", "errors"},
    "wiring": {"settings", "backends", "control", "ports", "release", "streams", "errors"},
    "jobs": {"jobs", "release"},
}
DEPLOYED = ("shared", "functions", "function_app.py")
PURE = ("shared/release", "shared/sources")
# Long lists read best as words.
IMPURE = """
    asyncio builtins concurrent ctypes glob http importlib io logging multiprocessing os pathlib pickle platform
    random secrets select selectors shutil signal socket socketserver sqlite3 ssl subprocess sys tempfile threading
    time urllib.request uuid warnings
""".split()
HEAVY = """
    aiohttp apprise azure.eventgrid azure.identity azure.storage azureml cryptography dulwich jinja2 joblib numpy pandas
    requests scipy sklearn uv
""".split()
SHRUGS = {"base", "common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
EDGES = {
    "shared/control/edge.py": 1,
    "function_app.py": 1,
    # The stand-in for the Functions host shows whatever the import of an app raises, as the real one does.
    "tools/local/host.py": 1,
}


def python_files(*places: str) -> list[Path]:
    found: list[Path] = []
    for place in places:
        at = HOUSE / place
        found += [at] if at.is_file() else at.rglob("*.py")
    return sorted(found)


def named(path: Path) -> str:
    return path.relative_to(HOUSE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield every imported module, lazy ones too, with whether it is imported when the file is loaded."""
    module = tree(path)
    lazy = {
        id(inner)
        for node in ast.walk(module)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for inner in ast.walk(node)
    }
    package = named(path).removesuffix(".py").split("/")[:-1]
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from ((alias.name, id(node) not in lazy) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            whole = ".".join([*start, *filter(None, [node.module])])
            yield whole, id(node) not in lazy
            yield from ((f"{whole}.{alias.name}", id(node) not in lazy) for alias in node.names)


def part(module: str) -> str | None:
    """Return the part of the house a module belongs to, None for what is not ours."""
    names = module.removesuffix(".__init__").split(".")
    if names[0] == "shared":
        return names[1] if len(names) > 1 else None
    return names[0] if names[0] in {"function_app", "functions", "tools", "tests"} else None


def house_of(path: Path) -> str:
    found = part(named(path).removesuffix(".py").replace("/", "."))
    assert found is not None
    return found


def within(module: str, names: Collection[str]) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in names)


def code_lines(path: Path) -> int:
    """Count the lines that hold code: no blank lines, comments, or docstrings."""
    text = path.read_text()
    prose: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            prose.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return sum(
        1
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip() and not line.strip().startswith("#") and number not in prose
    )


def catches_all(handler: ast.ExceptHandler) -> bool:
    names = {getattr(node, "id", "") for node in ast.walk(handler.type)} if handler.type else {"BaseException"}
    return bool(names & {"Exception", "BaseException"})


def test_everything_in_the_root_is_there_for_a_reason() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached"],
        cwd=HOUSE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    present = {path.split("/")[0] for path in listed if (HOUSE / path).exists()}
    assert present - set(ROOT) == set(), "say in ROOT why the root needs it, or put it where it belongs"
    assert set(ROOT) - present == set(), "these are gone from the root: take them from ROOT too"


PARTS = [path for path in python_files(*DEPLOYED) if named(path) != "shared/__init__.py"]


@pytest.mark.parametrize("path", PARTS, ids=named)
def test_imports_follow_the_arrows(path: Path) -> None:
    here = house_of(path)
    allowed = ARROWS.get(here)
    assert allowed is not None, f"{named(path)} is no known part of the house: add it to ARROWS"
    wrong = {
        f"{here} -> {module}" for module, _ in imports(path) if (to := part(module)) and to not in allowed | {here}
    }
    assert wrong == set()


def test_backends_are_only_imported_when_they_are_chosen() -> None:
    eager = [module for module, now in imports(HOUSE / "shared/wiring.py") if now and part(module) == "backends"]
    assert eager == [], "wiring imports a backend inside the function that builds it, so that the others cost nothing"


@pytest.mark.parametrize("path", python_files("examples"), ids=named)
def test_an_example_knows_nothing_of_us(path: Path) -> None:
    assert [module for module, _ in imports(path) if part(module)] == []


@pytest.mark.parametrize("path", python_files(*PURE), ids=named)
def test_release_and_sources_are_pure(path: Path) -> None:
    standard = sys.stdlib_module_names | {"msgspec", "shared", "__future__"}
    found = {module for module, _ in imports(path)}
    foreign = {module for module in found if module.split(".")[0] not in standard or within(module, IMPURE)}
    ours = {module for module in found if part(module) not in {None, "release", "errors", house_of(path)}}
    calls = {
        getattr(node.func, "id", getattr(node.func, "attr", ""))
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call)
    }
    assert foreign | ours | (calls & {"open", "print", "input", "__import__", "now", "utcnow", "today"}) == set()


@pytest.mark.parametrize("path", PARTS, ids=named)
def test_sdks_stay_in_their_places(path: Path) -> None:
    here = house_of(path)
    homes = {"azure.functions": {"functions", "function_app"}, "jinja2": {"pages"}}
    homes |= {sdk: {"backends", "jobs"} for sdk in HEAVY if sdk != "jinja2"}
    strays = [
        module
        for module, _ in imports(path)
        for sdk, home in homes.items()
        if within(module, [sdk]) and here not in home
    ]
    assert strays == []


@pytest.mark.parametrize("path", python_files("functions"), ids=named)
def test_a_trigger_is_read_at_a_glance(path: Path) -> None:
    assert code_lines(path) <= 35, "a trigger reads, takes in and answers: the rest belongs in shared/"


@pytest.mark.parametrize("path", python_files(*DEPLOYED, "tools"), ids=named)
def test_a_module_fits_on_a_few_screens(path: Path) -> None:
    assert code_lines(path) <= 250


@pytest.mark.parametrize("path", python_files(*DEPLOYED, "tools"), ids=named)
def test_errors_are_caught_by_name(path: Path) -> None:
    broad = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ExceptHandler) and catches_all(node) and ast.unparse(node.body[-1]) != "raise"
    ]
    assert len(broad) <= EDGES.get(named(path), 0), f"broad except on line {broad}"


@pytest.mark.parametrize("path", python_files(*DEPLOYED, "tools", "tests"), ids=named)
def test_names_say_what_is_inside(path: Path) -> None:
    assert SHRUGS.isdisjoint(path.relative_to(HOUSE).with_suffix("").parts)


@pytest.mark.parametrize("path", python_files("tests"), ids=named)
def test_tests_run_on_real_parts_and_wait_for_events(path: Path) -> None:
    found = {module for module, _ in imports(path)}
    assert [module for module in found if within(module, {"unittest.mock", "mock", "pytest_mock"})] == []
    sleeps = [
        node.lineno
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"time.sleep", "sleep"}
    ]
    assert sleeps == [] or "deadline" in path.read_text(), "wait for a condition with a deadline, never for a time"


@pytest.mark.parametrize("path", python_files(*DEPLOYED, "tools", "tests", "examples"), ids=named)
def test_nothing_is_left_for_later_in_a_comment(path: Path) -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X")
    lines = enumerate(path.read_text().splitlines(), start=1)
    assert [number for number, line in lines if any(mark in line for mark in marks)] == []


def test_loading_the_app_loads_nothing_heavy() -> None:
    code = "import sys, function_app; print('\\n'.join(sys.modules))"
    # A backend that is not chosen must not be loaded, so nothing is set.
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOUSE)}
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=HOUSE, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "azure.functions" in loaded
    assert sorted(module for module in loaded if within(module, HEAVY)) == []


@pytest.mark.parametrize("name", LONGEST)
def test_a_file_of_tests_that_comes_early_is_there(name: str) -> None:
    assert (HOUSE / "tests" / name).is_file()
