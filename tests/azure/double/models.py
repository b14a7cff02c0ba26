"""The model registry: assets, versions, and what is raised when one is registered.

The filters and the order (newest first) are those of the public specification. Assumed: a page holds 20 versions,
and a version is numbered by counting those of its name.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

PAGE = 20
EVENT = "Microsoft.MachineLearningServices.ModelRegistered"
MMS = "/modelmanagement/v1.0{ws}"


@area("models")
class Models:
    """Assets and versions, as the service shows them, in the order in which they were made."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self.assets: dict[str, dict[str, Any]] = {}
        self.versions: list[dict[str, Any]] = []

    def find(self, identity: str) -> dict[str, Any] | None:
        """Return a version by `<name>:<number>`."""
        return next((each for each in self.versions if each["id"] == identity), None)

    def register(self, told: dict[str, Any]) -> dict[str, Any]:
        """Make the next version of a name, and tell the world of it."""
        name = told["name"]
        number = 1 + sum(each["name"] == name for each in self.versions)
        wanted = "framework frameworkVersion url mimeType description unpack runId experimentName".split()
        made = {
            "id": f"{name}:{number}",
            "name": name,
            "version": number,
            **{each: told.get(each) for each in wanted},
            "unpack": bool(told.get("unpack")),
            "kvTags": told.get("kvTags") or {},
            "properties": told.get("properties") or {},
            "datasets": told.get("datasets") or [],
            "derivedModelIds": [],
            "createdTime": datetime.now(UTC).isoformat(),
            "createdBy": {"userName": "Signalbox"},
        }
        self.versions.append(made)
        data = {
            "ModelName": name,
            "ModelVersion": number,
            "ModelTags": made["kvTags"],
            "ModelProperties": made["properties"],
        }
        self._azure.events.raise_(EVENT, f"models/{made['id']}", data)
        return made

    def files(self, identity: str) -> dict[str, bytes]:
        """Return the files of a version by their path, as a download places them."""
        model = self.find(identity)
        if model is None:
            raise KeyError(identity)
        found = {}
        for artifact in self.assets[model["url"].removeprefix("aml://asset/")]["artifacts"]:
            origin, container, prefix = artifact["prefix"].split("/", 2)
            above = prefix.rpartition("/")[0]
            for path in self._azure.artifacts.paths(origin, container, prefix):
                content = self._azure.artifacts.get(origin, container, path)
                found[path.removeprefix(f"{above}/" if above else "")] = content
        return found


def matches(item: dict[str, Any], query: str, kind: str) -> bool:
    """Say whether an item has all of `name=value,name` in its tags or properties."""
    has = item[kind]
    for part in [part for part in query.split(",") if part]:
        name, told, value = part.partition("=")
        if name not in has or (told and has[name] != value):
            return False
    return True


def page(azure: Azure, request: Request, found: list[dict[str, Any]], size: int = PAGE) -> Answer:
    """Return one page, with the address of the next."""
    start, count = int(request.query.get("$skipToken", 0)), int(request.query.get("count", size))
    body: dict[str, Any] = {"value": found[start : start + count]}
    if start + count < len(found):
        asked = {name: value for name, value in request.query.items() if name != "$skipToken"}
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        body["nextLink"] = f"https://{request.host}{request.path}?{query}&$skipToken={start + count}"
    return Answer(body=body)


@route("POST", MMS + "/assets", shape="Asset")
def make_asset(azure: Azure, request: Request) -> Answer:
    """Make an asset of artifacts."""
    told = request.json()
    made = {
        "id": uuid.uuid4().hex,
        "name": told["name"],
        "artifacts": told["artifacts"],
        "kvTags": told.get("kvTags") or {},
        "properties": told.get("properties") or {},
        "runid": told.get("runid"),
        "createdTime": datetime.now(UTC).isoformat(),
    }
    azure.models.assets[made["id"]] = made
    return Answer(body=made)


@route("GET", MMS + "/assets/{asset}", shape="Asset")
def show_asset(azure: Azure, request: Request, asset: str) -> Answer:
    """Show an asset."""
    found = azure.models.assets.get(asset)
    return Answer(body=found) if found else error(404, "AssetNotFound", f"Asset with id {asset} is not found.")


@route("POST", MMS + "/models", shape="Model")
def register(azure: Azure, request: Request) -> Answer:
    """Register a version."""
    return Answer(body=azure.models.register(request.json()))


@route("GET", MMS + "/models", shape="PaginatedModelList")
def listed(azure: Azure, request: Request) -> Answer:
    """List versions, newest first."""
    query, found = request.query, azure.models.versions[::-1]
    for name in ("name", "runId"):
        if name in query:
            found = [each for each in found if each[name] == query[name]]
    for name, kind in (("tags", "kvTags"), ("properties", "properties")):
        found = [each for each in found if matches(each, query.get(name, ""), kind)]
    if query.get("latestVersionOnly", "").lower() == "true":
        found = list({each["name"]: each for each in found[::-1]}.values())
    return page(azure, request, found)


@route("GET", MMS + "/models/{identity}", shape="Model")
def show(azure: Azure, request: Request, identity: str) -> Answer:
    """Show a version."""
    found = azure.models.find(identity)
    return Answer(body=found) if found else error(404, "ModelNotFound", f"Model with id {identity} is not found.")


@route("PATCH", MMS + "/models/{identity}", shape="Model")
def change(azure: Azure, request: Request, identity: str) -> Answer:
    """Add to tags and properties; a property that is there stays as it is."""
    found = azure.models.find(identity)
    if found is None:
        return error(404, "ModelNotFound", f"Model with id {identity} is not found.")
    for operation in request.json():
        kind, _, key = operation["path"].strip("/").partition("/")
        if kind == "properties" and key in found["properties"]:
            return error(400, "BadRequest", f"The property {key} cannot be changed.")
        if operation["op"] == "remove":
            found[kind].pop(key, None)
        else:
            found[kind] |= {key: operation["value"]} if key else operation["value"]
    return Answer(body=found)
