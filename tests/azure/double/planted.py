"""What a test wants to find in Azure without having done it: runs that ended, with what they left."""

from tests.azure.double.azure import Azure
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, route


@route("POST", "/plant", host=CONTROL)
def plant(azure: Azure, request: Request) -> Answer:
    """Plant `{"run", "experiment", "environment", "files": {path: text}}` as a completed run that raised nothing."""
    told = request.json()
    with azure.lock:
        definition = {"environment": told.get("environment", {}), "script": "signalbox/on_azure.py"}
        run = azure.runs.make(told["experiment"], told["run"], definition)
        run["status"] = "Completed"
        for path, text in told["files"].items():
            azure.artifacts.put("ExperimentRun", f"dcid.{told['run']}", path, text.encode())
    return Answer(204)
