"""Training by a published pipeline: started once, found again by its experiment, weighed like any training."""

import json
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from shared.backends.azure.workspace import Azure
from shared.backends.local import trees
from shared.errors import StepFailed, Unavailable
from shared.ports import JobReport, JobSpec
from tests.azure.jobs import RELEASE, Ground
from tests.azure.stand_in import StandIn

NAME = f"{RELEASE}-train-1"
START = "POST /pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/{pipeline}"
TRAINS = """
import pathlib
pathlib.Path("outputs/model").mkdir(parents=True)
pathlib.Path("outputs/model/m").write_text("m")
"""


@pytest.fixture
def ground(double: StandIn, azure: Azure, tmp_path: Path) -> Ground:
    """Jobs with no script of ours to run."""
    return Ground(double, azure, tmp_path / "ground")


def training(ground: Ground, script: str = TRAINS, endpoint: str = "") -> JobSpec:
    """Return the spec of a training by a pipeline whose step runs a script."""
    spec = ground.spec(step="train", kind="train", name=NAME)
    address = endpoint or ground.double.ask("POST", "/pipelines", script)["endpoint"]
    return msgspec.structs.replace(spec, target=msgspec.structs.replace(spec.target, pipeline=address))


def ended(ground: Ground) -> JobReport:
    """Return how the pipeline ended, once its own run, after that of its step, has told so."""
    told: Iterator[list[object]] = iter(lambda: ground.double.events("RunCompleted"), None)
    next(found for found in told if len(found) == 2)
    report = ground.find(NAME)
    assert report is not None
    return report


def test_a_pipeline_is_started_once_and_its_model_weighed(double: StandIn, ground: Ground, tmp_path: Path) -> None:
    assert ground.find(NAME) is None
    spec = training(ground)

    ground.submit(spec)
    ground.submit(spec)
    report = ended(ground)

    [body] = ground.bodies(START)
    assert body == {"ExperimentName": NAME, "ParameterAssignments": {"release": RELEASE}, "RunSource": "SDK"}
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "m").write_text("m")
    model = {"digest": trees.folder_digest(tmp_path / "model"), "files": 1, "bytes": 1}
    assert report.status == "completed"
    assert json.loads(report.result) == {"rows": 0, "holdout_rows": 0, "model": model, "labels": {}}
    assert {each["data"]["experimentName"] for each in double.events("RunCompleted")} == {NAME}


def test_an_answer_that_is_lost_starts_no_second_pipeline(double: StandIn, ground: Ground) -> None:
    spec = training(ground)
    double.plan("run", kind="hang")
    double.fault("POST */PipelineSubmit/*", "lost", times=1)

    with pytest.raises(Unavailable):
        ground.submit(spec)
    ground.submit(spec)

    assert len(double.requests(START)) == 1
    report = ground.find(NAME)
    assert report is not None
    assert report.status == "running"


def test_a_pipeline_that_leaves_no_model_says_where_to_put_it(ground: Ground) -> None:
    ground.submit(training(ground, "print('no model')"))

    report = ended(ground)

    assert report.status == "failed"
    assert "left no outputs/model" in report.reason
    assert "./outputs/model" in report.advice


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/1",
        "https://westeurope.api.azureml.ms.evil.example/pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/1",
        "https://westeurope.api.azureml.ms@evil.example/pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/1",
        "http://westeurope.api.azureml.ms/pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/1",
        "https://westeurope.api.azureml.ms/pipelines/v1.0/subscriptions/other/PipelineRuns/PipelineSubmit/1",
        "https://westeurope.api.azureml.ms/pipelines/v1.0{ws}/PipelineRuns/../../delete",
    ],
)
def test_our_token_goes_to_no_pipeline_but_of_our_workspace(ground: Ground, double: StandIn, address: str) -> None:
    spec = training(ground, endpoint=address.format(ws=ground.azure.scope.path))

    with pytest.raises(StepFailed, match="no published pipeline of workspace signalbox-ml"):
        ground.submit(spec)

    assert not [each for each in double.requests() if each["method"] == "POST" and "ipeline" in each["path"]]


def test_a_pipeline_that_is_gone_is_named(ground: Ground, double: StandIn) -> None:
    address = f"https://westeurope.api.azureml.ms/pipelines/v1.0{ground.azure.scope.path}/PipelineRuns/PipelineSubmit/1"

    with pytest.raises(StepFailed, match="PipelineNotFound"):
        ground.submit(training(ground, endpoint=address))
