"""What the supervisor is told, and the app settings that follow from it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tools.local.keys import Keys

STORAGES = ("local", "azurite", "blobs")
BACKENDS = ("local", "azure")


@dataclass(frozen=True)
class Plan:
    """One stack: paths are absolute, a port of 0 means any free one.

    The topic's waits are `time_scale` times as long as Event Grid's; it delivers each event `duplicates` times more.
    """

    state: Path
    projects: Path
    app: Path
    host_port: int = 7071
    grid_port: int = 7072
    without: tuple[str, ...] = ()
    patrol: bool = True
    time_scale: float = 1.0
    duplicates: int = 0
    json: bool = False
    backend: str = "local"
    """local, or azure: then the environment names the workspace, and how it is reached."""
    storage: str = "local"
    """local: files and SQLite; azurite: one that is part of the stack; blobs: the account that the settings name."""


def app_settings(plan: Plan, keys: Keys, host_url: str, grid_url: str, azurite: str = "") -> Mapping[str, str]:
    """The environment of the function app: ours, and the settings it reads; `azurite` is its connection string."""
    environment = {
        **os.environ,
        "BACKEND": plan.backend,
        "STATE_DIR": str(plan.state),
        "STORAGE": "local" if plan.storage == "local" else "blobs",
        "PROJECTS": str(plan.projects),
        "PUBLIC_URL": host_url,
        "LIVE_URL": f"{grid_url}/live",
        "TOPIC_ENDPOINT": f"{grid_url}/topics/signalbox/api/events",
        "TOPIC_KEY": keys.topic,
        "APPROVAL_KEY": keys.approvals,
        "AUDIT_KEY": keys.audit,
        "CHECKPOINTS": os.environ.get("CHECKPOINTS") or str(plan.state / "checkpoints"),
        **{f"SECRET_{name}": value for name, value in keys.secrets.items()},
    }
    if azurite:
        environment |= {"STORAGE_CONNECTION": azurite, "AzureWebJobsStorage": azurite}
    if not plan.patrol:
        environment["AzureWebJobs.patrol.Disabled"] = "true"
    # Without bytecode every child compiles what it imports again: 14 s instead of 3 s for a scoring service.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


def chosen_storage(state: Path, given: str | None, environment: Mapping[str, str] = os.environ) -> str:
    """What was asked for: with --storage, with STORAGE, or by what this state folder was begun with."""
    chosen = given or environment.get("STORAGE") or ("azurite" if (state / "azurite").is_dir() else "local")
    if chosen not in STORAGES:
        raise SystemExit(f"STORAGE is {chosen!r}: it is one of {', '.join(STORAGES)}.")
    return chosen
