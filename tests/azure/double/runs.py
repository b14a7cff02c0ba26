"""Runs of the run history, and how they are submitted, shown, cancelled and listed.

The runId pattern is that of the public specification. Assumed: a second submit with a known runId is answered 409,
a compute target that is not there 404, and cancelling is asked of the address that the run itself names.
"""

import re
import time
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.faults import QUOTA
from tests.azure.double.login import token
from tests.azure.double.machines import Machines, Work
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, error, route

ENDED = ("Completed", "Failed", "Canceled")
NAME = re.compile(r"[a-zA-Z0-9][\w-]{0,255}")
SCRIPT_RUN = "azureml.scriptrun"
EVENT = "Microsoft.MachineLearningServices"


def now() -> str:
    """Return the time as the service writes it."""
    return datetime.now(UTC).isoformat()


@area("runs")
class Runs:
    """The runs there are, by id, as the service shows them; `machines` is where they are run."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._kept: dict[str, dict[str, Any]] = {}
        self.machines = Machines(azure)

    def make(
        self, experiment: str, run: str, definition: dict[str, Any], kind: str = SCRIPT_RUN, parent: str = ""
    ) -> dict[str, Any]:
        """Make a run that has not begun; `parent` is the run of the pipeline whose step it is."""
        its = self._azure.settings
        where = f"https://{its.location}.experiments.azureml.net/execution/v1.0{its.ws}"
        self._kept[run] = {
            "runNumber": len(self._kept) + 1,
            "rootRunId": parent or run,
            "parentRunId": parent or None,
            "experimentId": self._azure.experiments.make(experiment)["experimentId"],
            "createdUtc": now(),
            "runId": run,
            "status": "NotStarted",
            "dataContainerId": f"dcid.{run}",
            "runType": kind,
            "properties": {},
            "tags": {},
            "scriptName": definition.get("script"),
            "target": definition.get("target"),
            "runDefinition": definition,
            "createdBy": {"userName": "Signalbox"},
            "cancelUri": f"{where}/experiments/{experiment}/runId/{run}/cancel",
        }
        return self._kept[run]

    def find(self, run: str) -> dict[str, Any] | None:
        """Return a run."""
        return self._kept.get(run)

    def under(self, experiment: str) -> list[dict[str, Any]]:
        """Return the runs of an experiment, by its id."""
        return [run for run in self._kept.values() if run["experimentId"] == experiment and not run["parentRunId"]]

    def below(self, parent: str) -> list[dict[str, Any]]:
        """Return the steps of a pipeline's run."""
        return [run for run in self._kept.values() if run["parentRunId"] == parent]

    def set(self, run: str, status: str, words: str = "", code: str = "UserError") -> bool:
        """Let a run take a status and tell the world of it; False when it has ended, or is not there any more."""
        with self._azure.lock:
            its = self._kept.get(run)
            if its is None or its["status"] in ENDED:
                return False
            its["status"] = status
            if status == "Running":
                its["startTimeUtc"] = now()
            if words:
                its["error"] = {"error": {"code": code, "message": words, "details": []}, "time": now()}
            if status in ENDED:
                its["endTimeUtc"] = now()
                self._tell(its)
            return True

    def _tell(self, run: dict[str, Any]) -> None:
        experiment = self._azure.experiments.find(identity=run["experimentId"])
        data = {
            "experimentId": run["experimentId"],
            "experimentName": experiment["name"],
            "runId": run["runId"],
            "runType": run["runType"],
            "runTags": run["tags"],
            "runProperties": run["properties"],
        }
        subject = f"experiments/{run['experimentId']}/runs/{run['runId']}"
        if run["status"] == "Completed":
            self._azure.events.raise_(f"{EVENT}.RunCompleted", subject, data)
        else:
            self._azure.events.raise_(f"{EVENT}.RunStatusChanged", subject, data | {"runStatus": run["status"]})

    def close(self) -> None:
        """End everything that runs."""
        self.machines.close()


def _absent(run: str) -> Answer:
    return error(404, "UserError", f"Run {run} was not found.")


def _shown(azure: Azure, run: str) -> Answer:
    found = azure.runs.find(run)
    return _absent(run) if found is None else Answer(body=found)


@route("POST", "/execution/v1.0{ws}/experiments/{experiment}/snapshotrun")
def submit(azure: Azure, request: Request, experiment: str) -> Answer:
    """Take a run and begin with it."""
    told, run = request.json(), request.query.get("runId", "")
    definition = told["Configuration"]
    if not NAME.fullmatch(run):
        return error(400, "UserError", f"The run id {run!r} is not valid.")
    if azure.runs.find(run):
        return error(409, "UserError", f"A run with id {run} already exists.")
    if azure.snapshots.find(told["SnapshotId"]) is None:
        return error(404, "UserError", f"Snapshot {told['SnapshotId']} was not found.")
    if not azure.computes.is_ready(definition["target"]):
        words = f"The compute target {definition['target']} was not found or is not ready."
        return error(404, "ComputeTargetNotFound", words)
    fault = azure.faults.take("run") or {}
    if fault.get("kind") == "refused":
        return error(400, "UserError", str(fault.get("words", QUOTA)))
    azure.runs.make(experiment, run, definition)
    azure.runs.machines.begin(Work(run, experiment, told["SnapshotId"], definition, fault))
    return Answer(body={"runId": run})


@route("GET", "/history/v1.0{ws}/runs/{run}", shape="RunDto")
def show(azure: Azure, request: Request, run: str) -> Answer:
    """Show a run."""
    return _shown(azure, run)


@route("GET", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}", shape="RunDto")
def show_by_name(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Show a run of an experiment."""
    found = azure.runs.find(run)
    here = azure.experiments.find(experiment)
    return _shown(azure, run) if found and here and found["experimentId"] == here["experimentId"] else _absent(run)


@route("GET", "/history/v1.0{ws}/experimentids/{experiment}/runs/{run}", shape="RunDto")
def show_by_id(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Show a run of an experiment."""
    found = azure.runs.find(run)
    return _shown(azure, run) if found and found["experimentId"] == experiment else _absent(run)


@route("PATCH", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}", shape="RunDto")
def change(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Add to the properties and tags of a run."""
    found = azure.runs.find(run)
    if found is None:
        return _absent(run)
    told = request.json()
    for name in ("properties", "tags"):
        found[name] |= told.get(name) or {}
    found["displayName"] = told.get("displayName") or found.get("displayName")
    return Answer(body=found)


@route("PATCH", "/history/v1.0{ws}/experimentids/{experiment}/runs/{run}", shape="RunDto")
def change_by_id(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Add to the properties and tags of a run."""
    return change(azure, request, experiment, run)


@route("GET", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}/details", shape="RunDetailsDto")
def details(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Show a run with its definition and its log files."""
    found = azure.runs.find(run)
    if found is None:
        return _absent(run)
    azure.runs.machines.show_log(run)
    kept = "runId target status startTimeUtc endTimeUtc error properties runDefinition".split()
    shown = {name: found.get(name) for name in kept if found.get(name) is not None}
    origin = ("ExperimentRun", f"dcid.{run}")
    logs = [path for path in azure.artifacts.paths(*origin) if path.startswith(("user_logs/", "azureml-logs/"))]
    files = {path: azure.artifacts.place(*origin, path)["contentUri"] for path in logs}
    return Answer(body=shown | {"logFiles": files, "warnings": [], "inputDatasets": [], "outputDatasets": []})


@route("POST", "/execution/v1.0{ws}/experiments/{experiment}/runId/{run}/cancel")
def cancel(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Ask a run to end."""
    if azure.runs.find(run) is None:
        return _absent(run)
    if azure.runs.set(run, "CancelRequested"):
        azure.runs.machines.cancel(run)
    return Answer(200)


@route("POST", "/history/v1.0{ws}/experiments/{experiment}/runs:query", shape="PaginatedRunDto")
def listed(azure: Azure, request: Request, experiment: str) -> Answer:
    """List the runs of an experiment, newest first."""
    found = azure.experiments.find(experiment)
    runs = azure.runs.under(found["experimentId"]) if found else []
    return Answer(body={"value": runs[::-1], "continuationToken": None})


@route("GET", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}/token", shape="TokenResult")
def token_of(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Give a run a new token."""
    made, life = token(azure, "https://ml.azure.com", run)
    until = datetime.fromtimestamp(time.time() + life, UTC).isoformat()
    return Answer(body={"token": made, "expiryTimeUtc": until})


@route("POST", "/runs/{run}/{status}", host=CONTROL)
def let_take(azure: Azure, request: Request, run: str, status: str) -> Answer:
    """Let a run take a status, as if it had come to it."""
    azure.runs.set(run, status)
    return Answer(204)


@route("GET", "/runs/{run}/files", host=CONTROL)
def files(azure: Azure, request: Request, run: str) -> Answer:
    """Show what was submitted for a run, as text by path."""
    return Answer(body=azure.runs.machines.files(run))


@route("GET", "/runs/{run}/artifacts", host=CONTROL)
def left(azure: Azure, request: Request, run: str) -> Answer:
    """Show what a run left, as text by path."""
    origin = ("ExperimentRun", f"dcid.{run}")
    found = {path: azure.artifacts.get(*origin, path) for path in azure.artifacts.paths(*origin)}
    return Answer(body={path: (content or b"").decode("utf-8", "replace") for path, content in found.items()})


@route("GET", "/tokens", host=CONTROL)
def tokens(azure: Azure, request: Request) -> Answer:
    """Show every token that was given: a test looks that none of them is kept anywhere."""
    return Answer(body=list(azure.tokens))
