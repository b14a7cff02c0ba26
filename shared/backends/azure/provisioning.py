"""The one-time set-up: what of it is there, and making what is not.

Everything is looked at before it is made, nothing is waited for, nothing is ever deleted or changed: a second call
shows how far the first one came, and makes only what is still absent.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from shared.backends.azure import arm, compute, foundation
from shared.backends.azure.environments import Environments, Recipe
from shared.backends.azure.workspace import Azure
from shared.errors import SignalboxError, StepFailed

if TYPE_CHECKING:
    from shared.backends.blobs import Account

GROUPS = "2021-04-01"
DEPLOYMENTS = "2021-04-01"
WORKSPACES = "2023-04-01"
SUBSCRIPTIONS = "2022-12-01"
FAILED = ("Failed", "Canceled")
"""States of a workspace that is there and never becomes usable by waiting."""
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
    plan: str
    """What would be made, when it is absent."""
    look: Callable[[], Part | None]
    """None when it is absent."""
    make: Callable[[], None] | None = None
    kind: Literal["foundation", "within", "apart"] = "within"
    """What is `within` waits until every `foundation` is there."""


class Setup:
    """What one app needs in Azure. Both methods block: call them in a thread, or in a command."""

    def __init__(
        self, azure: Azure, account: "Account | None", data: Sequence[str] = (), recipes: Sequence[Recipe] = ()
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
                yield Part(piece.what, "absent", f"{piece.plan}, once there is {lacking}")
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
        group, workspace = f"resource group {scope.resource_group}", f"workspace {scope.workspace}"
        where = f"would be made in {scope.location}" if scope.location else "would be made where AZURE_LOCATION says"
        own = foundation.names(scope)
        beside = f"{where}, with storage account {own['storage']} and key vault {own['vault']}"
        yield Piece(group, where, self._look_group, self._make_group, "foundation")
        yield Piece(workspace, beside, self._look_workspace, self._make_workspace, "foundation")
        yield self._cluster()
        if scope.aks:
            yield self._aks()
        for each in self._recipes:
            yield self._environment(each)
        yield from self._containers()

    def _look_group(self) -> Part | None:
        scope = self._azure.scope
        what = f"resource group {scope.resource_group}"
        found = arm.get(self._azure, f"the {what}", scope.group_path, GROUPS)
        return Part(what, "there", str(found.get("location", ""))) if found else None

    def _make_group(self) -> None:
        scope = self._azure.scope
        body = {"location": self._location()}
        arm.put(self._azure, f"the resource group {scope.resource_group}", scope.group_path, GROUPS, body)

    def _location(self) -> str:
        if not self._azure.scope.location:
            raise StepFailed("AZURE_LOCATION is not set", "set it to the region in which things are made")
        return self._azure.scope.location

    def _look_workspace(self) -> Part | None:
        scope = self._azure.scope
        what = f"workspace {scope.workspace}"
        found = arm.get(self._azure, f"the {what}", scope.path, WORKSPACES)
        its = str(found["properties"].get("provisioningState", "")) if found else ""
        if found and its not in FAILED:
            state: State = "there" if its in ("Succeeded", "Updating") else "making"
            return Part(what, state, f"{found['location']}, {its}")
        deployment = arm.get(self._azure, f"the deployment of the {what}", self._deployment(), DEPLOYMENTS)
        told = _of_deployment(what, deployment)
        if told is None and found:
            advice = "see why in the portal, in its activity log, mend that, then make it again"
            return Part(what, "broken", f"{found['location']}, {its}", advice)
        return told

    def _deployment(self) -> str:
        return f"{self._azure.scope.group_path}/providers/Microsoft.Resources/deployments/{foundation.DEPLOYMENT}"

    def _make_workspace(self) -> None:
        scope = self._azure.scope
        self._location()
        what = f"the workspace {scope.workspace}"
        path = f"/subscriptions/{scope.subscription}"
        subscription = arm.get(self._azure, f"subscription {scope.subscription}", path, SUBSCRIPTIONS) or {}
        body = foundation.template(scope, str(subscription.get("tenantId", scope.tenant)))
        arm.put(self._azure, what, self._deployment(), DEPLOYMENTS, body)

    def _cluster(self) -> Piece:
        scope = self._azure.scope
        plan = f"would be made: {scope.vm_size}, none to {compute.MOST_NODES} nodes"

        def make_it() -> None:
            compute.make(self._azure, scope.compute, scope.vm_size)

        return Piece(f"cluster {scope.compute}", plan, lambda: self._target(scope.compute, "cluster"), make_it)

    def _aks(self) -> Piece:
        name = self._azure.scope.aks
        plan = "not attached to the workspace, which is for whoever runs it: az ml computetarget attach aks"
        return Piece(f"AKS cluster {name}", f"{plan} --name {name}", lambda: self._target(name, "AKS cluster"))

    def _target(self, name: str, kind: str) -> Part | None:
        found = compute.find(self._azure, name)
        if found is None:
            return None
        if found.state in compute.BROKEN:
            advice = compute.advice(self._azure.scope, found)
            return Part(f"{kind} {name}", "broken", f"{found.state}: {found.reason}", advice)
        return Part(f"{kind} {name}", "there" if found.is_ready else "making", f"{found.kind}, {found.state}")

    def _environment(self, wanted: Recipe) -> Piece:
        what = f"environment {wanted.name}"

        def look() -> Part | None:
            found = self._environments.find(wanted.name)
            return Part(what, "there", f"version {found.version}") if found else None

        def register() -> None:
            self._azure.now(f"the {what}", lambda _: self._environments.ensure(wanted))

        return Piece(
            what, f"would be registered: {len(wanted.packages)} packages of ours and the project's", look, register
        )

    def _containers(self) -> Iterator[Piece]:
        if self._account is None:
            return
        for name in OURS:
            yield _container(self._account, self._account.container(name))
        for name in sorted(set(self._data)):
            yield _container(self._account, self._account.data(name))


def _container(account: "Account", client: Any) -> Piece:
    from shared.backends.blobs.account import make

    what = f"container {client.container_name}"

    def look() -> Part | None:
        return Part(what, "there") if client.container_name in account.containers() else None

    return Piece(what, "would be made", look, lambda: make(client), "apart")


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
        return piece.look() or Part(piece.what, "making", "just asked for")

    return _told(piece, made_and_looked)


def _told(piece: Piece, look: Callable[[], Part | None]) -> Part:
    try:
        return look() or Part(piece.what, "absent", piece.plan)
    except SignalboxError as error:
        return Part(piece.what, "broken", str(error), getattr(error, "advice", ""))
