"""Training by a published pipeline of the workspace, in place of our own script.

Its run has an id that the service chooses, so it stands in an experiment that is called like the job: there it is
found again, and RunCompleted, which names the experiment, leads back. Whether a pipeline that does not declare a
parameter refuses or ignores it was never tried on Azure: only a release is told, as `release`.
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.backends.local import trees
from shared.errors import NotFound, StepFailed
from shared.ports import JobSpec

MODEL = "outputs/model/"
TRAINS = re.compile(r"-train-\d+$")
HOST = re.compile(r"[a-z0-9-]+\.(api|pipelines)\.azureml\.ms")


def submit(azure: Azure, spec: JobSpec) -> None:
    """Start the pipeline unless a run of this job is there; call it in a guarded thread."""
    address = checked(azure.scope, spec.target.pipeline)
    if next(runs(azure.workspace(), spec.name), None) is not None:
        return
    try:
        azure.ask(f"a run of the pipeline for {spec.name}", _post, azure, address, spec)
    except NotFound as error:
        raise StepFailed(str(error), "publish it again, or correct [train] pipeline_endpoint, and push") from error


def checked(scope: Scope, address: str) -> str:
    """Return the address when it is a published pipeline of our workspace: our token goes nowhere else.

    It stands in the repository, so whoever may push would otherwise choose who gets that token.
    """
    parts = urlsplit(address)
    path = re.sub("/+", "/", parts.path).lower()
    ours = parts.scheme == "https" and parts.username is None and parts.port in (None, 443)
    ours = ours and HOST.fullmatch(parts.hostname or "") is not None and ".." not in path
    if ours and path.startswith(f"/pipelines/v1.0{scope.path.lower()}/pipelineruns/"):
        return address
    reason = f"pipeline_endpoint is {address!r}, which is no published pipeline of workspace {scope.workspace}"
    raise StepFailed(reason, "copy the REST endpoint of the published pipeline into [train] pipeline_endpoint")


def may_have_done(name: str) -> bool:
    """Say whether a job of this name may have been done by a pipeline: only training is."""
    return TRAINS.search(name) is not None


def runs(workspace: Any, name: str) -> Iterator[Any]:
    """Yield the runs of the pipeline that did a job, newest first; none when it was never started."""
    from azureml.core import Experiment

    for experiment in Experiment.list(workspace, experiment_name=name):
        yield from experiment.get_runs()


def result(run: Any, state: Path) -> dict[str, Any] | None:
    """Return what a training job's result says, of the model that a run or one of its steps left in outputs/model.

    How many rows it was trained on is not known here: 0. None when there is no model.
    """
    found = holder(run)
    if found is None:
        return None
    names = [name for name in found.get_file_names() if name.startswith(MODEL)]
    return {"rows": 0, "holdout_rows": 0, "model": _weighed(found, names, state), "labels": {}}


def holder(run: Any) -> Any | None:
    """Return a pipeline's run, or the one of its steps, that left a model in its outputs."""
    for each in (run, *run.get_children()):
        if any(name.startswith(MODEL) for name in each.get_file_names()):
            return each
    return None


def _weighed(run: Any, names: list[str], state: Path) -> dict[str, Any]:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=state) as folder:
        for name in names:
            target = trees.below(Path(folder), name.removeprefix(MODEL))
            target.parent.mkdir(parents=True, exist_ok=True)
            run.download_file(name, str(target))
        size = sum(path.stat().st_size for _, path in trees.files(Path(folder)))
        return {"digest": trees.folder_digest(Path(folder)), "files": len(names), "bytes": size}


def _post(azure: Azure, address: str, spec: JobSpec) -> None:
    import requests

    told = {"ExperimentName": spec.name, "ParameterAssignments": {"release": spec.release}, "RunSource": "SDK"}
    headers = azure.authentication().get_authentication_header() | {"Content-Type": "application/json"}
    answer = requests.post(address, data=msgspec.json.encode(told), headers=headers, allow_redirects=False)
    # The guard has read the refusal: it is what the error is told with.
    answer.raise_for_status()
