"""The script that holds an image against a live address finds what differs and what was changed."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.cli import stand_in

HOUSE = Path(__file__).resolve().parents[2]
SCORE = """
import json, os
def init():
    global slope
    slope = float(open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "slope")).read())
def run(raw):
    return [slope * row["x"] for row in json.loads(raw)["data"]]
"""
SCHEMA = {"input": "records", "order": ["x"], "columns": [{"name": "x", "type": "integer"}]}


def store(layout: Path, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    (layout / "blobs/sha256").mkdir(parents=True, exist_ok=True)
    (layout / "blobs/sha256" / digest).write_bytes(content)
    return f"sha256:{digest}"


def image(layout: Path) -> str:
    """Write an image of one layer and return the layer's digest."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, text in {"app/score.py": SCORE, "m/slope": "2", "s/schema.json": json.dumps(SCHEMA)}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    layer = store(layout, gzip.compress(packed.getvalue(), mtime=0))
    variables = ["SIGNALBOX_SCORE=/app/score.py", "AZUREML_MODEL_DIR=/m", "SIGNALBOX_SCHEMA=/s/schema.json"]
    config = store(layout, json.dumps({"config": {"Env": variables}}).encode())
    manifest = store(layout, json.dumps({"config": {"digest": config}, "layers": [{"digest": layer}]}).encode())
    tag = {"org.opencontainers.image.ref.name": "r1"}
    (layout / "index.json").write_text(json.dumps({"manifests": [{"digest": manifest, "annotations": tag}]}))
    return layer


def verify(tmp_path: Path, answers: object) -> subprocess.CompletedProcess[str]:
    data = tmp_path / "data.csv"
    data.write_text("x,price\n" + "3,1\n" * 30)
    with stand_in.standing_in(tmp_path / "state") as stack:
        stack.answers["POST /score"] = (200, answers)
        script = [sys.executable, HOUSE / "tools/verify_image.py", tmp_path, "r1", f"{stack.url}/score", data]
        return subprocess.run(script, capture_output=True, text=True, cwd=tmp_path, check=False)


def test_equal_answers_are_counted(tmp_path: Path) -> None:
    image(tmp_path)
    ran = verify(tmp_path, [6.0])
    assert ran.returncode == 0, ran.stderr
    assert "20 of 20 equal" in ran.stdout


def test_an_answer_that_differs_is_a_failure(tmp_path: Path) -> None:
    image(tmp_path)
    ran = verify(tmp_path, [6.5])
    assert ran.returncode == 1
    assert "0 of 20 equal" in ran.stdout


def test_a_changed_layer_is_refused_before_anything_of_it_runs(tmp_path: Path) -> None:
    layer = image(tmp_path)
    (tmp_path / "blobs" / layer.replace(":", "/")).write_bytes(b"other bytes")
    ran = verify(tmp_path, [6.0])
    assert ran.returncode == 1
    assert "does not hold what its name says" in ran.stderr
