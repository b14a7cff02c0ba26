"""Event Grid events as Azure raises them, by Microsoft's own client.

The client is retried here: its own retries do not cover a refused connection.
An event that cannot be delivered is given up with a line in the log: the patrol finds out by looking.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from shared.backends.local.processes import detach

WAITS = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Seconds between attempts: about a minute in all, longer than a restart of the topic."""

MACHINE_LEARNING = "Microsoft.MachineLearningServices"
Data = Mapping[str, Any]


class Event(Struct, frozen=True):
    """What is published: Event Grid's type, subject and data."""

    kind: str
    subject: str
    data: Data


def run_ended(project: str, name: str, release: str, step: str, kind: str, status: str) -> Event:
    """Return RunCompleted for `Completed`, RunStatusChanged for `Failed` and `Canceled`."""
    data: dict[str, Any] = {
        "experimentId": project,
        "experimentName": project,
        "runId": name,
        "runType": kind,
        "runTags": {},
        "runProperties": {"release": release, "step": step},
    }
    subject = f"experiments/{project}/runs/{name}"
    if status == "Completed":
        return Event(f"{MACHINE_LEARNING}.RunCompleted", subject, data)
    return Event(f"{MACHINE_LEARNING}.RunStatusChanged", subject, data | {"runStatus": status})


def model_registered(name: str, number: int, properties: Mapping[str, str]) -> Event:
    """Return ModelRegistered; `properties` holds the release."""
    data = {"ModelName": name, "ModelVersion": number, "ModelTags": {}, "ModelProperties": dict(properties)}
    return Event(f"{MACHINE_LEARNING}.ModelRegistered", f"models/{name}:{number}", data)


def image_pushed(project: str, release: str, digest: str, size: int, media_type: str) -> Event:
    """Return ImagePushed for a manifest of `size` bytes, tagged with the release."""
    target = {
        "mediaType": media_type,
        "size": size,
        "digest": digest,
        "length": size,
        "repository": project,
        "tag": release,
    }
    return Event(
        "Microsoft.ContainerRegistry.ImagePushed", f"{project}:{release}", {"action": "push", "target": target}
    )


def model_deployed(slot: str, model: str, release: str) -> Event:
    """Return ModelDeployed; `model` is `<name>:<version>`."""
    data = {
        "ServiceName": slot,
        "ServiceComputeType": "LOCAL",
        "ModelIds": model,
        "ServiceTags": {},
        "ServiceProperties": {"release": release},
    }
    return Event(f"{MACHINE_LEARNING}.ModelDeployed", f"endpoints/{slot}", data)


def publish(event: Event, waits: Iterable[float] = WAITS, pause: Callable[[float], None] = time.sleep) -> bool:
    """Publish to TOPIC_ENDPOINT with TOPIC_KEY until it is accepted; False when it never was.

    Without TOPIC_ENDPOINT there is no topic and nothing to do.
    """
    endpoint = os.environ.get("TOPIC_ENDPOINT", "")
    if not endpoint:
        return True
    for wait in (*waits, None):
        problem = _send(endpoint, os.environ.get("TOPIC_KEY", ""), event)
        if problem is None:
            return True
        if wait is not None:
            pause(wait)
    print(f"{event.kind} {event.subject} was not accepted by the topic ({problem}); the patrol will see it", flush=True)
    return False


def publish_detached(event: Event, log: Path) -> None:
    """Publish from a process of its own: the caller, a function that answers soon, does not wait for the topic."""
    if os.environ.get("TOPIC_ENDPOINT"):
        detach(["-m", "shared.backends.local.events"], log, stdin=msgspec.json.encode(event))


def _send(endpoint: str, key: str, event: Event) -> str | None:
    """Try once; the answer is what went wrong."""
    from azure.core.credentials import AzureKeyCredential
    from azure.core.exceptions import AzureError
    from azure.eventgrid import EventGridEvent, EventGridPublisherClient

    message = EventGridEvent(event.subject, event.kind, dict(event.data), "1.0")
    try:
        with EventGridPublisherClient(endpoint, AzureKeyCredential(key)) as client:
            client.send(message, retry_total=0, connection_timeout=5, read_timeout=15)
    except AzureError as error:
        return f"{type(error).__name__}: {str(error).splitlines()[0]}"
    return None


if __name__ == "__main__":
    sys.exit(0 if publish(msgspec.json.decode(sys.stdin.buffer.read(), type=Event)) else 1)
