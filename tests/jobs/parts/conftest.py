"""A tiny project to run the jobs' parts on; these tests run in a project's environment, not in the app's."""

import json
import random
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

SHARED_JOBS = Path(__file__).resolve().parents[3] / "shared" / "jobs"
sys.path.insert(0, str(SHARED_JOBS / "serving"))
sys.path.insert(0, str(SHARED_JOBS))

from signalbox_job.outcome import Job  # noqa: E402

TRAIN = """\
import argparse, json, pathlib
parser = argparse.ArgumentParser()
for name in ("--data", "--output", "--seed"):
    parser.add_argument(name)
told = parser.parse_args()
pathlib.Path(told.output, "model.json").write_text(json.dumps({"a": 2.0, "b": 1.0}))
"""
SCORE = """\
import json, os, pathlib
def init():
    global weights
    weights = json.loads(pathlib.Path(os.environ["AZUREML_MODEL_DIR"], "model.json").read_text())
def run(raw_data):
    return [weights["a"] * row["a"] + weights["b"] * row["b"] for row in json.loads(raw_data)["data"]]
"""
SETTINGS = {"files": "*.csv", "target": "y", "seed": 7, "holdout": {"by": "hash", "fraction": 0.3}, "metric": "rmse"}


def weighted(rows: int, seed: int = 1) -> list[dict[str, Any]]:
    """Make rows whose y is 2 a + b and some noise."""
    chance = random.Random(seed)
    made = []
    for _ in range(rows):
        a, b = round(chance.uniform(-5, 5), 3), round(chance.uniform(-5, 5), 3)
        made.append({"a": a, "b": b, "y": round(2 * a + b + chance.gauss(0, 1), 3)})
    return made


class Tiny:
    """A job folder with the code, the data and a model of a project of two columns."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.code, self.data = folder, folder / "code", folder / "data"
        self.model = folder / "model"
        for path in (self.code, self.data, self.model):
            path.mkdir(parents=True)
        self.write("train.py", TRAIN)
        self.write("score.py", SCORE)
        self.weights(2.0, 1.0)

    def write(self, name: str, text: str) -> None:
        """Write a file of the project."""
        path = self.code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def weights(self, a: float, b: float) -> None:
        """Set the model."""
        (self.model / "model.json").write_text(json.dumps({"a": a, "b": b}))

    def rows(self, name: str, rows: Sequence[dict[str, Any]]) -> None:
        """Write a CSV file of the data; None is an empty cell."""
        lines = [",".join(rows[0])]
        lines += [",".join("" if value is None else str(value) for value in row.values()) for row in rows]
        (self.data / name).write_text("\n".join(lines) + "\n")

    def champion(self, a: float, b: float, score: str = SCORE, **more: Any) -> Path:
        """Write another model as an image gives it, and return its descriptor."""
        folder = self.folder / "champion"
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "model").mkdir(parents=True)
        (folder / "layer").mkdir()
        (folder / "score.py").write_text(score)
        (folder / "model" / "model.json").write_text(json.dumps({"a": a, "b": b}))
        told = {
            "python": sys.executable,
            "path": [str(folder / "layer")],
            "score": str(folder / "score.py"),
            "model_dir": str(folder / "model"),
        }
        (folder / "image.json").write_text(json.dumps(told | more))
        return folder / "image.json"

    def job(self, kind: str = "check", inputs: dict[str, Path] | None = None, **settings: Any) -> Job:
        """Describe a job on the project as it stands."""
        (self.folder / "outputs").mkdir(exist_ok=True)
        named = {name: value for name, value in (inputs or {}).items()}
        return Job(
            "r-x-1", kind, "tiny", "r" * 20, kind, SETTINGS | settings, self.code, self.data,
            self.folder / "outputs", {"model": self.model} | named, sys.executable,
        )  # fmt: skip


@pytest.fixture
def tiny(tmp_path: Path) -> Tiny:
    """A project with 80 rows of data."""
    project = Tiny(tmp_path / "job")
    project.rows("rows.csv", weighted(80))
    return project


@pytest.fixture
def make_rows() -> Callable[..., list[dict[str, Any]]]:
    """Return how to make rows."""
    return weighted


@pytest.fixture
def elsewhere() -> Callable[[Job, Path], Job]:
    """Return how to point a job at other data."""
    return lambda job, data: replace(job, data=data)
