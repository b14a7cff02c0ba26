"""The demo reads one row of the data by an environment of the jobs, to send it as a user would."""

import json
from pathlib import Path
from typing import Any

import pytest

from tools.demo import predict
from tools.demo.place import Place

# The first test builds an environment, which on a fresh machine is a download.
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    ("file", "content", "first"),
    [
        ("a.csv", "ok;when;price\ntrue;2024-01-01;1\nfalse;NA;2\n", {"ok": True, "when": "2024-01-01", "price": 1}),
        ("a.csv", "n,price\nNA,1\n3.5,2\n", {"n": None, "price": 1}),
        ("a.csv", "\ufeffn,price\r\n" + "1,1\r\n" * 300 + "x,2\r\n", {"n": "1", "price": 1}),
        ("a.csv", ',text,price\n0,"two\nlines",1\n', {"Unnamed: 0": 0, "text": "two\nlines", "price": 1}),
        ("a.jsonl", '{"price": null, "n": 1}\n{"price": 2, "n": 7}\n', {"price": None, "n": 1}),
    ],
)
def test_the_demo_reads_a_row_with_the_types_of_the_jobs(
    tmp_path: Path, job_python: str, file: str, content: str, first: dict[str, Any]
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_bytes(content.encode())
    (tmp_path / "envs/key").mkdir(parents=True)
    (tmp_path / "envs/key/venv").symlink_to(Path(job_python).parents[1])
    settings = {"data": {"target": "price", "files": file}}
    read = predict.read(Place(tmp_path, "p", tmp_path, tmp_path / "data", settings))[0]
    assert json.dumps(read) == json.dumps(first)
