"""The ARM template of a workspace and what it stands on.

The SDK can make a workspace too, but it waits for it, and when it loses sight of what it began it deletes the storage
account and the key vault that it was making; a deployment that was accepted is finished by ARM itself.
"""

import hashlib
from typing import Any

from shared.backends.azure.scope import Scope

DEPLOYMENT = "signalbox-workspace"


def names(scope: Scope) -> dict[str, str]:
    """Return the names of what a workspace stands on; computed, so that making it twice makes it once.

    Both are unique in all of Azure and have at most 24 characters.
    """
    own = hashlib.sha256(scope.path.lower().encode()).hexdigest()
    return {"storage": f"sbml{own[:16]}", "vault": f"sbml-{own[:16]}"}


def template(scope: Scope, tenant: str) -> dict[str, Any]:
    """Return the body of the deployment: storage account, key vault, workspace.

    The container registry is made by the service with the first image, application insights are not used.
    """
    own = names(scope)
    provider = f"{scope.group_path}/providers"
    storage = f"{provider}/Microsoft.Storage/storageAccounts/{own['storage']}"
    vault = f"{provider}/Microsoft.KeyVault/vaults/{own['vault']}"
    resources = [
        {
            "type": "Microsoft.Storage/storageAccounts",
            "apiVersion": "2023-01-01",
            "name": own["storage"],
            "location": scope.location,
            "kind": "StorageV2",
            "sku": {"name": "Standard_LRS"},
            "properties": {"allowBlobPublicAccess": False, "minimumTlsVersion": "TLS1_2"},
        },
        {
            "type": "Microsoft.KeyVault/vaults",
            "apiVersion": "2023-02-01",
            "name": own["vault"],
            "location": scope.location,
            "properties": {"tenantId": tenant, "sku": {"family": "A", "name": "standard"}, "accessPolicies": []},
        },
        {
            "type": "Microsoft.MachineLearningServices/workspaces",
            "apiVersion": "2023-04-01",
            "name": scope.workspace,
            "location": scope.location,
            "identity": {"type": "SystemAssigned"},
            "dependsOn": [storage, vault],
            "properties": {"friendlyName": scope.workspace, "storageAccount": storage, "keyVault": vault},
        },
    ]
    schema = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
    # Incremental: what else is in the resource group stays as it is.
    whole = {"$schema": schema, "contentVersion": "1.0.0.0", "resources": resources}
    return {"properties": {"mode": "Incremental", "template": whole}}
