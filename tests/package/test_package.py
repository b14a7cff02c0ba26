"""The zip that is deployed holds what the app needs and nothing else, and the app loads whole from it."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools.package import archive, needs

HOUSE = Path(__file__).resolve().parents[2]
WHOLE = """
import importlib, json, pkgutil, sys
sys.path.insert(0, sys.argv[1])
import function_app, functions.health, shared
for found in pkgutil.walk_packages(shared.__path__, "shared."):
    importlib.import_module(found.name)
ours = [one for name, one in sys.modules.items() if name.split(".")[0] in ("shared", "functions", "function_app")]
print(json.dumps({
    "failed": functions.health.FAILED,
    "functions": sorted(one.get_function_name() for one in function_app.app.get_functions()),
    "files": sorted({one.__file__ for one in ours if one.__file__}),
}))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> archive.Package:
    return archive.build(HOUSE, tmp_path_factory.mktemp("package") / "signalbox.zip")


@pytest.fixture
def house(tmp_path: Path, package: archive.Package) -> Path:
    """A copy of what is packed, beside things that are not."""
    place = tmp_path / "house"
    with zipfile.ZipFile(package.path) as opened:
        opened.extractall(place)
    shutil.copy(HOUSE / archive.IGNORE, place)
    for name in (
        "tests/test_a.py",
        "docs/a.md",
        ".venv/bin/python",
        ".signalbox/keys.json",
        "local.settings.json",
        "settings.json",
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text("not to be deployed")
    for folder in ("__pycache__", "shared/__pycache__", "shared/release/__pycache__"):
        (place / folder).mkdir()
        (place / folder / "a.cpython-313.pyc").write_bytes(b"")
    return place


def test_it_holds_every_file_of_the_app_and_nothing_else(package: archive.Package) -> None:
    folders = [path for one in ("functions", "shared") for path in (HOUSE / one).rglob("*") if path.is_file()]
    needed = {path.relative_to(HOUSE).as_posix() for path in folders if "__pycache__" not in path.parts}
    needed |= {"function_app.py", "host.json", "requirements.txt"}
    assert set(package.names) - {"projects.toml"} == needed
    assert zipfile.ZipFile(package.path).namelist() == sorted(package.names)


def test_the_same_files_make_the_same_bytes_whenever_and_wherever(house: Path, package: archive.Package) -> None:
    for path in house.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    again = archive.build(house, house.parent / "again.zip")
    assert (again.names, again.digest) == (package.names, package.digest)


def test_the_unzipped_app_loads_whole_with_nothing_of_the_repository(house: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-I", "-c", WHOLE, str(house)], capture_output=True, text=True, cwd="/", env={}, check=False
    )
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["failed"] == {}
    assert {"on_push", "on_step_due", "approve", "patrol", "patrol_poison", "health"} <= set(told["functions"])
    assert [file for file in told["files"] if not file.startswith(f"{house}/")] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("flights.csv", "flights.csv is no part of the app"),
        ("venv/bin/python", "venv is no part of the app"),
        ("shared/keys.json", "shared/keys.json is no part of the app"),
        ("functions/notes.txt", "functions/notes.txt is no part of the app"),
    ],
)
def test_what_no_app_needs_stops_the_packing(house: Path, name: str, said: str) -> None:
    (house / name).parent.mkdir(parents=True, exist_ok=True)
    (house / name).write_text("left here by chance")
    with pytest.raises(archive.NoPackage, match=said):
        archive.build(house, house.parent / "no.zip")
    assert not (house.parent / "no.zip").exists()


def test_a_link_is_not_followed_out_of_the_app(house: Path) -> None:
    (house / "shared/secrets.py").symlink_to("/etc/hostname")
    with pytest.raises(archive.NoPackage, match=r"shared/secrets\.py is a link"):
        archive.build(house, house.parent / "no.zip")


def test_what_no_app_can_do_without_is_named(house: Path) -> None:
    (house / "host.json").unlink()
    with pytest.raises(archive.NoPackage, match=r"host\.json is missing: the Functions host reads it"):
        archive.build(house, house.parent / "no.zip")


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("!/shared/", "begins with !"),
        # To the Functions tools a path that begins so, to git any folder of that name.
        ("release/", "shared/release/"),
        # To the Functions tools one part of a path, to git a file anywhere.
        ("*.html", r"shared/templates/approval\.html"),
        # To the Functions tools every path that begins so.
        ("/func", r"function_app\.py"),
    ],
)
def test_a_line_that_its_readers_read_differently_is_refused(house: Path, line: str, why: str) -> None:
    with (house / archive.IGNORE).open("a") as ignore:
        ignore.write(f"{line}\n")
    with pytest.raises(archive.NoPackage, match=why):
        archive.build(house, house.parent / "no.zip")


def test_the_projects_of_the_operator_are_packed_when_they_stand_beside_the_host_json(house: Path) -> None:
    (house / "projects.toml").write_text("")
    assert "projects.toml" in archive.build(house, house.parent / "with.zip").names


def test_all_that_the_deployed_app_imports_is_given_by_the_requirements(package: archive.Package) -> None:
    deployed = [name for name in package.names if not name.startswith(needs.LOCAL)]
    assert {"azure.functions", "msgspec", "azure.storage.blob.BlobClient"} <= needs.imported(HOUSE, deployed).keys()
    assert needs.lacking(HOUSE, deployed) == {}


def test_an_import_that_the_requirements_do_not_give_is_found(house: Path) -> None:
    (house / "shared/late.py").write_text(
        "def call():\n    import httpx\n    from azure.storage.queue import QueueClient\n"
    )
    assert needs.lacking(house, ["shared/late.py"]).keys() == {"httpx", "azure.storage.queue.QueueClient"}
