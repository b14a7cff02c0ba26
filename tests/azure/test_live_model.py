"""The live model beside a candidate: as it was packaged, with the files that were approved, in its own environment."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from shared.backends.azure.runs import SCRIPTS
from shared.ports import JobReport
from tests.azure.jobs import Ground
from tests.azure.releases import OTHER, PROJECT, RELEASE, SCORE, Tiny
from tests.azure.stand_in import StandIn

NAME = f"{OTHER}-evaluate-1"
TELLS = """
import json, pathlib
told = json.loads(pathlib.Path("inputs/champion").read_text())
files = sorted(path.relative_to(told["model_dir"]).as_posix() for path in pathlib.Path(told["model_dir"]).rglob("*.*"))
score, schema = (pathlib.Path(told[name]).read_text() for name in ("score", "schema"))
result = {"python": told["python"], "files": files, "score": score, "schema": json.loads(schema)}
json.dump(result, open("outputs/result.json", "w"))
"""


@pytest.fixture
def ground(tiny: Tiny, double: StandIn, tmp_path: Path) -> Ground:
    """Jobs that tell what they know of the live model."""
    return Ground(double, tiny.azure, tmp_path / "ground", tiny.artifacts, evaluate=TELLS)


def evaluated(ground: Ground, digest: str) -> JobReport:
    """Let a job compare with what a manifest names, and return how it ended."""
    spec = ground.spec(
        step="evaluate", kind="evaluate", name=NAME, release=OTHER, inputs={"champion": f"image:{digest}"}
    )
    ground.submit(spec)
    return ground.ended(NAME)


def test_the_live_model_is_what_its_manifest_names(tiny: Tiny, ground: Ground) -> None:
    digest = tiny.package()

    report = evaluated(ground, digest)

    told = json.loads(report.result)
    assert (report.status, report.reason) == ("completed", "")
    assert told["files"] == ["notes/readme.txt", "weights.json"]
    assert told["score"] == SCORE
    assert told["schema"]["columns"]
    # It was trained with other packages than the run that compares has.
    assert told["python"] != sys.executable
    assert "making it" in ground.log(NAME)


def test_a_version_that_others_registered_is_judged_by_its_own_files(
    tiny: Tiny, double: StandIn, tmp_path: Path
) -> None:
    tiny.register()
    lists = """
import json, pathlib
found = pathlib.Path("inputs/model")
files = sorted(path.relative_to(found).as_posix() for path in found.rglob("*.*"))
json.dump({"files": files}, open("outputs/result.json", "w"))
"""
    ground = Ground(double, tiny.azure, tmp_path / "ground", tiny.artifacts, evaluate=lists)

    for number, told in ((1, ("completed", "")), (7, ("failed", "version 7 of tiny could not be had"))):
        name = f"{OTHER}-evaluate-{number}"
        inputs = {"model": f"version:{PROJECT}:{number}"}
        ground.submit(ground.spec(step="evaluate", kind="evaluate", name=name, release=OTHER, inputs=inputs))
        report = ground.ended(name)
        assert (report.status, report.reason[: len(told[1])]) == told
        if number == 1:
            assert json.loads(report.result)["files"] == ["notes/readme.txt", "weights.json"]


def test_a_live_model_with_other_files_than_approved_is_not_compared_with(
    tiny: Tiny, ground: Ground, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    from azure_run import live_model

    manifest = json.loads(asyncio.run(tiny.artifacts.get(tiny.package()))) | {"digest": "sha256:" + "0" * 64}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))

    with pytest.raises(Exception, match="the live model is not what was approved"):
        ground.with_run(
            f"{RELEASE}-train-1", lambda run: live_model.describe(run, tmp_path, tmp_path, tmp_path / "champion")
        )
