"""Packages: images that are built from a model, an environment and source, and pushed to the workspace's registry.

No image is really built: its digest is that of what would be in it. Assumed: the states and the error of a failed
build; the log is a blob that whoever holds its address may read.
"""

import hashlib
import json
import threading
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.models import MMS
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, error, route

EVENT = "Microsoft.ContainerRegistry.ImagePushed"
MEDIA = "application/vnd.docker.distribution.manifest.v2+json"
REGISTRY = "Failed to push the image: the registry {registry}.azurecr.io could not be reached (connection refused)."
BUILD = "Image build failed. For more details, check the build log."


@area("operations")
class Operations:
    """What was begun and takes time, as the service shows it."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._kept: dict[str, dict[str, Any]] = {}
        self._at_work: list[threading.Thread] = []

    def work(self, call: Callable[..., None], *arguments: Any) -> None:
        """Go on with something in a thread of its own."""
        thread = threading.Thread(target=call, args=arguments, daemon=True)
        self._at_work.append(thread)
        thread.start()

    def settle(self, seconds: float) -> bool:
        """Wait until all is done that goes on by itself; False when it is not by then."""
        until = time.monotonic() + seconds
        for thread in list(self._at_work):
            thread.join(max(0.0, until - time.monotonic()))
        self._at_work = [thread for thread in self._at_work if thread.is_alive()]
        return not self._at_work

    def begin(self, kind: str) -> dict[str, Any]:
        """Begin an operation."""
        name = uuid.uuid4().hex
        log = f"ImageLogs/{name}/build.log"
        self._azure.accounts.put("azureml", log, b"")
        self._kept[name] = {
            "id": name,
            "operationType": kind,
            "state": "Running",
            "createdTime": datetime.now(UTC).isoformat(),
            "operationLog": self._azure.accounts.url("azureml", log),
        }
        return self._kept[name]

    def find(self, name: str) -> dict[str, Any] | None:
        """Return an operation."""
        return self._kept.get(name)

    def say(self, operation: dict[str, Any], text: str) -> None:
        """Write the log of an operation."""
        self._azure.accounts.put("azureml", f"ImageLogs/{operation['id']}/build.log", text.encode())

    def end(self, operation: dict[str, Any], code: str = "", words: str = "", made: str = "") -> None:
        """End an operation, badly when there are words."""
        operation["state"] = "Failed" if words else "Succeeded"
        operation["endTime"] = datetime.now(UTC).isoformat()
        if words:
            operation["error"] = {"code": code, "statusCode": 400, "message": words, "details": []}
        else:
            operation["resourceLocation"] = made

    def taken(self, operation: dict[str, Any]) -> Answer:
        """Return the answer that says where to look."""
        its = self._azure.settings
        where = f"https://{its.location}.modelmanagement.azureml.net/modelmanagement/v1.0{its.ws}"
        return Answer(202, {}, {"Operation-Location": f"{where}/operations/{operation['id']}"})


@route("POST", MMS + "/packages")
def package(azure: Azure, request: Request) -> Answer:
    """Begin to build an image."""
    told = request.json()
    for model in told["imageRequest"]["modelIds"]:
        if azure.models.find(model) is None:
            return error(404, "ModelNotFound", f"Model with id {model} is not found.")
    operation = azure.operations.begin("PackageDockerImage")
    # Taken now: a fault that is planned after this one was asked for is about another.
    fault = azure.faults.take("package") or {}
    azure.operations.work(_build, azure, operation, told, fault)
    taken: Answer = azure.operations.taken(operation)
    return taken


def _build(azure: Azure, operation: dict[str, Any], told: dict[str, Any], fault: dict[str, Any]) -> None:
    if fault.get("kind") == "late":
        azure.faults.released.wait()
    with azure.lock:
        azure.operations.say(operation, fault.get("log", "Step 1/9 : FROM base\nSuccessfully tagged\n"))
        if fault.get("kind") == "failed":
            azure.operations.end(operation, "ImageBuildFailure", fault.get("words", BUILD))
            return
        if fault.get("kind") == "registry":
            words = REGISTRY.format(registry=azure.settings.registry)
            azure.operations.end(operation, "ContainerRegistryUnreachable", words)
            return
        if fault.get("kind") == "timeout":
            operation["state"] = "TimedOut"
            return
        pushed(azure, told)
        registry = f"{azure.settings.registry}.azurecr.io"
        azure.operations.end(operation, made=f"{registry}/{told['imageName']}:{told['imageLabel']}")


def pushed(azure: Azure, told: dict[str, Any]) -> None:
    """Raise ImagePushed with a digest of what the image would hold."""
    image = told["imageRequest"]
    sources = [_content(azure, each["url"]) for each in image["assets"]]
    held = [image["modelIds"], image["environment"], [hashlib.sha256(each).hexdigest() for each in sources]]
    digest = f"sha256:{hashlib.sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()}"
    name, label = told["imageName"], told["imageLabel"]
    size = sum(map(len, sources))
    target = {"mediaType": MEDIA, "size": size, "digest": digest, "length": size, "repository": name, "tag": label}
    host = f"{azure.settings.registry}.azurecr.io"
    data = {"id": uuid.uuid4().hex, "action": "push", "target": target, "request": {"host": host, "method": "PUT"}}
    azure.events.raise_(EVENT, f"{name}:{label}", data)


def _content(azure: Azure, url: str) -> bytes:
    origin, container, path = url.removeprefix("aml://artifact/").split("/", 2)
    return bytes(azure.artifacts.get(origin, container, path) or b"")


@route("POST", "/settled", host=CONTROL)
def settled(azure: Azure, request: Request) -> Answer:
    """Answer once all packages and deployments are done that were begun."""
    return Answer(body=azure.operations.settle(60.0))


@route("GET", MMS + "/operations/{name}", shape="AsyncOperationStatus")
def show(azure: Azure, request: Request, name: str) -> Answer:
    """Show an operation."""
    found = azure.operations.find(name)
    return Answer(body=found) if found else error(404, "OperationNotFound", f"Operation {name} is not found.")
