"""Where models serve: a release in staging is an ACI service of its own, in production a version of an AKS endpoint.

Both are made once and never changed: what Azure can update in place would be another thing under an approved name.
Everything made carries the properties `release`, `slot` and `package`, the digest of the manifest it was made from.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from shared.backends.azure import names, services
from shared.backends.azure.endpoints import Endpoints
from shared.backends.azure.manifest import Package, fetch
from shared.backends.azure.material import material
from shared.backends.azure.registry import listed
from shared.backends.azure.standing import PACKAGE, RELEASE, SLOT, STATES, standing
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, Conflict, StepFailed, Unavailable
from shared.ports import Artifacts, Seen, Service

CORES, GIGABYTES = 1.0, 2.0
"""What one container gets."""


class AzureHosting:
    """`Hosting` in one workspace.

    Which project a production slot is of, its name does not say: the registered version of its release does.
    That never changes, so it is asked for once. A look reads one service, with two calls more for each of its models,
    because the SDK looks up the model's run, and what it printed: as many calls as the versions beside it make.
    """

    def __init__(self, azure: Azure, artifacts: Artifacts) -> None:
        self._azure, self._artifacts = azure, artifacts
        self._endpoints = Endpoints(azure)
        self._projects: dict[str, str] = {}

    async def find(self, slot: str) -> Service | None:
        """Look a slot up by its name."""
        return await self._azure.do(f"the slot {slot}", self._find, slot)

    async def deploy(self, slot: str, project: str, environment: str, release: str, image: str) -> None:
        """Begin to deploy what a package manifest names; what has failed is taken away first, and comes again.

        `Conflict` when the slot is there with another package.
        """
        self._projects[release] = project
        package = await fetch(self._artifacts, image)
        labels = {RELEASE: release, SLOT: slot, PACKAGE: image, "project": project}
        await self._azure.do(f"the slot {slot}", self._deploy, Order(slot, project, package, labels))

    async def stop(self, slot: str) -> None:
        """Delete what runs in the slot; an absent one is no error."""
        await self._azure.do(f"the end of the slot {slot}", self._stop, slot)

    async def point(self, project: str, environment: str, slot: str, release: str, generation: int) -> None:
        """Make the release's version the default of its project's endpoint, by one change.

        What is not assigned to a version goes to the default, and no version is ever assigned anything.
        """
        if environment != names.PRODUCTION:
            raise StepFailed(f"{environment} of {project} has no stable address", "Only production has one")
        await self._azure.do(f"the endpoint of {project}", self._endpoints.point, project, slot, release, generation)

    async def seen(self, project: str, environment: str) -> Seen | None:
        """Say which release the endpoint answers from, and the generation that made it the default."""
        if environment != names.PRODUCTION:
            return None
        default = await self._azure.do(f"the endpoint of {project}", self._endpoints.default, project)
        if default is None:
            return None
        answers = await asyncio.to_thread(default.answers, self._azure.scope.timeout)
        return Seen(default.release, default.generation) if answers else None

    def address(self, project: str, environment: str) -> str:
        """Return the scoring URL of the endpoint, as far as this process has seen it.

        Azure gives it only when the endpoint is made, and it holds the cluster's address: it cannot be computed.
        Until a look has shown it, this is the id under which the workspace knows the endpoint.
        """
        if environment != names.PRODUCTION:
            return ""
        known = self._endpoints.addresses.get(project)
        return known or f"azureml:/{self._azure.scope.path}/services/{names.endpoint(project)}"

    def _find(self, workspace: Any, slot: str) -> Service | None:
        if not names.is_production(slot):
            service = self._staged(slot)
            return standing(slot, service, lambda: services.output(self._azure, service)) if service else None
        project = self._project(workspace, slot)
        return self._endpoints.find(project, slot) if project else None

    def _project(self, workspace: Any, slot: str) -> str:
        release = names.released(slot)
        if release not in self._projects:
            found = listed(workspace, properties=[[RELEASE, release]])
            # A version that others registered carries no release; the version of the endpoint made of it does.
            project = found[0].name if found else self._endpoints.project_of(workspace, release)
            if not project:
                return ""
            self._projects[release] = project
        return self._projects[release]

    def _staged(self, slot: str) -> Any | None:
        return services.found(self._azure, names.staging_service(slot))

    def _deploy(self, workspace: Any, order: "Order") -> None:
        self._endpoints.demand(order.project)
        if self._adopted(workspace, order):
            return
        try:
            self._azure.now(f"the slot {order.slot}", self._make, order)
        except (Conflict, StepFailed) as error:
            # A taken name is told in more ways than one; whoever took it is looked at before anybody is blamed.
            if self._adopted(workspace, order):
                return
            if isinstance(error, Conflict):
                # All releases of a project share its endpoint: another change of it is under way.
                raise Unavailable(f"{error}; it is deployed once that is over") from error
            raise

    def _adopted(self, workspace: Any, order: "Order") -> bool:
        there = self._there(order)
        if there is None:
            return False
        package = (there.properties or {}).get(PACKAGE, "")
        if package != order.package.digest:
            what = f"the package {package}" if package else "something that is not ours"
            raise Conflict(f"slot {order.slot} is there with {what}, not {order.package.digest}")
        if STATES.get(there.state) not in ("failed", "stopped"):
            return True
        if self._removed(order):
            raise Unavailable(f"what failed in slot {order.slot} is being taken away; it is deployed again after that")
        advice = "roll back to another release, or mend it in the workspace"
        raise Blocked(f"slot {order.slot} is live and {there.state}, and Azure deletes no default of several: {advice}")

    def _there(self, order: "Order") -> Any | None:
        if names.is_production(order.slot):
            return self._endpoints.version(order.project, names.released(order.slot))
        return self._staged(order.slot)

    def _removed(self, order: "Order") -> bool:
        if names.is_production(order.slot):
            return self._endpoints.remove(order.project, names.released(order.slot))
        return services.removed(self._azure, names.staging_service(order.slot))

    def _make(self, workspace: Any, order: "Order") -> None:
        with material(self._azure, order.package, self._azure.scope.state / "deployed") as its:
            if names.is_production(order.slot):
                self._endpoints.make(workspace, order.project, order.labels, its)
            else:
                _stage(workspace, order, its)

    def _stop(self, workspace: Any, slot: str) -> None:
        if not names.is_production(slot):
            services.removed(self._azure, names.staging_service(slot))
            return
        project = self._project(workspace, slot)
        if project and not self._endpoints.remove(project, names.released(slot)):
            raise Unavailable(f"the address of {project} answers from {slot}; it is stopped once that moved on")


class Order(Struct, frozen=True):
    """One deployment: `labels` become properties and tags of what is made."""

    slot: str
    project: str
    package: Package
    labels: Mapping[str, str]


def _stage(workspace: Any, order: Order, its: Any) -> None:
    from azureml.core import Model
    from azureml.core.webservice import AciWebservice

    # Left out, the SDK says nothing about keys, and the service asks for none.
    config = AciWebservice.deploy_configuration(
        cpu_cores=CORES,
        memory_gb=GIGABYTES,
        auth_enabled=True,
        tags=dict(order.labels),
        properties=dict(order.labels),
        description=f"Signalbox: {order.project}, release {order.package.manifest.release}",
    )
    name = names.staging_service(order.slot)
    Model.deploy(workspace, name, [its.model], its.inference, config)
