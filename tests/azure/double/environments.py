"""Environments of the workspace: named, versioned; the same definition again is the same version (assumed)."""

from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

SHAPE = "EnvironmentDefinition"
FIELDS = "python environmentVariables docker spark inferencingStackVersion r".split()


OURS_ALONE = {"python": {"condaDependenciesFile"}, "docker": {"sharedVolumes", "shmSize", "arguments"}}
"""What the SDK sends and its own model of the answer does not have."""


@area("environments")
class Environments:
    """Every version of every environment, as the service shows it."""

    def __init__(self, azure: Azure) -> None:
        self.known: dict[str, list[dict[str, Any]]] = {}

    def put(self, name: str, definition: dict[str, Any]) -> dict[str, Any]:
        """Register one unless its newest version is the same."""
        versions = self.known.setdefault(name, [])
        if not versions or any(versions[-1][each] != definition[each] for each in FIELDS):
            versions.append({"name": name, "version": str(len(versions) + 1), **definition})
        return versions[-1]

    def of(self, name: str, version: str | None = None) -> dict[str, Any] | None:
        """Return one version, by default the newest; None when there is none."""
        versions = self.known.get(name, [])
        found = [each for each in versions if version in (None, "", each["version"])]
        return found[-1] if found else None


def _absent(name: str) -> Answer:
    return error(404, "EnvironmentNotFound", f"Environment '{name}' was not found.")


@route("PUT", "/environment/v1.0{ws}/environments/{name}", shape=SHAPE)
def register(azure: Azure, request: Request, name: str) -> Answer:
    """Register one."""
    told = {key.lower(): value for key, value in request.json().items()}
    definition = {each: _kept(each, told.get(each.lower())) for each in FIELDS}
    return Answer(body=azure.environments.put(name, definition))


def _kept(field: str, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: inner for key, inner in value.items() if key not in OURS_ALONE.get(field, set())}


@route("PUT", "/environment/v1.0{ws}/environments/{name}/versions/{version}", shape=SHAPE)
def register_version(azure: Azure, request: Request, name: str, version: str) -> Answer:
    """Register one; the version that is asked for is taken as the next (assumed)."""
    return register(azure, request, name)


@route("GET", "/environment/v1.0{ws}/environments/{name}", shape=SHAPE)
def show(azure: Azure, request: Request, name: str) -> Answer:
    """Show the newest version of one."""
    found = azure.environments.of(name)
    return Answer(body=found) if found else _absent(name)


@route("GET", "/environment/v1.0{ws}/environments/{name}/versions/{version}", shape=SHAPE)
def show_version(azure: Azure, request: Request, name: str, version: str) -> Answer:
    """Show one version of one."""
    found = azure.environments.of(name, version)
    return Answer(body=found) if found else _absent(f"{name}:{version}")


@route("GET", "/environment/v1.0{ws}/environments")
@route("GET", "/environment/v1.0{ws}/environments/")
def list_all(azure: Azure, request: Request) -> Answer:
    """List the newest version of each."""
    return Answer(body={"value": [versions[-1] for versions in azure.environments.known.values()]})
