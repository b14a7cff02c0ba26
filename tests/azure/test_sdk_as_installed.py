"""The SDK is the one that was published, changed in the listed places at run time, and loaded when it is needed."""

import ast
import base64
import hashlib
import importlib.metadata
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.backends.azure import fitting
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from tests.azure.stand_in import HOUSE, StandIn

FOREIGN = {"azure", "azureml", "msal", "msrest", "msrestazure", "requests", "urllib3"}


def bound(tree: ast.Module) -> dict[str, str]:
    """Return the names that imports of foreign packages bind anywhere in a module, with what they stand for."""
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {each.asname or each.name.partition(".")[0]: each.name for each in node.names}
            names |= {
                each.name.partition(".")[0]: each.name.partition(".")[0] for each in node.names if not each.asname
            }
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {each.asname or each.name: f"{node.module}.{each.name}" for each in node.names}
    return {name: whole for name, whole in names.items() if whole.partition(".")[0] in FOREIGN}


def assigned(path: Path) -> Iterator[str]:
    """Yield what a module assigns, sets or deletes in foreign packages."""
    tree = ast.parse(path.read_text())
    names = bound(tree)
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign | ast.Delete):
            targets = list(node.targets)
        elif isinstance(node, ast.AugAssign | ast.AnnAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"setattr", "delattr"}:
            targets = [ast.Attribute(node.args[0], ast.unparse(node.args[1]).strip("'\""))]
        for target in targets:
            for inner in ast.walk(target):
                if isinstance(inner, ast.Attribute | ast.Subscript):
                    root, _, rest = ast.unparse(inner).partition(".")
                    if root in names and isinstance(inner, ast.Attribute) and inner is target:
                        yield f"{names[root]}.{rest}"


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import requests\nrequests.adapters.X.send = 1", ["requests.adapters.X.send"]),
        ("def f():\n  from azureml.core import Run as R\n  R.get = None", ["azureml.core.Run.get"]),
        ("import azureml.core\nsetattr(azureml.core.Run, 'get', 1)", ["azureml.core.Run.get"]),
        ("from msrest import X\ndel X.y", ["msrest.X.y"]),
        ("from azureml.core import Environment\nmade = Environment('x')\nmade.name = 'y'", []),
    ],
)
def test_an_assignment_into_a_foreign_package_is_found(tmp_path: Path, code: str, found: list[str]) -> None:
    (tmp_path / "code.py").write_text(code)

    assert list(assigned(tmp_path / "code.py")) == found


def test_only_the_fitting_assigns_into_foreign_packages_and_lists_what() -> None:
    found = {
        (path.relative_to(HOUSE).as_posix(), what)
        for place in ("shared", "functions")
        for path in (HOUSE / place).rglob("*.py")
        for what in assigned(path)
    }

    assert found == {("shared/backends/azure/fitting.py", what) for what in fitting.ASSIGNED}


def test_the_installed_sdk_is_the_published_one() -> None:
    files = importlib.metadata.files("azureml-core") or []
    hashed = [each for each in files if each.hash]

    changed = [
        str(each)
        for each in hashed
        if each.hash
        and base64.urlsafe_b64encode(hashlib.new(each.hash.mode, each.read_binary()).digest()).decode().rstrip("=")
        != each.hash.value
    ]

    assert changed == []
    assert len(hashed) > 500


def run(code: str, **environment: str) -> list[str]:
    """Run Python in a process of its own; return the lines it prints."""
    surroundings = {"PATH": os.environ["PATH"], "PYTHONPATH": str(HOUSE), **environment}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=HOUSE, env=surroundings, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_importing_the_backend_loads_no_sdk() -> None:
    names = sorted(path.stem for path in (HOUSE / "shared/backends/azure").glob("*.py") if path.stem != "__init__")
    code = f"import importlib, sys\nfor name in {names}: importlib.import_module('shared.backends.azure.' + name)\n"

    loaded = run(code + "print('\\n'.join(sys.modules))")

    assert "shared.backends.azure.workspace" in loaded
    assert sorted(each for each in loaded if each.partition(".")[0] in FOREIGN) == []


REACHED = """
import os
from pathlib import PosixPath
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.backends.azure.workspace import Azure
azure = Azure(Scope(**{told}))
print(azure.now("the address", lambda workspace: workspace.service_context._get_api_url()))
print(os.environ["HOME"])
"""


def reached(scope: Scope, double: StandIn, **home: str) -> list[str]:
    """Reach the workspace from a process whose HOME this is; return an address of the workspace, and the home then."""
    return run(REACHED.format(told=msgspec.structs.asdict(scope)), **double.environment, **home)


@pytest.mark.parametrize("given", [{"HOME": "/dev/null/nobody"}, {}], ids=["unwritable", "absent"])
def test_a_home_that_cannot_be_written_is_replaced(double: StandIn, scope: Scope, given: dict[str, str]) -> None:
    address, home = reached(scope, double, **given)

    assert address == "https://westeurope.api.azureml.ms"
    assert home == str(scope.state / "home")
    assert (scope.state / "home/.azureml/.discovery").is_file()


def test_a_home_that_can_be_written_stays(azure: Azure, azure_home: Path) -> None:
    azure.workspace()

    assert os.environ["HOME"] == str(azure_home)
    assert not azure.scope.state.exists()


def test_nothing_in_the_backend_waits_for_azure() -> None:
    waits = [
        f"{path.name}:{node.lineno} {ast.unparse(node.func)}"
        for path in (HOUSE / "shared/backends/azure").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and (name := ast.unparse(node.func).rpartition(".")[2])
        and (name.startswith("wait") or name in {"sleep", "regen_key"})
        # The pause before a read is asked again.
        and (path.name, name) != ("guard.py", "sleep")
    ]

    assert waits == []
