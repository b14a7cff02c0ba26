"""The settings that are looked at: those of a file, or of this process, and how one of them is mended."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.doctor.finding import Finding


class NoSettings(Exception):
    """The file holds no settings; the message says what it may hold."""


@dataclass(frozen=True)
class Given:
    """Settings by name; `mend` says how one is set, with NAME in its place."""

    values: Mapping[str, str]
    mend: str
    odd: tuple[str, ...] = field(default=())
    """Names whose values are no text."""

    def to(self, name: str) -> str:
        """Say how a setting is set."""
        where = self.mend.replace("APP", self.app).replace("GROUP", self.group)
        return where.replace("NAME", name)

    @property
    def app(self) -> str:
        """The name of the function app, APP where it is not known."""
        return self.values.get("WEBSITE_SITE_NAME") or os.environ.get("WEBSITE_SITE_NAME") or "APP"

    @property
    def group(self) -> str:
        """The resource group of the function app, that of the workspace where it is not known."""
        return self.values.get("WEBSITE_RESOURCE_GROUP") or self.values.get("AZURE_RESOURCE_GROUP") or "GROUP"

    def is_hidden(self, name: str) -> bool:
        """Say whether a value stands in a key vault, where nothing of it can be seen from here."""
        return self.values.get(name, "").startswith("@Microsoft.KeyVault(")


def of_process() -> Given:
    """Return the settings in the environment of this process."""
    return Given(dict(os.environ), "set NAME in the environment of the app")


def of_file(path: Path) -> Given:
    """Return the settings of a local.settings.json, or of what `az functionapp config appsettings list` printed."""
    expected = "it holds neither the Values of a local.settings.json nor a list of {name, value} as az prints it"
    try:
        raw = json.loads(path.read_text())
    except OSError as error:
        raise NoSettings(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise NoSettings(f"{path} is no JSON ({error}): {expected}.") from error
    if isinstance(raw, dict) and raw.get("IsEncrypted") is True:
        raise NoSettings(f"The values in {path} are encrypted: func settings decrypt, then run this again.")
    if isinstance(raw, dict) and isinstance(raw.get("Values"), dict):
        return _given(raw["Values"], f"set NAME in {path}")
    if isinstance(raw, list) and all(isinstance(one, dict) and "name" in one for one in raw):
        line = 'az functionapp config appsettings set --name APP --resource-group GROUP --settings "NAME=..."'
        return _given({str(one["name"]): one.get("value") or "" for one in raw}, line)
    raise NoSettings(f"{path} is not understood: {expected}.")


def _given(values: Mapping[str, Any], mend: str) -> Given:
    odd = tuple(name for name, value in values.items() if not isinstance(value, str))
    return Given({name: str(value) for name, value in values.items()}, mend, odd)


def shape(given: Given) -> Iterator[Finding]:
    """Say which values the Functions tools would not take."""
    for name in given.odd:
        yield Finding("settings", f"{name} is no text; the Functions tools take nothing else", f'write "{name}": "..."')
