"""Published pipelines: one that a test publishes has one step, whose script is really run when it is started.

Assumed: the run of a pipeline and that of its step both raise events, the step's first; parameters that a pipeline
does not declare are ignored.
"""

import uuid

from tests.azure.double.azure import Azure, area
from tests.azure.double.machines import Work
from tests.azure.double.proxy import CONTROL
from tests.azure.double.snapshots import CONTAINER
from tests.azure.double.wire import Answer, Request, error, route

SCRIPT = "train.py"


@area("pipelines")
class Pipelines:
    """The published pipelines: the snapshot that each one runs, by id."""

    def __init__(self, azure: Azure) -> None:
        self.published: dict[str, str] = {}


@route("POST", "/pipelines", host=CONTROL)
def publish(azure: Azure, request: Request) -> Answer:
    """Publish a pipeline whose one step runs the text that is sent, and say where it is started."""
    pipeline, snapshot, blob = (str(uuid.uuid4()) for _ in range(3))
    azure.accounts.put(CONTAINER, blob, request.json().encode())
    latest = azure.snapshots.latest
    azure.snapshots.keep(snapshot, {}, {SCRIPT: blob})
    azure.snapshots.latest = latest
    azure.pipelines.published[pipeline] = snapshot
    its = azure.settings
    return Answer(body={"endpoint": f"{its.api}/pipelines/v1.0{its.ws}/PipelineRuns/PipelineSubmit/{pipeline}"})


@route("POST", "/pipelines/v1.0{ws}/PipelineRuns/PipelineSubmit/{pipeline}")
def start(azure: Azure, request: Request, pipeline: str) -> Answer:
    """Start a published pipeline."""
    snapshot = azure.pipelines.published.get(pipeline)
    if snapshot is None:
        return error(404, "PipelineNotFound", f"Pipeline {pipeline} was not found.")
    experiment = request.json()["ExperimentName"]
    run, step = str(uuid.uuid4()), str(uuid.uuid4())
    azure.runs.make(experiment, run, {}, "azureml.PipelineRun")
    azure.runs.set(run, "Running")
    definition = {"script": SCRIPT, "environment": {}, "environmentVariables": {}}
    azure.runs.make(experiment, step, definition, "azureml.StepRun", run)
    azure.runs.machines.begin(Work(step, experiment, snapshot, definition, azure.faults.take("run") or {}, parent=run))
    return Answer(body={"Id": run})


@route("GET", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}/children", shape="PaginatedRunDto")
def children(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """List the steps of a pipeline's run."""
    return Answer(body={"value": azure.runs.below(run), "continuationToken": None})
