"""Azure Resource Manager: the subscription, the resource group, the workspace, and where its services are found."""

from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

ARM = "management.azure.com"
PROVIDERS = ("MachineLearningServices", "Storage", "KeyVault", "Insights", "ContainerRegistry", "EventGrid")


@area("resources")
class Resources:
    """The workspace of the double, as ARM shows it; None while there is none."""

    def __init__(self, azure: Azure) -> None:
        self.workspace: dict[str, Any] | None = shown(azure)


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


@route("GET", "/subscriptions/{subscription}/resourceGroups/{group}", host=ARM)
def resource_group(azure: Azure, request: Request, subscription: str, group: str) -> Answer:
    """Show the one resource group."""
    if group.lower() != azure.settings.resource_group:
        return error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
    its = azure.settings
    state = {"provisioningState": "Succeeded"}
    return Answer(
        body={"id": its.group_path, "name": its.resource_group, "location": its.location, "properties": state}
    )


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
