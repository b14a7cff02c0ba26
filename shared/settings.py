"""Settings: read once from the environment, all that is missing or wrong named at once."""

import os
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from shared.errors import Misconfigured, NotUnderstood
from shared.release.config import Projects, read_projects

SHORTEST_SECRET = 16


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


NEEDED = {
    "PROJECTS": "the path of projects.toml",
    "APPROVAL_KEY": f"a secret of {SHORTEST_SECRET} characters or more that signs approval links",
    "PUBLIC_URL": "the base address of this app as approvers reach it",
}
LOCAL = {
    "STATE_DIR": "the folder in which everything is kept",
    "LIVE_URL": "the base address of the stable scoring addresses",
}


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings; `Misconfigured` names every missing or wrong one with what it must be."""
    backend = environ.get("BACKEND", "local")
    wrong = [f"BACKEND is {backend!r}: only 'local' is built so far"] if backend != "local" else []
    wrong += [f"{name} is missing: {what}" for name, what in (NEEDED | LOCAL).items() if not environ.get(name)]
    if 0 < len(environ.get("APPROVAL_KEY", "")) < SHORTEST_SECRET:
        wrong.append(f"APPROVAL_KEY is too short: {NEEDED['APPROVAL_KEY']}")
    storage = _storage(environ, wrong)
    projects = _projects(environ.get("PROJECTS", ""), wrong)
    secrets = _secrets(projects, environ, wrong)
    credentials = _credentials(projects, environ, wrong)
    if wrong:
        raise Misconfigured("; ".join(wrong))
    return Settings(
        backend=backend,
        state=Path(environ["STATE_DIR"]).absolute(),
        projects_file=Path(environ["PROJECTS"]),
        projects=projects,
        public_url=environ["PUBLIC_URL"].rstrip("/"),
        live_url=environ["LIVE_URL"].rstrip("/"),
        storage=storage,
        topic_endpoint=environ.get("TOPIC_ENDPOINT", ""),
        topic_key=environ.get("TOPIC_KEY", ""),
        approval_key=environ["APPROVAL_KEY"].encode(),
        secrets=secrets,
        credentials=credentials,
    )


def _storage(environ: Mapping[str, str], wrong: list[str]) -> str:
    kind = environ.get("STORAGE", "local")
    connection = environ.get("STORAGE_CONNECTION") or environ.get("AzureWebJobsStorage", "")
    if kind not in ("local", "blobs"):
        wrong.append(f"STORAGE is {kind!r}: it is local (files and SQLite in STATE_DIR) or blobs")
    if kind == "blobs" and not connection:
        what = "a storage account's connection string, or its URL https://<account>.blob.core.windows.net"
        wrong.append(f"STORAGE_CONNECTION is missing: {what}; without it AzureWebJobsStorage is taken")
    return connection if kind == "blobs" else ""


def _projects(path: str, wrong: list[str]) -> Projects:
    if not path:
        return Projects({})
    try:
        return read_projects(Path(path).read_text())
    except (OSError, UnicodeDecodeError) as error:
        wrong.append(f"PROJECTS cannot be read: {error}")
    except NotUnderstood as error:
        wrong.append(str(error))
    return Projects({})


def _secrets(projects: Projects, environ: Mapping[str, str], wrong: list[str]) -> tuple[tuple[str, str, bytes], ...]:
    found = []
    for project, entry in projects.projects.items():
        for name in entry.secrets:
            value = environ.get(f"SECRET_{name}", "")
            if len(value) < SHORTEST_SECRET:
                what = "is missing" if not value else f"is shorter than {SHORTEST_SECRET} characters"
                made = f"`signalbox secret {name}` makes one for a stack, which reads it when it starts"
                wrong.append(f"SECRET_{name} {what}: the push secret of project {project} ({made})")
            found.append((project, name, value.encode()))
    return tuple(found)


def _credentials(projects: Projects, environ: Mapping[str, str], wrong: list[str]) -> tuple[tuple[str, str, str], ...]:
    found = {entry.repository: entry.credential for entry in projects.projects.values() if entry.credential}
    for name in dict.fromkeys(found.values()):
        if not environ.get(f"SECRET_{name}", "").strip().rpartition(":")[2]:
            readers = ", ".join(project for project, entry in projects.projects.items() if entry.credential == name)
            what = "has no token" if environ.get(f"SECRET_{name}") else "is missing"
            wrong.append(f"SECRET_{name} {what}: the repository of {readers} is read with it (user:token, or a token)")
    return tuple((url, name, environ.get(f"SECRET_{name}", "").strip()) for url, name in found.items())
