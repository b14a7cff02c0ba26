"""Compute: the cluster that the operator set is made when it is not there; one that a project names must be there."""

from contextlib import suppress
from typing import Any

from msgspec import Struct

from shared.backends.azure.refusals import QUOTA, quota_advice
from shared.backends.azure.scope import Scope
from shared.backends.azure.workspace import Azure
from shared.errors import Conflict, NotFound, StepFailed, Unavailable

MOST_NODES = 4
IDLE_SECONDS = 900
"""Seconds after which a node that has nothing to do is given back: nothing is paid for between releases."""
READY = {"Succeeded", "Updating", "Resizing"}
BROKEN = {"Failed", "Deleting", "Canceled"}


class Target(Struct, frozen=True):
    """One compute target as it is now; `reason` holds the service's words when it is broken."""

    name: str
    kind: str
    state: str
    reason: str = ""

    @property
    def is_ready(self) -> bool:
        """Say whether runs can be queued on it."""
        return self.state in READY


def find(azure: Azure, name: str) -> Target | None:
    """Look a compute target up; None when there is none. Call it in a thread."""
    from azureml.core import ComputeTarget
    from azureml.exceptions import ComputeTargetException

    def looked() -> Any:
        try:
            return ComputeTarget(azure.workspace(), name)
        except ComputeTargetException as error:
            # The SDK answers a 404 with an error that says nothing of it; any other refusal is told by the guard.
            if "ComputeTargetNotFound" in str(error.message):
                raise NotFound(f"there is no compute target {name}") from error
            raise

    try:
        found = azure.ask(f"the compute target {name}", looked)
    except NotFound:
        return None
    return Target(name, str(found.type), str(found.provisioning_state), _reason(found.provisioning_errors))


def _reason(errors: Any) -> str:
    told = [each.get("error", each) for each in errors or [] if isinstance(each, dict)]
    return "; ".join(": ".join(filter(None, (each.get("code"), each.get("message")))) for each in told)


def make(azure: Azure, name: str, vm_size: str) -> None:
    """Begin to make a cluster that has no nodes while it has nothing to do. Call it in a thread."""
    from azureml.core.compute import AmlCompute, ComputeTarget

    plan = AmlCompute.provisioning_configuration(
        vm_size=vm_size,
        min_nodes=0,
        max_nodes=MOST_NODES,
        idle_seconds_before_scaledown=IDLE_SECONDS,
        # Whoever it is may be given the role that lets jobs read the data without any secret.
        identity_type="SystemAssigned",
    )
    azure.ask(f"the cluster {name}", lambda: ComputeTarget.create(azure.workspace(), name, plan))


def ensure(azure: Azure, name: str = "") -> str:
    """Return the name of a compute target that takes runs; without a name, the cluster that the operator set.

    That one is made when it is absent, and `Unavailable` says so until it is there: nothing here waits.
    `StepFailed` when it is broken, or when a project names one that is not there. Call it in a thread.
    """
    scope, wanted = azure.scope, name or azure.scope.compute
    found = find(azure, wanted)
    if found is None and wanted != scope.compute:
        do = f"make it in workspace {scope.workspace}, or take [train] compute out of signalbox.toml"
        raise StepFailed(f"there is no compute target {wanted} in workspace {scope.workspace}", do)
    if found is None:
        # Another first release asks for it at the same time; the look after it decides.
        with suppress(Conflict):
            make(azure, wanted, scope.vm_size)
        found = find(azure, wanted)
    if found is None or not (found.is_ready or found.state in BROKEN):
        raise Unavailable(f"the cluster {wanted} is being made ({found.state if found else 'just asked for'})")
    if found.state in BROKEN:
        raise StepFailed(f"the compute target {wanted} is {found.state}: {found.reason}", advice(scope, found))
    return wanted


def advice(scope: Scope, broken: Target) -> str:
    """Say what to do about a broken one."""
    if any(each in broken.reason.lower() for each in QUOTA):
        return f"{quota_advice(scope)}; delete the broken one first: az ml compute delete --name {broken.name}"
    return f"delete it (az ml compute delete --name {broken.name}) and retry: it is made anew"
