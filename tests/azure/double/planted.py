"""What a test wants to find in Azure without having done it: runs that ended, and versions."""

from tests.azure.double.azure import Azure
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, route


@route("POST", "/plant", host=CONTROL)
def plant(azure: Azure, request: Request) -> Answer:
    """Plant `{"run", "experiment", "environment", "files": {path: text}}` as a completed run that raised nothing.

    `{"models": [...]}` are versions that somebody registered.
    """
    told = request.json()
    with azure.lock:
        if "models" in told:
            for each in told["models"]:
                azure.models.register({"url": "aml://asset/none", "mimeType": "application/json", **each})
            return Answer(204)
        definition = {"environment": told.get("environment", {}), "script": "signalbox/on_azure.py"}
        run = azure.runs.make(told["experiment"], told["run"], definition)
        run["status"] = "Completed"
        for path, text in told["files"].items():
            azure.artifacts.put("ExperimentRun", f"dcid.{told['run']}", path, text.encode())
    return Answer(204)
