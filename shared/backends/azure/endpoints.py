"""The endpoint of a project on AKS: its stable address, and the versions behind it.

A version is made with no share of the traffic; which one is the default is the only thing that is ever switched, by one
patch that carries the generation as a tag. That patch is not conditional: an older one may still land after a newer
one. Then the default shows a smaller generation than the stream's head, and the next look switches again.
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct

from shared.backends.azure import names, services
from shared.backends.azure.material import Material
from shared.backends.azure.standing import PACKAGE, RELEASE, SLOT, standing
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, Conflict, NotFound, StepFailed, Unavailable
from shared.ports import Service

GENERATION = "generation"
CORES, GIGABYTES = 1.0, 2.0
"""What one container gets."""
ANSWERED_BY = "X-Signalbox-Release"


class Default(Struct, frozen=True):
    """The default version of an endpoint, and how to ask the endpoint."""

    release: str
    generation: int
    url: str
    key: str

    def __repr__(self) -> str:
        """Leave the key out: what is printed is kept."""
        return f"Default({self.release!r}, {self.generation})"

    def answers(self, seconds: float) -> bool:
        """Say whether the endpoint answers from this release.

        It is sent no data: our entry refuses that with 400, which the project's code never sees, and says who it is.
        """
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.url, b"{}", headers)
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                status, by = answer.status, answer.headers.get(ANSWERED_BY)
        except urllib.error.HTTPError as refused:
            with refused:
                status, by = refused.code, refused.headers.get(ANSWERED_BY)
        except (OSError, http.client.HTTPException):
            return False
        # A front may drop the header: then what Azure says of the default has to do.
        return status in (200, 400) and by in (None, self.release)


class Endpoints:
    """Endpoints of one workspace; every method runs in a thread. `addresses` are the scoring URLs seen so far."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure
        self.addresses: dict[str, str] = {}

    def look(self, project: str) -> Any | None:
        """Return the SDK's endpoint, None when there is none."""
        endpoint = services.found(self._azure, names.endpoint(project))
        if endpoint is not None and endpoint.scoring_uri:
            self.addresses[project] = endpoint.scoring_uri
        return endpoint

    def project_of(self, workspace: Any, release: str) -> str:
        """Return the project whose endpoint has a version of a release, empty when none has: every one is read."""
        from azureml._model_management._constants import AKS_ENDPOINT_TYPE
        from azureml.core import Webservice

        for endpoint in Webservice.list(workspace, compute_type=AKS_ENDPOINT_TYPE):
            if version := endpoint.versions.get(names.version(release)):
                return str((version.properties or {}).get("project", ""))
        return ""

    def demand(self, project: str) -> None:
        """Raise `Blocked` when production of a project has no cluster: known before people are asked to approve."""
        if not self._azure.scope.aks and self.look(project) is None:
            advice = "attach an AKS cluster to the workspace and name it in AZUREML_AKS"
            raise Blocked(f"there is no cluster on which production of {project} is served: {advice}")

    def version(self, project: str, release: str) -> Any | None:
        """Return the SDK's version of a release, None when there is none."""
        endpoint = self.look(project)
        return endpoint.versions.get(names.version(release)) if endpoint else None

    def find(self, project: str, slot: str) -> Service | None:
        """Say how a production slot stands."""
        endpoint = self.look(project)
        version = endpoint.versions.get(names.version(names.released(slot))) if endpoint else None
        return standing(slot, version, lambda: services.output(self._azure, endpoint)) if version else None

    def make(self, workspace: Any, project: str, labels: Mapping[str, str], its: Material) -> None:
        """Begin to deploy a version, and with the first one its endpoint."""
        endpoint, name = self.look(project), names.version(labels[RELEASE])
        told = {"tags": dict(labels), "properties": dict(labels), "description": f"Signalbox: {project}"}
        room = {"cpu_cores": CORES, "memory_gb": GIGABYTES, "traffic_percentile": 0}
        if endpoint is not None:
            endpoint.__class__ = _with_limits()
            endpoint.create_version(name, models=[its.model], inference_config=its.inference, **room, **told)
            return
        from azureml.core import Model
        from azureml.core.webservice import AksEndpoint

        config = AksEndpoint.deploy_configuration(
            version_name=name,
            auth_enabled=True,
            compute_target_name=self._azure.scope.aks,
            **room,
            **told,
        )
        Model.deploy(workspace, names.endpoint(project), [its.model], its.inference, config)

    def point(self, workspace: Any, project: str, slot: str, release: str, generation: int) -> None:
        """Make a version the default; an older generation than the present one changes nothing.

        What is to be live is decided already, so whatever is in the way is `Unavailable`: it is pointed to again.
        """
        endpoint, name = self.look(project), names.version(release)
        if endpoint is None or name not in endpoint.versions:
            raise Unavailable(f"there is no slot {slot} to which {project} production could be led")
        version = endpoint.versions[name]
        if version.state != "Healthy":
            raise Unavailable(f"slot {slot} is {version.state}: {project} production cannot be led to it yet")
        defaults = _defaults(endpoint)
        newest = max((_generation(each) for each in defaults.values()), default=0)
        if newest > generation or (list(defaults) == [name] and newest == generation):
            return
        kept = {name: (version.properties or {}).get(name, "") for name in (PACKAGE, SLOT)}
        tags = {**kept, RELEASE: release, SLOT: slot, GENERATION: str(generation)}
        try:
            self._azure.ask(
                f"the address of {project}", lambda: endpoint.update_version(name, is_default=True, tags=tags)
            )
        except (Conflict, NotFound, StepFailed) as error:
            raise Unavailable(f"{project} production cannot be led to {slot} yet: {error}") from error

    def default(self, workspace: Any, project: str) -> Default | None:
        """Return the default and how to ask it; None while no version was made the default by us, or two are."""
        endpoint = self.look(project)
        defaults = _defaults(endpoint) if endpoint else {}
        if endpoint is None or len(defaults) != 1:
            return None
        version = next(iter(defaults.values()))
        generation = _generation(version)
        if not generation:
            return None
        key, _ = self._azure.ask("the keys of an endpoint", endpoint.get_keys)
        return Default(str(version.tags.get(RELEASE, "")), generation, endpoint.scoring_uri, key)

    def remove(self, project: str, release: str) -> bool:
        """Ask for a version to be deleted; False for the default of several, which stays.

        The default cannot go while others are there; when it is the last, the endpoint goes with it.
        """
        endpoint, name = self.look(project), names.version(release)
        if endpoint is None or name not in endpoint.versions:
            return True
        if list(endpoint.versions) == [name]:
            return services.removed(self._azure, names.endpoint(project))
        if endpoint.versions[name].is_default:
            return False
        endpoint.delete_version(name)
        return True


@cache
def _with_limits() -> type:
    from azureml.core.webservice import AksEndpoint

    class Limited(AksEndpoint):  # type: ignore[misc]
        """An endpoint with the limits that the SDK compares a version's needs with, and forgets to give an endpoint.

        Not set on the object: the SDK reads every attribute of it anew from one without.
        """

        # By this the SDK chooses the class of what it reads: it never chooses this one.
        _webservice_type = "of-no-service"
        container_resource_requirements = None

    return Limited


def _defaults(endpoint: Any) -> dict[str, Any]:
    return {name: version for name, version in endpoint.versions.items() if version.is_default}


def _generation(version: Any) -> int:
    told = str((version.tags or {}).get(GENERATION, ""))
    return int(told) if told.isdigit() else 0
