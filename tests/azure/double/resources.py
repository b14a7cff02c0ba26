"""Azure Resource Manager: the subscription, the resource group, the workspace, and where its services are found."""

import json
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, error, route

ARM = "management.azure.com"
PROVIDERS = ("MachineLearningServices", "Storage", "KeyVault", "Insights", "ContainerRegistry", "EventGrid")


@area("resources")
class Resources:
    """The resource group and the workspace of the double, as ARM shows them; None while there is none."""

    def __init__(self, azure: Azure) -> None:
        self.group: dict[str, Any] | None = group(azure)
        self.workspace: dict[str, Any] | None = shown(azure)
        self.deployments: dict[str, dict[str, Any]] = {}


def group(azure: Azure) -> dict[str, Any]:
    """Return the resource group as ARM shows it."""
    its = azure.settings
    return {
        "id": its.group_path,
        "name": its.resource_group,
        "location": its.location,
        "properties": {"provisioningState": "Succeeded"},
    }


def shown(azure: Azure) -> dict[str, Any]:
    """Return the workspace as ARM shows it."""
    its, group = azure.settings, azure.settings.group_path
    return {
        "id": its.ws,
        "name": its.workspace,
        "type": "Microsoft.MachineLearningServices/workspaces",
        "location": its.location,
        "tags": {},
        "sku": {"name": "Basic", "tier": "Basic"},
        "identity": {"type": "SystemAssigned", "principalId": its.workspace_id, "tenantId": its.tenant},
        "properties": {
            "friendlyName": its.workspace,
            "description": "",
            "workspaceId": its.workspace_id,
            "discoveryUrl": f"{its.api}/discovery",
            "provisioningState": "Succeeded",
            "hbiWorkspace": False,
            "creationTime": "2026-01-01T00:00:00Z",
            "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{its.storage}",
            "keyVault": f"{group}/providers/Microsoft.Keyvault/vaults/signalboxmlkeys",
            "applicationInsights": f"{group}/providers/Microsoft.insights/components/signalboxmlinsights",
            "containerRegistry": f"{group}/providers/Microsoft.ContainerRegistry/registries/{its.registry}",
        },
    }


def named(azure: Azure) -> dict[str, Any]:
    """Return the subscription as ARM lists it."""
    its = azure.settings
    return {
        "id": f"/subscriptions/{its.subscription}",
        "subscriptionId": its.subscription,
        "tenantId": its.tenant,
        "displayName": "Signalbox",
        "state": "Enabled",
    }


@route("GET", "/subscriptions", host=ARM)
def subscriptions(azure: Azure, request: Request) -> Answer:
    """List the one subscription."""
    return Answer(body={"value": [named(azure)], "count": {"type": "Total", "value": 1}})


@route("GET", "/subscriptions/{subscription}", host=ARM)
def subscription_(azure: Azure, request: Request, subscription: str) -> Answer:
    """Show the one subscription."""
    if subscription != azure.settings.subscription:
        return error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
    return Answer(body=named(azure))


@route("GET", "/subscriptions/{subscription}/resourceGroups/{name}", host=ARM)
def resource_group(azure: Azure, request: Request, subscription: str, name: str) -> Answer:
    """Show the one resource group."""
    if name.lower() != azure.settings.resource_group or azure.resources.group is None:
        return error(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
    return Answer(body=azure.resources.group)


@route("PUT", "/subscriptions/{subscription}/resourceGroups/{name}", host=ARM)
def make_resource_group(azure: Azure, request: Request, subscription: str, name: str) -> Answer:
    """Make the one resource group."""
    azure.resources.group = group(azure) | {"location": request.json()["location"]}
    return Answer(201, azure.resources.group)


DEPLOYED = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{name}"


@route("GET", DEPLOYED, host=ARM)
def deployment(azure: Azure, request: Request, subscription: str, group: str, name: str) -> Answer:
    """Show a deployment; the second look finds it through."""
    found = azure.resources.deployments.get(name)
    if found is None:
        return error(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
    shown_now = json.loads(json.dumps(found))
    if found["properties"]["provisioningState"] == "Running":
        found["properties"]["provisioningState"] = "Succeeded"
        azure.resources.workspace = shown(azure)
    return Answer(body=shown_now)


@route("PUT", DEPLOYED, host=ARM)
def deploy(azure: Azure, request: Request, subscription: str, group: str, name: str) -> Answer:
    """Begin a deployment; the fault named `deployment` fails it with its `code` and `words`."""
    if azure.resources.group is None:
        return error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    properties = {"provisioningState": "Running", "mode": request.json()["properties"]["mode"]}
    if fault := azure.faults.take("deployment"):
        told = {"code": fault["code"], "message": fault["words"]}
        failed = {"code": "DeploymentFailed", "message": "At least one resource deployment failed.", "details": [told]}
        properties |= {"provisioningState": "Failed", "error": failed}
    azure.resources.deployments[name] = {"id": request.path, "name": name, "properties": properties}
    return Answer(201, azure.resources.deployments[name])


@route("POST", "/empty", host=CONTROL)
def empty(azure: Azure, request: Request) -> Answer:
    """Take the resource group and the workspace away: a subscription in which nothing was made yet."""
    azure.resources.group = azure.resources.workspace = None
    return Answer(204)


@route("GET", "{ws}", host=ARM, shape="azureml._base_sdk_common.workspace.models:Workspace")
def workspace(azure: Azure, request: Request) -> Answer:
    """Show the workspace."""
    return Answer(body=azure.resources.workspace)


@route("GET", "/discovery", open=True)
def discovery(azure: Azure, request: Request) -> Answer:
    """Say where the services of the workspace are."""
    api, place = azure.settings.api, azure.settings.location
    names = "api history experimentation hyperdrive pipelines execution".split()
    return Answer(
        body=dict.fromkeys(names, api)
        | {"modelmanagement": f"https://{place}.modelmanagement.azureml.net", "studio": "https://ml.azure.com"}
    )
