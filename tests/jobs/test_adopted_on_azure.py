"""A version that a colleague registers by azureml-core, taken to live: the whole app, its topic, Azure in a double."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from rich.console import Console

from shared.backends.azure.endpoints import ANSWERED_BY
from tools.cli.reach import reach
from tools.demo import place
from tools.demo.azure import Azure
from tools.demo.place import Given
from tools.demo.story import Story
from tools.local.stack import Stack

# The first run makes the environment of the project, with all that the jobs need.
pytestmark = pytest.mark.timeout(600)

PROJECT = {
    "signalbox.toml": '[data]\ntarget = "y"\n[evaluate]\nmetric = "rmse"\n[test]\npaths = ["test_score.py"]\n',
    "requirements.txt": "",
    "train.py": 'raise SystemExit("nobody trains here today")\n',
    "test_score.py": "import score\n\n\ndef test_it_answers_what_it_was_asked():\n    assert callable(score.run)\n",
    "score.py": """
import json, os, pathlib
def init():
    global slope
    slope = json.loads((pathlib.Path(os.environ["AZUREML_MODEL_DIR"]) / "weights.json").read_text())["slope"]
def run(raw_data):
    return [slope * row["x"] for row in json.loads(raw_data)["data"]]
""",
}
REGISTER = """
import sys
from pathlib import Path
from azureml.core import Model
from shared.backends.azure.workspace import Azure
from tools.demo.azure import scope
Model.register(Azure(scope(Path(sys.argv[1]))).workspace(), model_path=sys.argv[2], model_name=sys.argv[3])
"""


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    """A project whose own training fails, on a stack that goes to Azure; what others register is adopted."""
    source, data, state = tmp_path / "slopes", tmp_path / "data", tmp_path / "state"
    for folder in (source, data, state):
        folder.mkdir()
    for name, text in PROJECT.items():
        (source / name).write_text(text)
    (data / "all.csv").write_text("x,y\n" + "".join(f"{x / 20},{x / 10 + x * 7 % 13 - 6}\n" for x in range(400)))
    # Named by what is in it, as in every demo, so that the next run finds it.
    kept = Path(sys.prefix) / "jobs-test" / "azure-envs"
    kept.mkdir(parents=True, exist_ok=True)
    (state / "azure-envs").symlink_to(kept)
    rules = 'holdout = { by = "hash", fraction = 0.2 }\nregistered_elsewhere = "adopt"'
    (at,) = place.prepare(state, Given(source, data, rules=rules))
    with (
        Azure(state) as azure,
        Stack(state, at.projects_file, environment=azure.environment, storage="azurite", backend="azure") as stack,
    ):
        azure.publish_to(stack)
        yield Story(at, reach(state), stack.keys.topic, Console(), alone=True, azure=azure)


def register(story: Story, folder: Path, slope: float) -> None:
    """Be a colleague, with a process of one's own."""
    assert story.azure is not None
    folder.mkdir()
    (folder / "weights.json").write_text(json.dumps({"slope": slope}))
    told = [str(folder.parent / "sdk"), folder.name, story.at.project]
    surroundings = {**os.environ, **story.azure.environment, "PYTHONPATH": str(place.HOUSE)}
    # The SDK registers nothing that is not below where it works.
    subprocess.run([sys.executable, "-c", REGISTER, *told], cwd=folder.parent, env=surroundings, check=True)


def test_a_version_that_a_colleague_registered_is_judged_packaged_tried_approved_and_answers(
    story: Story, tmp_path: Path
) -> None:
    story.bring_data()
    pushed = story.release(place.head(story.at.working), "only to be checked")
    assert story.watch().follow(pushed["release"], until=lambda view: False)["state"] == "failed"

    register(story, tmp_path / "theirs", slope=2.0)
    watch = story.watch()
    opened = watch.opened(story.at.project, lambda view: view["release"] != pushed["release"], "what was registered")
    view = story.through(opened)

    assert story.azure is not None
    assert (view["state"], view["version"], view["cause"]) == ("live", 1, "adopted"), view["reason"]
    asked = partial(httpx.post, view["address"], timeout=30, trust_env=False)
    key = {"Authorization": f"Bearer {story.azure.key(story.at.project)}"}
    assert asked(json={"data": [{"x": 3.0}]}, headers=key).json() == [6.0]
    assert asked(json={}, headers=key).headers[ANSWERED_BY] == story.live()["release"] == opened["release"]
