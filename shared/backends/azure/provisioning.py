"""The one-time set-up: what of it is there, and making what is not.

Everything is looked at before it is made, nothing is waited for, nothing is ever deleted or changed: a second call
shows how far the first one came, and makes only what is still absent.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from shared.backends.azure import arm, compute, foundation
from shared.backends.azure.environments import Environments, Recipe
from shared.backends.azure.workspace import Azure
from shared.backends.blobs.account import Account, make
from shared.errors import SignalboxError, StepFailed

GROUPS = "2021-04-01"
DEPLOYMENTS = "2021-04-01"
WORKSPACES = "2023-04-01"
SUBSCRIPTIONS = "2022-12-01"
OURS = ("ledger", "marks", "artifacts", "dead-letter")
"""The containers of the app itself, without what all their names begin with."""

State = Literal["there", "making", "absent", "broken"]


class Part(Struct, frozen=True):
    """One part of the set-up as it was found: `said` is what it is, what would be made, or what is wrong with it."""

    what: str
    state: State
    said: str = ""
    advice: str = ""


class Piece(Struct, frozen=True):
    """A part that can be looked at and made; without `make`, a person makes it."""

    what: str
    look: Callable[[], Part]
    make: Callable[[], None] | None = None
    kind: Literal["foundation", "within", "apart"] = "within"
    """What is `within` waits until every `foundation` is there."""


class Setup:
    """What one app needs in Azure. Both methods block: call them in a thread, or in a command."""

    def __init__(
        self, azure: Azure, account: Account | None, data: Sequence[str] = (), recipes: Sequence[Recipe] = ()
    ) -> None:
        """`data` are the containers of the projects' data, `recipes` the environments known beforehand."""
        self._azure, self._account = azure, account
        self._data, self._recipes = data, recipes
        self._environments = Environments(azure)

    def look(self) -> list[Part]:
        """Return what is there and what would be made, changing nothing."""
        return list(self._parts(making=False))

    def make(self) -> list[Part]:
        """Make what is absent, as far as what it needs is there; return what there is then."""
        return list(self._parts(making=True))

    def _parts(self, making: bool) -> Iterator[Part]:
        lacking = ""
        for piece in self._pieces():
            if lacking and piece.kind != "apart":
                yield Part(piece.what, "absent", f"can be made once there is {lacking}")
                continue
            part = _told(piece, piece.look)
            # A deployment that failed may be asked for again: it goes on with what is not there yet.
            if (
                making
                and piece.make
                and (part.state == "absent" or (part.state, piece.kind) == ("broken", "foundation"))
            ):
                part = _made(piece, piece.make)
            if piece.kind == "foundation" and part.state != "there":
                lacking = piece.what
            yield part

    def _pieces(self) -> Iterator[Piece]:
        scope = self._azure.scope
        yield Piece(f"resource group {scope.resource_group}", self._look_group, self._make_group, "foundation")
        yield Piece(f"workspace {scope.workspace}", self._look_workspace, self._make_workspace, "foundation")
        yield Piece(f"cluster {scope.compute}", self._look_cluster, self._make_cluster)
        if scope.aks:
            yield Piece(f"AKS cluster {scope.aks}", self._look_aks)
        for each in self._recipes:
            yield self._environment(each)
        yield from self._containers()

    def _look_group(self) -> Part:
        scope = self._azure.scope
        what = f"resource group {scope.resource_group}"
        found = arm.get(self._azure, f"the {what}", scope.group_path, GROUPS)
        return Part(what, "there", str(found.get("location", ""))) if found else Part(what, "absent", self._where())

    def _where(self) -> str:
        location = self._azure.scope.location
        return f"would be made in {location}" if location else "AZURE_LOCATION says where it is made; it is not set"

    def _make_group(self) -> None:
        scope = self._azure.scope
        body = {"location": self._location()}
        arm.put(self._azure, f"the resource group {scope.resource_group}", scope.group_path, GROUPS, body)

    def _location(self) -> str:
        if not self._azure.scope.location:
            raise StepFailed("AZURE_LOCATION is not set", "set it to the region in which things are made")
        return self._azure.scope.location

    def _look_workspace(self) -> Part:
        scope = self._azure.scope
        what = f"workspace {scope.workspace}"
        found = arm.get(self._azure, f"the {what}", scope.path, WORKSPACES)
        if found:
            state = str(found["properties"].get("provisioningState", ""))
            return Part(
                what, "there" if state in ("Succeeded", "Updating") else "making", f"{found['location']}, {state}"
            )
        begun = arm.get(self._azure, f"the deployment of the {what}", self._deployment(), DEPLOYMENTS)
        return _of_deployment(what, begun) or Part(what, "absent", self._wanted())

    def _deployment(self) -> str:
        return f"{self._azure.scope.group_path}/providers/Microsoft.Resources/deployments/{foundation.DEPLOYMENT}"

    def _wanted(self) -> str:
        own = foundation.names(self._azure.scope)
        return f"{self._where()}, with storage account {own['storage']} and key vault {own['vault']}"

    def _make_workspace(self) -> None:
        scope = self._azure.scope
        self._location()
        what = f"the workspace {scope.workspace}"
        path = f"/subscriptions/{scope.subscription}"
        subscription = arm.get(self._azure, f"subscription {scope.subscription}", path, SUBSCRIPTIONS) or {}
        body = foundation.template(scope, str(subscription.get("tenantId", scope.tenant)))
        arm.put(self._azure, what, self._deployment(), DEPLOYMENTS, body)

    def _look_cluster(self) -> Part:
        scope = self._azure.scope
        what = f"cluster {scope.compute}"
        found = compute.find(self._azure, scope.compute)
        if found is None:
            return Part(what, "absent", f"would be made: {scope.vm_size}, none to {compute.MOST_NODES} nodes")
        if found.state in compute.BROKEN:
            return Part(what, "broken", f"{found.state}: {found.reason}", compute.advice(scope, found))
        return Part(what, "there" if found.is_ready else "making", f"{found.kind}, {found.state}")

    def _make_cluster(self) -> None:
        compute.make(self._azure, self._azure.scope.compute, self._azure.scope.vm_size)

    def _look_aks(self) -> Part:
        scope = self._azure.scope
        what = f"AKS cluster {scope.aks}"
        found = compute.find(self._azure, scope.aks)
        if found is None:
            command = f"az ml computetarget attach aks --name {scope.aks} --compute-resource-id AKS_ID"
            return Part(
                what, "absent", "it is not attached to the workspace", f"{command} --workspace-name {scope.workspace}"
            )
        return Part(what, "there" if found.is_ready else "making", f"{found.kind}, {found.state}")

    def _environment(self, wanted: Recipe) -> Piece:
        what = f"environment {wanted.name}"

        def look() -> Part:
            found = self._environments.find(wanted.name)
            said = f"version {found.version}" if found else f"would be registered: {len(wanted.packages)} packages"
            return Part(what, "there" if found else "absent", said)

        def register() -> None:
            self._azure.now(f"the {what}", lambda _: self._environments.ensure(wanted))

        return Piece(what, look, register)

    def _containers(self) -> Iterator[Piece]:
        if self._account is None:
            return
        for name in OURS:
            yield _container(self._account, self._account.container(name))
        for name in sorted(set(self._data)):
            yield _container(self._account, self._account.data(name))


def _container(account: Account, client: Any) -> Piece:
    what = f"container {client.container_name}"

    def look() -> Part:
        there = client.container_name in account.containers()
        return Part(what, "there" if there else "absent", "" if there else "would be made")

    return Piece(what, look, lambda: make(client), "apart")


def _of_deployment(what: str, found: dict[str, Any] | None) -> Part | None:
    properties = (found or {}).get("properties", {})
    state = properties.get("provisioningState")
    if state in (None, "Succeeded", "Canceled"):
        return None
    if state != "Failed":
        return Part(what, "making", f"the deployment {foundation.DEPLOYMENT} is {state}")
    told = properties.get("error") or {}
    details = [str(each.get("message")) for each in told.get("details") or [] if each.get("message")]
    words = "; ".join([f"{told.get('code', '')}: {told.get('message', '')}", *details])
    return Part(what, "broken", words, "mend what it names, then make it again")


def _made(piece: Piece, make_it: Callable[[], None]) -> Part:
    def made_and_looked() -> Part:
        make_it()
        part = piece.look()
        return part if part.state != "absent" else Part(piece.what, "making", "just asked for")

    return _told(piece, made_and_looked)


def _told(piece: Piece, look: Callable[[], Part]) -> Part:
    try:
        return look()
    except SignalboxError as error:
        return Part(piece.what, "broken", str(error), getattr(error, "advice", ""))
