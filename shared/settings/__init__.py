"""Settings: read once from the environment by one table, all that is missing or wrong named at once."""

import base64
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.config import Projects, read_projects
from shared.settings import named
from shared.settings.given import Given
from shared.settings.table import BACKENDS, SHORTEST_SECRET, STORAGES, TABLE, TABLES, Setting

__all__ = [
    "TABLE",
    "TABLES",
    "AuditSettings",
    "AzureSettings",
    "Setting",
    "Settings",
    "read",
    "read_audit",
    "read_azure",
]

AUDIT_KEY_BYTES = 32
UNUSABLE = "projects.toml cannot be read: the log of the app and `signalbox doctor` say why"
HOUSE = Path(__file__).resolve().parents[2]


class AzureSettings(Struct, frozen=True):
    """Where in Azure the work is done, and as whom: field by field what `shared.backends.azure.scope.Scope` takes."""

    subscription: str
    resource_group: str
    workspace: str
    tenant: str
    client: str
    secret: str
    """Empty: a managed identity, `client` the user-assigned one."""
    location: str
    compute: str
    vm_size: str
    aks: str
    image: str
    timeout: float
    """Seconds of one call."""
    attempts: int
    storage: str
    """Connection string or URL of the account that keeps ledger, artifacts and data."""
    state: Path
    """A folder that may be written and lost."""

    def __repr__(self) -> str:
        """Say where, and never with which secret: what is shown may be logged."""
        where = f"{self.subscription}/{self.resource_group}/{self.workspace}"
        return f"AzureSettings({where}, as {self.client or 'managed identity'})"


class AuditSettings(Struct, frozen=True):
    """Where the ledger is kept and how it is proven, which is all that an auditor needs."""

    storage: str
    """Connection string or URL; empty: it is kept in `state`."""
    state: Path
    key: bytes
    """32 bytes that sign every fact; empty: nothing is signed."""
    public_keys: tuple[bytes, ...]
    """Those of earlier keys."""
    checkpoints: str
    """A folder, a container's URL or a connection string; empty: no checkpoints are made."""

    def __repr__(self) -> str:
        """Say where the state is, and leave out all that may hold a secret."""
        return f"AuditSettings({self.state})"


class Settings(Struct, frozen=True):
    """What the operator set; secrets are named in `projects.toml` and stand in the environment as SECRET_<NAME>."""

    backend: str
    state: Path
    projects_file: Path
    projects: Projects
    public_url: str
    live_url: str
    storage: str
    """Connection string or URL of the account that keeps ledger and artifacts; empty: they are kept in `state`."""
    topic_endpoint: str
    topic_key: str
    approval_key: bytes
    secrets: tuple[tuple[str, str, bytes], ...]
    """(project, name of the secret, value) of every push secret."""
    credentials: tuple[tuple[str, str, str], ...] = ()
    """(repository, name of the secret, `user:token` or only a token) of every repository that is private."""
    statuses: tuple[tuple[str, str, str], ...] = ()
    """(project, name of the secret, token) of every project whose host is told how its steps stand."""
    channels: tuple[tuple[str, str], ...] = ()
    """(name of the secret, address) of every channel."""
    mail: str = ""
    """The address that people are mailed by, with `{to}` in it; empty: nobody is."""
    event_seconds: float = float(TABLE["EVENT_SECONDS"].default)
    """Seconds within which an Event Grid handler answers."""
    http_seconds: float = float(TABLE["HTTP_SECONDS"].default)
    """Seconds within which a request is answered."""
    signed_in: bool = False
    """The platform signs people in before the app is reached."""
    branch_minutes: float = float(TABLE["BRANCH_LOOK"].default)
    """Minutes between two looks at the head of a branch."""
    azure: AzureSettings | None = None
    """Only with the backend azure."""
    audit_key: bytes = b""
    """32 bytes that sign every fact; empty: nothing is signed."""
    audit_public_keys: tuple[bytes, ...] = ()
    """Those of earlier keys."""
    checkpoints: str = ""
    """A folder, a container's URL or a connection string; empty: no checkpoints are made."""

    def __repr__(self) -> str:
        """Say what runs where, and leave out all that may hold a secret: what is shown may be logged."""
        return f"Settings({self.backend}, {self.state}, projects {', '.join(self.projects.projects)}, {self.azure})"


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; `Misconfigured` names every missing or wrong one with what it must be."""
    given = Given(environ)
    backend = given.choice("BACKEND", BACKENDS)
    given.demand(backend)
    if 0 < len(given.text("APPROVAL_KEY")) < SHORTEST_SECRET:
        given.wrong.append(f"APPROVAL_KEY is too short: {TABLE['APPROVAL_KEY'].what}")
    storage = _storage(given, backend)
    state = _state(given)
    audit = _audit(given, storage, state)
    projects_file = _found(given.text("PROJECTS"))
    projects = _projects(projects_file, given) if given.text("PROJECTS") else Projects({})
    settings = Settings(
        backend=backend,
        state=state,
        projects_file=projects_file,
        projects=projects,
        public_url=given.text("PUBLIC_URL").rstrip("/"),
        live_url=given.text("LIVE_URL").rstrip("/"),
        storage=storage,
        topic_endpoint=given.text("TOPIC_ENDPOINT"),
        topic_key=given.text("TOPIC_KEY"),
        approval_key=given.text("APPROVAL_KEY").encode(),
        secrets=named.secrets(projects, given),
        credentials=named.credentials(projects, given),
        statuses=named.statuses(projects, given),
        channels=named.channels(projects, given),
        mail=named.mail(given),
        event_seconds=given.number("EVENT_SECONDS", 1, 29),
        http_seconds=given.number("HTTP_SECONDS", 1, 200),
        signed_in=given.text("WEBSITE_AUTH_ENABLED").lower() == "true",
        branch_minutes=given.number("BRANCH_LOOK", 1, 1440),
        azure=_azure(given, storage, state) if backend == "azure" else None,
        audit_key=audit.key,
        audit_public_keys=audit.public_keys,
        checkpoints=audit.checkpoints,
    )
    given.refuse()
    return settings


def read_azure(environ: Mapping[str, str] = os.environ) -> AzureSettings:
    """Return where in Azure the work is done and nothing else: for setting up what the other settings name."""
    given = Given(environ)
    needed = {name: one for name, one in TABLES["The Azure ML workspace"].items() if "azure" in one.needed}
    given.wrong += [f"{name} is missing: {one.what}" for name, one in needed.items() if not environ.get(name)]
    storage = given.text("STORAGE_CONNECTION") or given.text("AzureWebJobsStorage")
    found = _azure(given, storage, _state(given))
    given.refuse()
    return found


def read_audit(environ: Mapping[str, str] = os.environ) -> AuditSettings:
    """Return where the ledger is kept and how it is proven and nothing else."""
    given = Given(environ)
    found = _audit(given, _storage(given, given.choice("BACKEND", BACKENDS)), _state(given))
    given.refuse()
    return found


def _state(given: Given) -> Path:
    return Path(given.text("STATE_DIR") or Path(tempfile.gettempdir()) / "signalbox").absolute()


def _azure(given: Given, storage: str, state: Path) -> AzureSettings:
    if given.text("AZURE_CLIENT_SECRET"):
        needed = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID")
        given.wrong += [f"{name} is missing: {TABLE[name].what}" for name in needed if not given.text(name)]
    return AzureSettings(
        subscription=given.text("AZURE_SUBSCRIPTION_ID"),
        resource_group=given.text("AZURE_RESOURCE_GROUP"),
        workspace=given.text("AZUREML_WORKSPACE"),
        tenant=given.text("AZURE_TENANT_ID"),
        client=given.text("AZURE_CLIENT_ID"),
        secret=given.text("AZURE_CLIENT_SECRET"),
        location=given.text("AZURE_LOCATION"),
        compute=given.text("AZUREML_COMPUTE"),
        vm_size=given.text("AZUREML_VM_SIZE"),
        aks=given.text("AZUREML_AKS"),
        image=given.text("AZUREML_IMAGE"),
        timeout=given.number("AZURE_TIMEOUT_SECONDS", 1, 120),
        attempts=int(given.number("AZURE_ATTEMPTS", 1, 5, whole=True)),
        storage=storage,
        state=state,
    )


def _storage(given: Given, backend: str) -> str:
    kind = given.text("STORAGE") or ("blobs" if backend == "azure" else "local")
    connection = given.text("STORAGE_CONNECTION") or given.text("AzureWebJobsStorage")
    if kind not in STORAGES or (backend == "azure" and kind != "blobs"):
        given.wrong.append(f"STORAGE is {kind!r}: it must be {TABLE['STORAGE'].what}")
    if (kind == "blobs" or backend == "azure") and not connection:
        given.wrong.append(f"STORAGE_CONNECTION is missing: {TABLE['STORAGE_CONNECTION'].what}")
    return connection if kind == "blobs" else ""


def _audit(given: Given, storage: str, state: Path) -> AuditSettings:
    earlier = tuple(_key("AUDIT_PUBLIC_KEYS", one, given) for one in given.text("AUDIT_PUBLIC_KEYS").split())
    return AuditSettings(storage, state, _audit_key(given), earlier, given.text("CHECKPOINTS"))


def _audit_key(given: Given) -> bytes:
    text, file = given.text("AUDIT_KEY"), given.text("AUDIT_KEY_FILE")
    if text and file:
        given.wrong.append("AUDIT_KEY and AUDIT_KEY_FILE are both set: keep one of them")
    if file:
        try:
            text = Path(file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            given.wrong.append(f"AUDIT_KEY_FILE cannot be read: {error}")
    return _key("AUDIT_KEY_FILE" if file else "AUDIT_KEY", text, given) if text else b""


def _key(name: str, text: str, given: Given) -> bytes:
    """Return the bytes of a key in base64, of either alphabet; none when it is wrong."""
    try:
        key = base64.b64decode(text.strip().rstrip("=").replace("-", "+").replace("_", "/") + "=", validate=True)
    except ValueError:
        key = b""
    if len(key) != AUDIT_KEY_BYTES:
        given.wrong.append(f"{name} holds no key: it must be {AUDIT_KEY_BYTES} bytes in base64, 43 characters and =")
    return key


def _found(path: str) -> Path:
    """Return where a file is: as named, or beside host.json, for the host says nothing about the current folder."""
    named = Path(path)
    return named if named.is_absolute() or named.exists() else HOUSE / named


def _projects(path: Path, given: Given) -> Projects:
    try:
        return read_projects(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        given.say(f"PROJECTS cannot be read: {error}", UNUSABLE)
    except NotUnderstood as error:
        given.say(str(error), UNUSABLE)
    return Projects({})
