"""Artifacts: the files that runs leave and that models are made of, each a blob of the workspace's own account.

Assumed: an artifact is listed from the moment its name is made, and an absent one is answered 404 `UserError`.
"""

import base64
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

CONTAINER = "azureml"
PAGE = 500


@area("artifacts")
class Artifacts:
    """The artifacts there are, by `<origin>/<container>` and path."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self._made: dict[str, dict[str, str]] = {}

    def make(self, origin: str, container: str, path: str) -> None:
        """Make a name, whose bytes are put afterwards."""
        made = self._made.setdefault(f"{origin}/{container}", {})
        made.setdefault(path, datetime.now(UTC).isoformat())
        self._azure.accounts.put(CONTAINER, f"{origin}/{container}/{path}", b"")

    def put(self, origin: str, container: str, path: str, content: bytes) -> None:
        """Make an artifact with its bytes."""
        self.make(origin, container, path)
        self._azure.accounts.put(CONTAINER, f"{origin}/{container}/{path}", content)

    def get(self, origin: str, container: str, path: str) -> bytes | None:
        """Return the bytes of an artifact, None when there is none."""
        if path not in self._made.get(f"{origin}/{container}", {}):
            return None
        content: bytes | None = self._azure.accounts.get(CONTAINER, f"{origin}/{container}/{path}")
        return content

    def paths(self, origin: str, container: str, prefix: str = "") -> list[str]:
        """Return the paths that begin with a prefix, sorted."""
        return sorted(path for path in self._made.get(f"{origin}/{container}", {}) if path.startswith(prefix))

    def shown(self, origin: str, container: str, path: str) -> dict[str, Any]:
        """Return an artifact as the service shows it."""
        name = f"{origin}/{container}/{path}"
        return {
            "artifactId": name,
            "origin": origin,
            "container": container,
            "path": path,
            "etag": None,
            "createdTime": self._made[f"{origin}/{container}"][path],
            "dataPath": {"dataStoreName": "workspaceartifactstore", "relativePath": name},
        }

    def place(self, origin: str, container: str, path: str, may: str = "r") -> dict[str, Any]:
        """Return where the bytes of an artifact are."""
        address = self._azure.accounts.url(CONTAINER, f"{origin}/{container}/{path}", may)
        return {"contentUri": address, "origin": origin, "container": container, "path": path}


def _absent(origin: str, container: str, path: str) -> Answer:
    return error(404, "UserError", f"Resource not found: artifact {origin}/{container}/{path}.")


def _page(request: Request, found: list[dict[str, Any]]) -> Answer:
    start = int(base64.b64decode(request.query.get("continuationToken", "")) or 0)
    rest = start + PAGE < len(found)
    after = base64.b64encode(str(start + PAGE).encode()).decode() if rest else None
    return Answer(body={"value": found[start : start + PAGE], "continuationToken": after})


@route(
    "POST",
    "/artifact/v2.0{ws}/artifacts/batch/metadata/{origin}/{container}",
    shape="BatchArtifactContentInformationDto",
)
def make(azure: Azure, request: Request, origin: str, container: str) -> Answer:
    """Make names, and say where each is uploaded to."""
    names = [each["path"] for each in request.json()["paths"]]
    for path in names:
        azure.artifacts.make(origin, container, path)
    return Answer(
        body={
            "artifacts": {path: azure.artifacts.shown(origin, container, path) for path in names},
            "artifactContentInformation": {
                path: azure.artifacts.place(origin, container, path, "rw") for path in names
            },
            "errors": {},
        }
    )


@route(
    "GET",
    "/artifact/v2.0{ws}/artifacts/contentinfo/{origin}/{container}/{path:path}",
    shape="ArtifactContentInformationDto",
)
def place(azure: Azure, request: Request, origin: str, container: str, path: str) -> Answer:
    """Say where the bytes of an artifact are."""
    if azure.artifacts.get(origin, container, path) is None:
        return _absent(origin, container, path)
    return Answer(body=azure.artifacts.place(origin, container, path))


@route(
    "GET",
    "/artifact/v2.0{ws}/artifacts/prefix/contentinfo/{origin}/{container}/{path:path}",
    shape="PaginatedArtifactContentInformationDto",
)
def places(azure: Azure, request: Request, origin: str, container: str, path: str) -> Answer:
    """Say where the bytes of all artifacts are that begin with a prefix."""
    found = azure.artifacts.paths(origin, container, path)
    return _page(request, [azure.artifacts.place(origin, container, each) for each in found])


@route("GET", "/artifact/v2.0{ws}/artifacts/{origin}/{container}", shape="PaginatedArtifactDto")
def listed(azure: Azure, request: Request, origin: str, container: str) -> Answer:
    """List the artifacts of one container."""
    found = azure.artifacts.paths(origin, container)
    return _page(request, [azure.artifacts.shown(origin, container, each) for each in found])


@route("POST", "/artifact/v2.0{ws}/artifacts/metadata", shape="ArtifactDto")
def make_one(azure: Azure, request: Request) -> Answer:
    """Make one artifact."""
    told = request.json()
    azure.artifacts.make(told["origin"], told["container"], told["path"])
    return Answer(body=azure.artifacts.shown(told["origin"], told["container"], told["path"]))


@route("GET", "/artifact/v2.0{ws}/artifacts/metadata/{origin}/{container}/{path:path}", shape="ArtifactDto")
def show(azure: Azure, request: Request, origin: str, container: str, path: str) -> Answer:
    """Show one artifact."""
    if azure.artifacts.get(origin, container, path) is None:
        return _absent(origin, container, path)
    return Answer(body=azure.artifacts.shown(origin, container, path))
