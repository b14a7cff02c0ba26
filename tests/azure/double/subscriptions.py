"""The event subscriptions of a resource, and where resources are, as ARM lists them.

The shapes are those of its REST API, versions 2022-06-15 and 2021-04-01; nothing of it was seen from Azure.
"""

import re
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.proxy import CONTROL
from tests.azure.double.resources import ARM
from tests.azure.double.wire import Answer, Request, route


@area("subscriptions")
class Subscriptions:
    """What there is, by the id of its source in lower case."""

    def __init__(self, azure: Azure) -> None:
        self.of: dict[str, list[dict[str, Any]]] = {}


@route("GET", "/{source:path}/providers/Microsoft.EventGrid/eventSubscriptions", host=ARM)
def listed(azure: Azure, request: Request, source: str) -> Answer:
    """List the subscriptions of one source."""
    return Answer(body={"value": azure.subscriptions.of.get(f"/{source}".lower(), [])})


@route("GET", "/subscriptions/{subscription}/resources", host=ARM)
def resources(azure: Azure, request: Request, subscription: str) -> Answer:
    """List the resources of one kind and name: the workspace's account and one for data, and a topic."""
    kind, name = re.findall(r"eq '([^']*)'", request.query["$filter"])
    its = azure.settings
    known = {
        "Microsoft.Storage/storageAccounts": (its.storage, "signalboxdata"),
        "Microsoft.EventGrid/topics": ("signalbox",),
    }
    found = [f"{its.group_path}/providers/{kind}/{one}" for one in known.get(kind, ()) if one == name]
    return Answer(body={"value": [{"id": one, "name": name, "type": kind} for one in found]})


@route("POST", "/subscriptions", host=CONTROL)
def subscribe(azure: Azure, request: Request) -> Answer:
    """Let there be a subscription: {"source", "function", "types", "deadLetter"}."""
    told = request.json()
    its = azure.settings
    site = f"{its.group_path}/providers/Microsoft.Web/sites/signalbox"
    row: dict[str, Any] = {
        "name": f"{told['function']}-{len(azure.subscriptions.of)}",
        "type": "Microsoft.EventGrid/eventSubscriptions",
        "properties": {
            "provisioningState": told.get("state", "Succeeded"),
            "destination": {
                "endpointType": "AzureFunction",
                "properties": {"resourceId": f"{site}/functions/{told['function']}", "maxEventsPerBatch": 1},
            },
            "filter": {"includedEventTypes": told.get("types")},
            "eventDeliverySchema": "EventGridSchema",
        },
    }
    if told.get("deadLetter", True):
        row["properties"]["deadLetterDestination"] = {"endpointType": "StorageBlob", "properties": {}}
    azure.subscriptions.of.setdefault(told["source"].lower(), []).append(row)
    return Answer(204)
