"""What the world tells, in the shapes in which it arrives: Event Grid's events, a git host's and people's requests."""

import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import azure.functions as func

from functions import (
    approve,
    environments,
    on_data_drift,
    on_image_pushed,
    on_model_deployed,
    on_model_registered,
    on_new_data,
    on_push,
    on_run_ended,
    releases,
)
from shared.release import notices
from tests.simulation.host import SECRET, user_function

Function = Callable[..., Coroutine[Any, Any, Any]]
ON_PUSH, APPROVE, RELEASES, ENVIRONMENTS = map(
    user_function, (on_push.on_push, approve.approve, releases.releases, environments.environments)
)
_ML = "Microsoft.MachineLearningServices."
_RUN, _MODEL, _SERVICE, _IMAGE, _BLOB, _DRIFT = map(
    user_function,
    (
        on_run_ended.on_run_ended,
        on_model_registered.on_model_registered,
        on_model_deployed.on_model_deployed,
        on_image_pushed.on_image_pushed,
        on_new_data.on_new_data,
        on_data_drift.on_data_drift,
    ),
)


def event(notice: notices.Notice, number: int) -> tuple[Function, func.EventGridEvent]:
    """Return the function an event goes to, and the event."""
    function, kind, subject, data = _told(notice)
    given = func.EventGridEvent(
        id=f"event-{number}",
        topic="/subscriptions/s",
        subject=subject,
        event_type=kind,
        event_time=None,
        data_version="1",
        data=data,
    )
    return function, given


def _told(notice: notices.Notice) -> tuple[Function, str, str, dict[str, Any]]:
    match notice:
        case notices.RunHeard(run=run, event=event, status=status):
            data = {"runId": run, "experimentName": "houses", "runTags": {}}
            return _RUN, _ML + event, f"experiments/houses/runs/{run}", data | {"runStatus": status}
        case notices.ModelHeard(name=name, version=version, release=release):
            data = {"ModelName": name, "ModelVersion": version, "ModelProperties": {"release": release}}
            return _MODEL, f"{_ML}ModelRegistered", f"models/{name}:{version}", data
        case notices.ServiceHeard(service=service):
            return _SERVICE, f"{_ML}ModelDeployed", f"endpoints/{service}", {"ServiceName": service}
        case notices.ImageHeard(repository=repository, tag=tag, digest=digest):
            kind = "application/vnd.oci.image.manifest.v1+json"
            target = {"mediaType": kind, "repository": repository, "tag": tag, "digest": digest}
            return _IMAGE, "Microsoft.ContainerRegistry.ImagePushed", f"{repository}:{tag}", {"target": target}
        case notices.BlobHeard(container=container, name=name, size=size, etag=etag, sequencer=sequencer):
            data = {"api": "PutBlob", "contentLength": size, "eTag": f'"{etag}"', "sequencer": sequencer}
            subject = f"/blobServices/default/containers/{container}/blobs/{name}"
            return _BLOB, "Microsoft.Storage.BlobCreated", subject, data
        case notices.DriftHeard(monitor=monitor, window=window):
            data = {"DataDriftName": monitor, "RunId": window, "DriftCoefficient": 0.8}
            return _DRIFT, f"{_ML}DatasetDriftDetected", f"datadrifts/{monitor}/runs/{window}", data
        case _:
            raise TypeError(f"{type(notice).__name__} comes with no event")


def push(url: str, commit: str, by: str = "dee@example.org", branch: str = "main") -> func.HttpRequest:
    """Return a push as GitHub sends it, signed."""
    body = json.dumps(
        {
            "ref": f"refs/heads/{branch}",
            "before": "0" * 40,
            "after": commit,
            "deleted": False,
            "repository": {"clone_url": url},
            "pusher": {"name": "dee", "email": by},
            "head_commit": {"id": commit, "message": f"change {commit[:7]}"},
            "commits": [],
        }
    ).encode()
    mac = hmac.new(SECRET, body, hashlib.sha256).hexdigest()
    headers = {"x-github-event": "push", "x-github-delivery": commit, "x-hub-signature-256": f"sha256={mac}"}
    return request("POST", body, headers=headers)


def decision(release: str, token: str, decision: str) -> func.HttpRequest:
    """Return what an approver sends."""
    body = json.dumps({"decision": decision, "reason": "looked at it"}).encode()
    return request("POST", body, {"release": release}, {"authorization": f"Bearer {token}"})


def evidence(release: str, token: str) -> func.HttpRequest:
    """Return how an approver opens the link."""
    return request("GET", b"", {"release": release}, {}, {"token": token})


def asked(path: str, body: Mapping[str, str], **headers: str) -> func.HttpRequest:
    """Return a POST of a person or a program with a key."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return request("POST", json.dumps(body).encode(), {"path": path}, named)


def request(
    method: str,
    body: bytes,
    route: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
) -> func.HttpRequest:
    """Return a request as the host hands it over."""
    named = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
    return func.HttpRequest(
        method=method,
        url="https://signalbox.example.org/api",
        headers=named,
        params=dict(params or {}),
        route_params=dict(route or {}),
        body=body,
    )
