"""A release of a tiny model, up to its training job, for the tests of what comes after it."""

import asyncio
import io
import json
import tarfile
from pathlib import Path

import msgspec

from shared.backends.local import trees
from shared.backends.local.artifacts import FileArtifacts
from shared.ports import ImageSpec, JobReport

RELEASE = "0123456789abcdef0123"
OTHER = "fedcba98765432100123"
SCORE = """
import json, os
def init():
    global weights
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.json")) as file:
        weights = json.load(file)
def run(raw_data):
    return [sum(row[name] * weight for name, weight in weights.items()) for row in json.loads(raw_data)["data"]]
"""
COLUMNS = [{"name": name, "type": "number", "nullable": False} for name in ("a", "b")]
SCHEMA = json.dumps({"input": "records", "columns": COLUMNS, "order": ["a", "b"]})


def tar(files: dict[str, bytes]) -> bytes:
    """Return files as a snapshot."""
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return contents.getvalue()


def code(state: Path, score: str = SCORE) -> str:
    """Store a snapshot and return its digest."""
    return asyncio.run(FileArtifacts(state).put(tar({"score.py": score.encode(), "requirements.txt": b""})))


def trained(state: Path, release: str = RELEASE, weights: str = '{"a": 2, "b": 3}') -> str:
    """Leave what a training job leaves and return the reference to its model."""
    folder = state / "jobs" / f"{release}-train-1"
    model = folder / "outputs" / "model"
    model.mkdir(parents=True)
    (model / "weights.json").write_text(weights)
    (model / "notes").mkdir()
    (model / "notes" / "readme.txt").write_text("two weights")
    result = json.dumps({"model": {"digest": trees.folder_digest(model)}})
    (folder / "status.json").write_bytes(msgspec.json.encode(JobReport("completed", result=result)))
    return f"job:{release}-train-1/model"


def image(state: Path, release: str = RELEASE, version: int = 1, score: str = SCORE, **changes: object) -> ImageSpec:
    """Return the spec of the image of that release, whose training is done."""
    return msgspec.structs.replace(
        ImageSpec(
            project="tiny",
            release=release,
            version=version,
            code=code(state, score),
            model=f"job:{release}-train-1/model",
            requirements="requirements.txt",
            entry="score.py",
            schema=SCHEMA,
            provenance={"release": release, "commit": "c" * 40, "data": "d" * 20},
        ),
        **changes,
    )
