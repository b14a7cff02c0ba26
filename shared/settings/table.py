"""The table of all settings: what each is, who cannot do without it, and what is taken when it is absent."""

from msgspec import Struct

SHORTEST_SECRET = 16
BACKENDS = ("local", "azure")
STORAGES = ("local", "blobs")
GUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"


class Setting(Struct, frozen=True):
    """One setting: what it must be, which backends cannot do without it, and what is taken when it is absent or empty.

    `sample` stands in local.settings.sample.json, `host` says that the Functions host reads it.
    `what` ends a sentence and holds no semicolon, for that stands between two settings that are wrong.
    """

    what: str
    needed: tuple[str, ...] = ()
    default: str = ""
    sample: str = ""
    like: str = ""
    """Pattern of the whole value."""
    secret: bool = False
    host: bool = False


# The only list of settings: `read`, docs/settings.md, local.settings.sample.json and `signalbox doctor` go by it.
TABLES: dict[str, dict[str, Setting]] = {
    "The Functions host": {
        "FUNCTIONS_WORKER_RUNTIME": Setting(
            "python, because the host starts no other worker for it", sample="python", host=True
        ),
        "AzureWebJobsStorage": Setting(
            "the storage account of the host: its queues carry the orders (a connection string, or "
            "AzureWebJobsStorage__accountName for a managed identity)",
            sample="UseDevelopmentStorage=true",
            secret=True,
            host=True,
        ),
    },
    "The app": {
        "BACKEND": Setting("where the work is done: local or azure", default="local", sample="local"),
        "PROJECTS": Setting("the path of projects.toml", BACKENDS, sample="projects.toml"),
        "APPROVAL_KEY": Setting(
            f"a secret of {SHORTEST_SECRET} characters or more that signs approval links", BACKENDS, secret=True
        ),
        "PUBLIC_URL": Setting(
            "the base address of this app as approvers reach it",
            BACKENDS,
            sample="http://127.0.0.1:7071",
            like=r"https?://\S+",
        ),
        "WEBSITE_AUTH_ENABLED": Setting(
            "true once App Service signs people in before the app is reached (the platform sets it, nobody else "
            "should: whoever reaches the app past the platform could then be anybody)",
            default="false",
            like=r"(?i)true|false",
        ),
        "SECRET_<NAME>": Setting(
            f"a secret that projects.toml names: the {SHORTEST_SECRET} characters or more of a push webhook, or the "
            "user:token or token of a private repository, the token that writes commit statuses, or the address of a "
            "channel as Apprise writes it",
            secret=True,
        ),
        "MAIL": Setting(
            "the address that Apprise mails people by, with {to} where theirs belongs, as "
            "mailtos://USER:PASSWORD@smtp.example.org?from=signalbox@example.org&to={to} (empty: nobody is mailed)",
            secret=True,
        ),
        "STATE_DIR": Setting(
            "the folder in which everything is kept (with BACKEND=azure one that may be lost, for what is under way, "
            "and it may be absent)",
            ("local",),
            sample=".signalbox",
        ),
        "LIVE_URL": Setting(
            "the base address of the stable scoring addresses",
            ("local",),
            sample="http://127.0.0.1:7072/live",
            like=r"https?://\S+",
        ),
        "EVENT_SECONDS": Setting(
            "a number of seconds, 1 to 29, after which an event is given back to Event Grid, which waits for 30 "
            "and sends it again",
            default="18",
        ),
        "HTTP_SECONDS": Setting(
            "a number of seconds, 1 to 200, after which a request is answered 503 (a git host waits for 10, and never "
            "sends a push again)",
            default="9",
        ),
        "BRANCH_LOOK": Setting(
            "a number of minutes, 1 to 1440, after which the patrol compares the head of a branch with what was taken "
            "in, so that a lost webhook costs no more",
            default="3",
        ),
    },
    "Where ledger and artifacts are kept": {
        "STORAGE": Setting(
            "local (files and SQLite in STATE_DIR) or blobs, and with BACKEND=azure it is blobs", sample="local"
        ),
        "STORAGE_CONNECTION": Setting(
            "a storage account's connection string, or its URL https://<account>.blob.core.windows.net (without it "
            "AzureWebJobsStorage is taken)",
            secret=True,
        ),
    },
    "How the ledger is proven": {
        "AUDIT_KEY": Setting(
            "the key that signs every fact, 32 random bytes in base64, as `signalbox audit key` makes it (without it "
            "nothing is signed)",
            secret=True,
        ),
        "AUDIT_KEY_FILE": Setting("the path of a file that holds it, in place of AUDIT_KEY"),
        "AUDIT_PUBLIC_KEYS": Setting(
            "the public keys of earlier AUDIT_KEYs, as `signalbox audit key` prints them, with blanks between them: "
            "what they signed stays proven",
            like=r"[A-Za-z0-9+/_= -]+",
        ),
        "CHECKPOINTS": Setting(
            "the second place in which the heads of all streams are kept each hour, out of reach of whoever can write "
            "the ledger: a folder, the URL https://<account>.blob.core.windows.net/<container>, or a connection string "
            "of another account (without it none are made)",
            secret=True,
        ),
    },
    "The topic of our own events": {
        "TOPIC_ENDPOINT": Setting(
            "the address of the Event Grid topic to which Signalbox publishes (with BACKEND=azure approvers are told "
            "by it)",
            ("azure",),
            sample="http://127.0.0.1:7072/topics/signalbox/api/events",
            like=r"https?://\S+",
        ),
        "TOPIC_KEY": Setting(
            "an access key of that topic (empty, with BACKEND=azure: as whoever the app runs as)", secret=True
        ),
    },
    "The Azure ML workspace": {
        "AZURE_SUBSCRIPTION_ID": Setting("the id of the subscription, a GUID", ("azure",), like=GUID),
        "AZURE_RESOURCE_GROUP": Setting(
            "the name of the workspace's resource group", ("azure",), like=r"[\w.()-]{0,89}[\w()-]"
        ),
        "AZUREML_WORKSPACE": Setting(
            "the name of the workspace: 3 to 33 letters, digits, - and _", ("azure",), like=r"[A-Za-z0-9][\w-]{2,32}"
        ),
        "AZURE_LOCATION": Setting(
            "the region in which `signalbox provision` makes what is missing, as westeurope", like=r"[a-z0-9]+"
        ),
        "AZURE_TENANT_ID": Setting(
            "the id of the tenant, a GUID, or its domain, needed with AZURE_CLIENT_SECRET",
            like=rf"{GUID}|[\w-]+(\.[\w-]+)+",
        ),
        "AZURE_CLIENT_ID": Setting(
            "the id of the service principal, a GUID, or without AZURE_CLIENT_SECRET that of a user-assigned identity "
            "(empty: the app's own managed identity)",
            like=GUID,
        ),
        "AZURE_CLIENT_SECRET": Setting(
            "the secret of the service principal (empty: a managed identity is used)", secret=True
        ),
        "AZUREML_COMPUTE": Setting(
            "the cluster on which jobs run unless a project names its own: 2 to 32 letters, digits and -",
            default="signalbox-cpu",
            like=r"[A-Za-z][A-Za-z0-9-]{0,30}[A-Za-z0-9]",
        ),
        "AZUREML_VM_SIZE": Setting(
            "the size of its machines when it is made", default="STANDARD_DS3_V2", like=r"[A-Za-z0-9_]+"
        ),
        "AZUREML_AKS": Setting(
            "the attached AKS cluster on which production is served (without it nothing goes to production)",
            like=r"[A-Za-z0-9][A-Za-z0-9-]*",
        ),
        "AZUREML_IMAGE": Setting(
            "the base image of jobs and services (empty: the one that azureml-core names)", like=r"\S+"
        ),
        "AZURE_TIMEOUT_SECONDS": Setting(
            "a number of seconds, 1 to 120, that one call to Azure may take", default="10"
        ),
        "AZURE_ATTEMPTS": Setting("a whole number, 1 to 5: how often a call is made that is not answered", default="2"),
    },
}
TABLE: dict[str, Setting] = {name: setting for rows in TABLES.values() for name, setting in rows.items()}
