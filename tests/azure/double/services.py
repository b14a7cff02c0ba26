"""Web services: created, shown, asked for their keys and logs, deleted; what they are is in `serving`.

Assumed: a name that is taken is told by validate/name with an error in a good answer, and by 409 when it is posted;
a deletion is answered 202 and done at once; the error of a failed deployment.
"""

import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.models import MMS, matches, page
from tests.azure.double.proxy import CONTROL
from tests.azure.double.serving import Container, Crashed, Front
from tests.azure.double.wire import Answer, Request, error, route

EVENT = "Microsoft.MachineLearningServices.ModelDeployed"
ENDPOINT = "AKSENDPOINT"
TAKEN = "Service {name} already exists in workspace {workspace}."
REGISTRY = "ImagePullBackOff: the image could not be pulled from {registry}.azurecr.io."
PAGE = 20
SCALED = "autoscaleEnabled maxReplicas minReplicas refreshPeriodInSeconds targetUtilization".split()
PROBED = "periodSeconds initialDelaySeconds timeoutSeconds successThreshold failureThreshold".split()


def now() -> str:
    """Return the time as the service writes it."""
    return datetime.now(UTC).isoformat()


@dataclass
class Service:
    """One service, or one version of an endpoint; `told` is what was asked for."""

    name: str
    told: dict[str, Any]
    state: str = "Transitioning"
    error: dict[str, Any] | None = None
    container: Container | None = None
    created: str = field(default_factory=now)
    updated: str = field(default_factory=now)
    keys: list[str] = field(default_factory=lambda: [secrets.token_urlsafe(24), secrets.token_urlsafe(24)])
    versions: dict[str, "Service"] = field(default_factory=dict)
    default: bool = False
    traffic: float = 0.0

    def close(self) -> None:
        """End what serves."""
        for each in (self, *self.versions.values()):
            if each.container is not None:
                each.container.close()


@area("services")
class Services:
    """The services there are."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._front: Front | None = None
        self.kept: dict[str, Service] = {}

    @property
    def front(self) -> Front:
        """Return where users ask, opened at first use."""
        if self._front is None:
            self._front = Front(self._azure)
        return self._front

    def close(self) -> None:
        """End all of them."""
        self._azure.faults.released.set()
        for each in self.kept.values():
            each.close()
        self.kept.clear()
        if self._front is not None:
            self._front.close()

    def leads_to(self, name: str, version: str) -> tuple[list[str], int]:
        """Return the keys of a service and the port of its container, 0 when none answers."""
        service = self.kept.get(name)
        if service is None:
            return [], 0
        chosen = service
        if service.told["computeType"] == ENDPOINT:
            default = next((each for each in service.versions.values() if each.default), None)
            found = service.versions.get(version) if version else default
            if found is None:
                return service.keys, 0
            chosen = found
        return service.keys, chosen.container.port if chosen.container else 0

    def shown(self, service: Service) -> dict[str, Any]:
        """Return a service as it is shown."""
        if service.told["computeType"] == ENDPOINT:
            return self._endpoint(service)
        its, told = self._azure.settings, service.told
        return self._common(service) | {
            "containerResourceRequirements": _requirements(told),
            "scoringUri": f"{self.front.address}/aci/{service.name}/score" if service.state == "Healthy" else None,
            "location": its.location,
            "authEnabled": bool(told.get("authEnabled")),
            "sslEnabled": False,
            "appInsightsEnabled": False,
            "sslCertificate": None,
            "sslKey": None,
            "cname": None,
            "publicIp": "127.0.0.1",
            "models": self._models(told),
            "environmentImageRequest": _image(told),
        }

    def _common(self, service: Service) -> dict[str, Any]:
        told = service.told
        shown = {
            "id": service.name,
            "name": service.name,
            "description": told.get("description"),
            "kvTags": told.get("kvTags") or {},
            "properties": told.get("properties") or {},
            "state": service.state,
            "createdTime": service.created,
            "updatedTime": service.updated,
            "computeType": told["computeType"],
        }
        return shown | ({"error": service.error} if service.error else {})

    def _endpoint(self, service: Service) -> dict[str, Any]:
        told, states = service.told, [each.state for each in service.versions.values()]
        state = "Healthy" if "Healthy" in states else (states[0] if states else "Healthy")
        scoring = f"{self.front.address}/api/v1/service/{service.name}/score"
        return self._common(service) | {
            "state": state,
            "computeName": _computed(told),
            "scoringUri": scoring,
            "appInsightsEnabled": False,
            "authEnabled": bool(told.get("authEnabled")),
            "aadAuthEnabled": False,
            "versions": {
                name: self._version(each, f"{scoring}?version={name}") for name, each in service.versions.items()
            },
        }

    def _version(self, version: Service, scoring: str) -> dict[str, Any]:
        told = version.told
        return self._common(version) | {
            "computeType": "AKS",
            "containerResourceRequirements": _requirements(told) | {"cpuLimit": 1.0, "memoryInGBLimit": 1.0, "gpu": 0},
            "computeName": _computed(told),
            "scoringUri": scoring,
            "appInsightsEnabled": False,
            "authEnabled": True,
            "aadAuthEnabled": False,
            "autoScaler": dict.fromkeys(SCALED) | {"autoscaleEnabled": False},
            "dataCollection": {"eventHubEnabled": False, "storageEnabled": False},
            "livenessProbeRequirements": dict.fromkeys(PROBED, 10),
            "maxConcurrentRequestsPerContainer": 1,
            "maxQueueWaitMs": 500,
            "numReplicas": 1,
            "scoringTimeoutMs": 60000,
            "isDefault": version.default,
            "trafficPercentile": version.traffic,
            "models": self._models(told),
            "environmentImageRequest": _image(told),
        }

    def _models(self, told: dict[str, Any]) -> list[dict[str, Any]]:
        found = [self._azure.models.find(each) for each in told["environmentImageRequest"]["modelIds"]]
        return [each for each in found if each]

    def start(self, service: Service, operation: dict[str, Any], public: str) -> None:
        """Begin to deploy a service or a version, known to the world as `public`."""
        fault = self._azure.faults.take("service") or {}
        self._azure.operations.work(self._deploy, service, operation, public, fault)

    def _deploy(self, service: Service, operation: dict[str, Any], public: str, fault: dict[str, Any]) -> None:
        azure, kind = self._azure, str(fault.get("kind", ""))
        if kind == "late":
            azure.faults.released.wait()
            if self.kept.get(public) is None:
                return
        code = words = ""
        if kind in {"failed", "registry"}:
            code = str(fault.get("code", "DeploymentFailed"))
            words = str(fault.get("words", REGISTRY.format(registry=azure.settings.registry)))
        else:
            service.container = Container(azure, service.name, service.told["environmentImageRequest"])
            try:
                service.container.start()
            except Crashed as crashed:
                code, words = "CrashLoopBackOff", str(crashed)
        with azure.lock:
            if public not in self.kept:
                return service.close()
            service.state, service.updated = "Failed" if words else "Healthy", now()
            if words:
                service.error = _error(code, words)
                return azure.operations.end(operation, code, words)
            azure.operations.end(operation, made=service.name)
            self._tell(service, public)

    def _tell(self, service: Service, public: str) -> None:
        told = service.told
        data = {
            "ServiceName": public,
            "ServiceComputeType": told["computeType"],
            "ModelIds": ",".join(told["environmentImageRequest"]["modelIds"]),
            "ServiceTags": told.get("kvTags") or {},
            "ServiceProperties": told.get("properties") or {},
        }
        self._azure.events.raise_(EVENT, f"endpoints/{public}", data)


def _error(code: str, words: str) -> dict[str, Any]:
    deeper = [{"code": code, "message": words}]
    return {"code": "DeploymentFailed", "statusCode": 400, "message": "The deployment failed.", "details": deeper}


def _requirements(told: dict[str, Any]) -> dict[str, Any]:
    asked = told.get("containerResourceRequirements") or {}
    return {"cpu": asked.get("cpu") or 0.1, "memoryInGB": asked.get("memoryInGB") or 0.5}


def _image(told: dict[str, Any]) -> dict[str, Any]:
    return {"modelIds": told["environmentImageRequest"]["modelIds"]}


def _computed(told: dict[str, Any]) -> str:
    return str(told.get("computeName") or "")


def absent(name: str) -> Answer:
    """Return what is said of a service that is not there."""
    return error(404, "ServiceNotFound", f"Service {name} was not found.")


@route("POST", MMS + "/services/validate/name/{name}")
def validate_name(azure: Azure, request: Request, name: str) -> Answer:
    """Say whether a name is free."""
    if name in azure.services.kept:
        words = TAKEN.format(name=name, workspace=azure.settings.workspace)
        return Answer(body={"error": {"code": "Conflict", "message": words}})
    return Answer(body={})


@route("POST", MMS + "/services/validate/resource")
def validate_resource(azure: Azure, request: Request) -> Answer:
    """Say whether there is room."""
    return Answer(body={})


@route("POST", MMS + "/services/validate")
def validate(azure: Azure, request: Request) -> Answer:
    """Say whether a request is sound."""
    return Answer(body={})


@route("POST", MMS + "/services")
def create(azure: Azure, request: Request) -> Answer:
    """Begin to deploy a service."""
    told = request.json()
    name = told["name"]
    if name in azure.services.kept:
        return error(409, "Conflict", TAKEN.format(name=name, workspace=azure.settings.workspace))
    image = told.get("environmentImageRequest") or next(iter(told["versions"].values()))["environmentImageRequest"]
    for model in image["modelIds"]:
        if azure.models.find(model) is None:
            return error(404, "ModelNotFound", f"Model with id {model} is not found.")
    service = azure.services.kept[name] = Service(name, told)
    operation = azure.operations.begin("Service")
    if told["computeType"] == ENDPOINT:
        first, asked = next(iter(told["versions"].items()))
        begin_version(azure, service, first, asked, operation)
    else:
        azure.services.start(service, operation, name)
    taken: Answer = azure.operations.taken(operation)
    return taken


def begin_version(
    azure: Azure, service: Service, name: str, told: dict[str, Any], operation: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Begin to deploy a version of an endpoint; the first becomes the default, as is documented."""
    told = {"computeType": "AKS"} | told
    first = not service.versions
    version = Service(name, told, default=first, traffic=told.get("trafficPercentile") or 0.0)
    service.versions[name] = version
    operation = operation or azure.operations.begin("Service")
    azure.services.start(version, operation, service.name)
    return operation


@route("GET", MMS + "/services/{name}")
def show(azure: Azure, request: Request, name: str) -> Answer:
    """Show a service."""
    found = azure.services.kept.get(name)
    return Answer(body=azure.services.shown(found)) if found else absent(name)


@route("GET", MMS + "/services")
def listed(azure: Azure, request: Request) -> Answer:
    """List services, newest first."""
    query = request.query
    found = [azure.services.shown(each) for each in azure.services.kept.values()][::-1]
    if "computeType" in query:
        found = [each for each in found if each["computeType"] == query["computeType"]]
    for name, kind in (("tags", "kvTags"), ("properties", "properties")):
        found = [each for each in found if matches(each, query.get(name, ""), kind)]
    return page(azure, request, found, PAGE)


@route("DELETE", MMS + "/services/{name}")
def delete(azure: Azure, request: Request, name: str) -> Answer:
    """Delete a service."""
    found = azure.services.kept.pop(name, None)
    if found is None:
        return Answer(204)
    found.close()
    operation = azure.operations.begin("Service")
    azure.operations.end(operation, made=name)
    taken: Answer = azure.operations.taken(operation)
    return taken


@route("POST", MMS + "/services/{name}/listkeys")
def keys(azure: Azure, request: Request, name: str) -> Answer:
    """Give the keys of a service."""
    found = azure.services.kept.get(name)
    if found is None:
        return absent(name)
    return Answer(body={"primaryKey": found.keys[0], "secondaryKey": found.keys[1]})


@route("POST", MMS + "/services/{name}/regenerateKeys")
def new_keys(azure: Azure, request: Request, name: str) -> Answer:
    """Make a new key."""
    found = azure.services.kept.get(name)
    if found is None:
        return absent(name)
    told = request.json()
    found.keys[told["keyType"] == "Secondary"] = told.get("keyValue") or secrets.token_urlsafe(24)
    return Answer(200)


@route("POST", "/crash/{name}/{version}", host=CONTROL)
def crash(azure: Azure, request: Request, name: str, version: str) -> Answer:
    """End the container of a version behind everybody's back."""
    container = azure.services.kept[name].versions[version].container
    if container is not None:
        container.close()
    return Answer(204)


@route("GET", MMS + "/services/{name}/logs", shape="ServiceLogs")
def logs(azure: Azure, request: Request, name: str) -> Answer:
    """Give what the containers of a service printed."""
    found = azure.services.kept.get(name)
    if found is None:
        return absent(name)
    texts = [each.container.log() for each in (found, *found.versions.values()) if each.container]
    lines = "\n".join(texts).splitlines()[-int(request.query.get("tail", 5000)) :]
    return Answer(body={"content": "\n".join(lines)})
