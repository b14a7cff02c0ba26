"""What people read of the settings, written from their one table: docs/settings.md and local.settings.sample.json."""

import json

from shared.settings import TABLE, TABLES, Setting

# In the table the secrets of projects are one row; the sample shows what one of them looks like.
NAMED = {"SECRET_<NAME>": "SECRET_DIABETES_PUSH"}
ABOUT = """\
# Settings

This page and [local.settings.sample.json](../local.settings.sample.json) are written by `python -m tools.docs`.
Both hold every setting of the app, as `shared/settings/table.py` does.
A test finds a setting that code reads and that is not here, and one that is here and nobody reads.

All values are text, and an empty one counts as absent.
`make demo`, `make up` and `signalbox up` set everything themselves.
For the Functions tools, copy `local.settings.sample.json` to `local.settings.json` and fill it in.
On Azure they are app settings:

    az functionapp config appsettings set --name APP --resource-group GROUP --settings NAME=VALUE ...

A secret belongs in a key vault, and the app setting refers to it:
`@Microsoft.KeyVault(SecretUri=https://VAULT.vault.azure.net/secrets/NAME)`.
`signalbox doctor --settings FILE` looks at all of them at once.
FILE is a `local.settings.json`, or holds what `az functionapp config appsettings list` prints.
"""


def sample() -> str:
    """Return local.settings.sample.json: every setting, with what a first try on one machine would hold."""
    values = {NAMED.get(name, name): setting.sample for name, setting in TABLE.items()}
    return json.dumps({"IsEncrypted": False, "Values": values}, indent=2) + "\n"


def page() -> str:
    """Return docs/settings.md."""
    return "\n".join([ABOUT, *(_table(title, rows) for title, rows in TABLES.items())])


def _table(title: str, rows: dict[str, Setting]) -> str:
    lines = [f"## {title}", "", "| setting | what it is | needed by | when it is absent |", "|---|---|---|---|"]
    lines += [f"| `{name}` | {_what(one)} | {_needed(one)} | {_default(one)} |" for name, one in rows.items()]
    return "\n".join([*lines, ""])


def _what(setting: Setting) -> str:
    text = setting.what.replace("<account>", "ACCOUNT").replace("|", "\\|")
    return f"{text} **(a secret)**" if setting.secret else text


def _needed(setting: Setting) -> str:
    return "the host" if setting.host else " and ".join(setting.needed)


def _default(setting: Setting) -> str:
    return f"`{setting.default}`" if setting.default else ""
