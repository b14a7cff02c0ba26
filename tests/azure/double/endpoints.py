"""Endpoints of several versions on AKS: versions come and go by JSON patch, and one of them is the default.

Documented: the first version is the default, what is not assigned to a version goes to the default, and there are at
most six. Assumed: a patch is applied as a whole or not at all; `/versions/<name>/tags` sets the tags of a version.

The fault named `switch` holds a patch that was answered 202, until `POST /held` applies it: a late switch.
"""

import threading
from collections.abc import Callable
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.models import MMS
from tests.azure.double.proxy import CONTROL
from tests.azure.double.services import Service, absent, begin_version, now
from tests.azure.double.wire import Answer, Request, error, route

MOST = 6


@area("held")
class Held:
    """Patches that were answered and are not applied yet."""

    def __init__(self, azure: Azure) -> None:
        self.waiting: list[Callable[[], None]] = []


@route("PATCH", MMS + "/services/{name}")
def change(azure: Azure, request: Request, name: str) -> Answer:
    """Change an endpoint."""
    service = azure.services.kept.get(name)
    if service is None:
        return absent(name)
    patches = request.json()
    if refused := _refused(service, patches):
        return refused
    if azure.faults.take("switch"):
        azure.held.waiting.append(lambda: _apply(azure, service, patches, None))
        return _taken(azure, azure.operations.begin("Service"))
    operation = azure.operations.begin("Service")
    if not _apply(azure, service, patches, operation):
        azure.operations.end(operation, made=name)
    return _taken(azure, operation)


def _taken(azure: Azure, operation: dict[str, Any]) -> Answer:
    taken: Answer = azure.operations.taken(operation)
    return taken


def _refused(service: Service, patches: list[dict[str, Any]]) -> Answer | None:
    added = [each for each in patches if each["op"] == "add"]
    if len(service.versions) + len(added) > MOST:
        return error(400, "BadRequest", f"An endpoint has at most {MOST} versions.")
    for each in patches:
        version, field = _parts(each)
        if each["op"] == "add" and version in service.versions:
            return error(409, "Conflict", f"Version {version} of service {service.name} already exists.")
        if each["op"] != "add" and version not in service.versions:
            return error(404, "VersionNotFound", f"Version {version} of service {service.name} was not found.")
        if each["op"] == "remove" and not field and service.versions[version].default:
            return error(400, "BadRequest", f"Version {version} is the default of {service.name}: it stays.")
    return None


def _parts(patch: dict[str, Any]) -> tuple[str, str]:
    _, version, *field = patch["path"].strip("/").split("/", 2)
    return version, field[0] if field else ""


def _apply(azure: Azure, service: Service, patches: list[dict[str, Any]], operation: dict[str, Any] | None) -> bool:
    """Apply patches; True when a deployment began, which then ends the operation."""
    begun = False
    for each in patches:
        name, field = _parts(each)
        if each["op"] == "add":
            begin_version(azure, service, name, each["value"], operation)
            begun = True
        elif each["op"] == "remove":
            threading.Thread(target=service.versions.pop(name).close, daemon=True).start()
        elif name in service.versions:
            _set(service.versions[name], field, each["value"])
    service.updated = now()
    return begun


def _set(version: Service, field: str, value: Any) -> None:
    if field == "isDefault":
        version.default = value
    elif field == "trafficPercentile":
        version.traffic = value
    elif field == "tags":
        version.told["kvTags"] = value


@route("POST", "/held", host=CONTROL)
def apply_held(azure: Azure, request: Request) -> Answer:
    """Apply what was held, in the order in which it was asked for."""
    with azure.lock:
        waiting, azure.held.waiting = azure.held.waiting, []
        for each in waiting:
            each()
    return Answer(204)
