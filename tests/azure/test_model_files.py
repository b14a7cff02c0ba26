"""Whether a model's files are the approved ones: no file of a large model is read more often than that takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from shared.backends.azure.runs import SCRIPTS
from shared.backends.local.trees import folder_digest

LOOKS = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import signalbox_model
folder, opened = sys.argv[2], []
kept = lambda name: isinstance(name, str) and name.startswith(folder + os.sep)
sys.addaudithook(lambda event, told: opened.append(told[0]) if event == "open" and kept(told[0]) else None)
try:
    found = signalbox_model.verified(folder, sys.argv[3])
except RuntimeError as error:
    found = str(error)
print(json.dumps([found, [os.path.relpath(each, folder) for each in opened]]))
"""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of two folders, as a registry gives one back."""
    for name in ("a", "b"):
        (tmp_path / "model" / name).mkdir(parents=True)
        (tmp_path / "model" / name / "weights").write_text(name)
    return tmp_path / "model"


def looked(model: Path, digest: str) -> tuple[str, list[str]]:
    """Return what is found, and the files that were read in its order."""
    command = [sys.executable, "-c", LOOKS, str(SCRIPTS / "serving"), str(model), digest]
    found, opened = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found, sorted(opened)


@pytest.mark.parametrize(
    ("approved", "read"),
    [
        ("", ["a/weights", "b/weights"]),
        ("a", ["a/weights", "a/weights", "b/weights"]),
        ("b", ["a/weights", "a/weights", "b/weights", "b/weights"]),
    ],
)
def test_the_folder_with_the_approved_files_is_found_and_no_more_is_read(
    model: Path, approved: str, read: list[str]
) -> None:
    assert looked(model, folder_digest(model / approved)) == (str(model / approved), read)


def test_without_a_digest_the_one_folder_that_all_is_in_is_the_model(model: Path) -> None:
    assert looked(model, "") == (str(model), [])
    assert looked(model.parent, "") == (str(model), [])
    assert looked(model / "a", "") == (str(model / "a"), [])


def test_other_files_than_the_approved_are_named_by_their_digest(model: Path) -> None:
    said, _ = looked(model, "sha256:none")

    assert said.startswith(f"The files of the model are {folder_digest(model)} and sha256:none was approved")
