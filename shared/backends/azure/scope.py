"""Where in Azure this app works, and how long it asks: what wiring makes of the settings."""

from pathlib import Path

from msgspec import Struct


class Scope(Struct, frozen=True):
    """One workspace, what it computes on, and the bounds of every call."""

    subscription: str
    resource_group: str
    workspace: str
    tenant: str
    client: str
    """Of the service principal, or of the user-assigned identity when there is no `secret`."""
    secret: str
    """Empty: a managed identity is used."""
    location: str
    compute: str
    """The cluster of projects that name none."""
    vm_size: str
    aks: str
    """The attached AKS cluster that production runs on."""
    image: str
    """The base docker image of environments."""
    timeout: float
    """Seconds that one request may take, however often it is asked within them."""
    attempts: int
    """How often a request that only reads is asked, while there is time, before it is given up."""
    storage: str
    """Connection string or URL of the storage account that holds the data."""
    state: Path
    """A writable folder for what the SDK writes and what is sent."""

    def __repr__(self) -> str:
        """Say where, and never with which secret: what is shown may be logged."""
        return f"Scope({self.path}, as {self.client or 'managed identity'})"

    @property
    def group_path(self) -> str:
        """Return the ARM path of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def path(self) -> str:
        """Return the ARM path of the workspace."""
        return f"{self.group_path}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
