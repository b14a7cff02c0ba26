"""Events as Azure writes them, posted to the host's webhook by curl: what an operator can do when one was lost."""

import json
import subprocess
import uuid
from datetime import UTC, datetime
from typing import Any

from tools.local.stack import Stack
from tools.prove.telling import Telling

_WORKSPACE = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/ml/providers/"
_ML = f"{_WORKSPACE}Microsoft.MachineLearningServices/workspaces/models"
_REGISTRY = f"{_WORKSPACE}Microsoft.ContainerRegistry/registries/models"
Event = dict[str, Any]


def _event(topic: str, kind: str, subject: str, data: dict[str, Any]) -> Event:
    return {
        "topic": topic,
        "subject": subject,
        "eventType": kind,
        "eventTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "id": str(uuid.uuid4()),
        "data": data,
        "dataVersion": "",
        "metadataVersion": "1",
    }


def run_completed(project: str, run: str) -> Event:
    """Return the event of a run that completed."""
    data = {
        "experimentId": "0fa9dfaa-cba3-4fa7-b590-23e48548f5c1",
        "experimentName": project,
        "runId": run,
        "runType": "azureml.scriptrun",
        "runTags": {},
        "runProperties": {"azureml.git.dirty": "False"},
    }
    return _event(_ML, "Microsoft.MachineLearningServices.RunCompleted", f"experiments/{project}/runs/{run}", data)


def model_registered(name: str, version: int, release: str) -> Event:
    """Return the event of a new model version; `release` is the property that the version was registered with."""
    data = {"ModelName": name, "ModelVersion": version, "ModelTags": {}, "ModelProperties": {"release": release}}
    return _event(_ML, "Microsoft.MachineLearningServices.ModelRegistered", f"models/{name}:{version}", data)


def image_pushed(repository: str, tag: str, digest: str) -> Event:
    """Return the event of an image that was pushed."""
    target = {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "size": 1153,
        "digest": digest,
        "length": 1153,
        "repository": repository,
        "tag": tag,
    }
    data = {"id": str(uuid.uuid4()), "action": "push", "location": "westeurope", "target": target}
    return _event(_REGISTRY, "Microsoft.ContainerRegistry.ImagePushed", f"{repository}:{tag}", data)


def model_deployed(service: str, models: str) -> Event:
    """Return the event of a service that answers for the first time; `models` is `<name>:<version>`."""
    data = {
        "ServiceName": service,
        "ServiceComputeType": "ACI",
        "ModelIds": models,
        "ServiceTags": {},
        "ServiceProperties": {},
    }
    return _event(_ML, "Microsoft.MachineLearningServices.ModelDeployed", f"endpoints/{service}", data)


def post(stack: Stack, telling: Telling, function: str, event: Event) -> int:
    """POST one event by curl with the system key, as Event Grid delivers; return the status."""
    address = f"{stack.host_url}/runtime/webhooks/EventGrid?functionName={function}&code="
    told = ["-H", "aeg-event-type: Notification", "-H", "Content-Type: application/json"]
    quiet = ["-sS", "--noproxy", "*", "--max-time", "60", "-o", "/dev/null", "-w", "%{http_code}"]
    command = ["curl", *quiet, "-X", "POST", *told, "--data", json.dumps([event]), f"{address}{stack.keys.system}"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=90)
    kind = event["eventType"].rpartition(".")[2]
    telling.say(f"curl -X POST '{address}***' ({kind} {event['subject']}) -> {ran.stdout}")
    return int(ran.stdout)
