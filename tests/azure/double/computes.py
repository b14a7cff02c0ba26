"""Compute of the workspace: clusters that are made, and the AKS cluster that an operator attached.

The fault named `compute` is acted out by the next one made: {"state": "Failed", "code": ..., "words": ...} fails it,
{"looks": n} lets it come into being at the n-th look. The words of a cluster that fails are assumed.
"""

import uuid
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.proxy import CONTROL
from tests.azure.double.resources import ARM
from tests.azure.double.wire import Answer, Request, error, route

NOW = "2026-01-01T00:00:00+00:00"
QUOTA = (
    "The specified subscription has a total vCPU quota of 0 and is less than the requested compute training cluster."
)
SHAPE = "azureml._base_sdk_common.workspace.models:ComputeResource"

AKS_NAME = "signalbox-aks"
"""The cluster that is attached from the beginning."""


@area("computes")
class Computes:
    """What there is, by name, as the service shows it; `looks` are left until one that is late is there."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self.known: dict[str, dict[str, Any]] = {}
        self.looks: dict[str, int] = {}
        self.put(AKS_NAME, {"computeType": "AKS", "properties": AKS}, attached=True)

    def put(self, name: str, properties: dict[str, Any], attached: bool = False) -> dict[str, Any]:
        """Make one, there at once."""
        its = self._azure.settings
        shown = {
            "id": f"{its.ws}/computes/{name}",
            "name": name,
            "type": "Microsoft.MachineLearningServices/workspaces/computes",
            "location": its.location,
            "tags": {},
            "properties": {
                "description": "",
                "computeLocation": its.location,
                "createdOn": NOW,
                "modifiedOn": NOW,
                "provisioningState": "Succeeded",
                "provisioningErrors": None,
                "resourceId": None,
                "isAttachedCompute": attached,
                **properties,
            },
        }
        self.known[name.lower()] = shown
        return shown

    def look(self, name: str) -> dict[str, Any] | None:
        """Return one as it is shown now, None when there is none."""
        shown = self.known.get(name.lower())
        if shown is not None and name.lower() in self.looks:
            self.looks[name.lower()] -= 1
            if self.looks[name.lower()] <= 0:
                del self.looks[name.lower()]
                shown["properties"]["provisioningState"] = "Succeeded"
        return shown

    def is_ready(self, name: str) -> bool:
        """Say whether runs can be queued on it."""
        return self.known.get(name.lower(), {}).get("properties", {}).get("provisioningState") == "Succeeded"


AKS = {
    "agentVmSize": "Standard_DS3_v2",
    "agentCount": 3,
    "clusterPurpose": "FastProd",
    "clusterFqdn": "signalbox-aks.westeurope.azmk8s.io",
    "systemServices": [],
    "loadBalancerType": "PublicIp",
    "loadBalancerSubnet": None,
}
CLUSTER = {
    "allocationState": "Steady",
    "currentNodeCount": 0,
    "targetNodeCount": 0,
    "subnet": None,
    "remoteLoginPortPublicAccess": "Enabled",
    "errors": None,
}
GPU = {
    "vmSize": "Standard_NC6",
    "vmPriority": "Dedicated",
    "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 1, "nodeIdleTimeBeforeScaleDown": "PT900S"},
}


def _absent(azure: Azure, name: str) -> Answer:
    words = f"Compute with name '{name}' was not found in workspace '{azure.settings.workspace}'."
    return error(404, "ComputeNotFound", words)


@route("PUT", "{ws}/computes/{name}", host=ARM, shape=SHAPE)
def make(azure: Azure, request: Request, name: str) -> Answer:
    """Begin to make one, or change one that is there."""
    asked = request.json()["properties"]
    is_new = name.lower() not in azure.computes.known
    shown = azure.computes.put(name, asked | {"properties": CLUSTER | (asked.get("properties") or {})})
    if is_new and (fault := azure.faults.take("compute")):
        _act_out(azure, name, shown["properties"], fault)
    where = f"https://{ARM}/subscriptions/{azure.settings.subscription}/providers/operations/{uuid.uuid4()}"
    return Answer(201 if is_new else 200, shown, {"Azure-AsyncOperation": f"{where}?api-version=2019-06-01"})


def _act_out(azure: Azure, name: str, properties: dict[str, Any], fault: dict[str, Any]) -> None:
    properties["provisioningState"] = fault.get("state", "Creating")
    if "looks" in fault:
        azure.computes.looks[name.lower()] = int(fault["looks"])
    else:
        told = {"code": fault.get("code", "ClusterCoreQuotaReached"), "message": fault.get("words", QUOTA)}
        properties["provisioningErrors"] = [{"error": told}]


@route("GET", "/subscriptions/{subscription}/providers/operations/{operation}", host=ARM)
def operation(azure: Azure, request: Request, subscription: str, operation: str) -> Answer:
    """Say that a change is through."""
    return Answer(body={"id": request.path, "name": operation, "status": "Succeeded"})


@route("GET", "/rp/workspaces{ws}/computes/{name}", shape=SHAPE)
@route("GET", "{ws}/computes/{name}", host=ARM, shape=SHAPE)
def show(azure: Azure, request: Request, name: str) -> Answer:
    """Show one."""
    shown = azure.computes.look(name)
    return Answer(body=shown) if shown else _absent(azure, name)


@route("GET", "/rp/workspaces{ws}/computes")
@route("GET", "{ws}/computes", host=ARM)
def list_all(azure: Azure, request: Request) -> Answer:
    """List all."""
    return Answer(body={"value": list(azure.computes.known.values())})


@route("PUT", "/computes/{name}", host=CONTROL)
def attach(azure: Azure, request: Request, name: str) -> Answer:
    """Let one be there that nobody of ours made."""
    azure.computes.put(name, {"computeType": "AmlCompute", "properties": CLUSTER | GPU})
    return Answer(204)


@route("DELETE", "/computes/{name}", host=CONTROL)
def delete(azure: Azure, request: Request, name: str) -> Answer:
    """Delete one behind everybody's back, as an administrator may."""
    azure.computes.known.pop(name.lower(), None)
    return Answer(204)
