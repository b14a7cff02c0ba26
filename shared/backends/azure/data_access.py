"""How a run on Azure compute reads the data: as its own identity, or by signatures that may read and expire."""

import json
from datetime import UTC, datetime, timedelta

from shared.errors import Blocked
from shared.ports import JobSpec

VARIABLE = "SIGNALBOX_STORAGE"
CLOCKS = timedelta(minutes=15)
"""How much the clocks of two machines may differ."""
QUEUED = timedelta(days=1)
"""How long a run may wait for its compute: its own time begins after that."""


def surroundings(storage: str, spec: JobSpec, seconds: float, now: datetime | None = None) -> dict[str, str]:
    """Return the environment variables that tell a run of at most `seconds` where the blobs of its data are.

    A connection string has the key of the whole account: a run gets a signature for each container it reads instead,
    which may read blobs there and nothing else. Whoever may read the run in the workspace can see it until it expires.
    """
    if not spec.data or not storage:
        return {}
    if storage.startswith(("https://", "http://")):
        return {VARIABLE: storage}
    since = (now or datetime.now(UTC)) - CLOCKS
    until = since + QUEUED + timedelta(seconds=seconds) + 2 * CLOCKS
    containers = sorted({blob.container for blob in spec.data})
    return {VARIABLE: json.dumps({name: _signed(storage, name, since, until) for name in containers})}


def _signed(storage: str, container: str, since: datetime, until: datetime) -> str:
    from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

    account = BlobServiceClient.from_connection_string(storage)
    key = getattr(account.credential, "account_key", None)
    if key is None:
        told = "its URL, which runs read as the identity of the compute, or a connection string with AccountKey"
        raise Blocked(f"STORAGE_CONNECTION has no key, so no run can be let at container {container}: set {told}")
    signature = generate_container_sas(
        str(account.account_name),
        container,
        account_key=key,
        permission=ContainerSasPermissions(read=True),
        start=since,
        expiry=until,
    )
    return f"{account.url.rstrip('/')}/{container}?{signature}"
