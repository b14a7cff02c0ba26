"""The settings of an app: what is missing or wrong, what was left from the sample, and secrets that are none."""

import difflib
import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from shared import settings
from shared.errors import Misconfigured
from shared.settings import TABLE
from shared.settings.table import SHORTEST_SECRET
from tools.doctor.finding import Finding
from tools.doctor.given import Given

AZURITE = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq"
"""How the key of Azurite begins, which everybody knows."""
NEEDED_BY_HOST = {"FUNCTIONS_WORKER_RUNTIME": "python", "FUNCTIONS_EXTENSION_VERSION": "~4"}
HERE = {"127.0.0.1", "localhost", "::1", "0.0.0.0"}
PLACEHOLDERS = re.compile(r"change.?me|replace|your[-_ ]|example|sample|secret|password|letmein|<.*>", re.I)
FEWEST = 6
"""Different characters in a secret that nobody guesses."""


def examine(given: Given) -> Iterator[Finding]:
    """Return every finding about the settings, everything that is wrong at once."""
    wrong = [*_refused(given), *_misspelt(given), *_of_host(given), *_left_over(given), *_secrets(given)]
    yield from wrong
    if not wrong:
        known = sum(1 for name in given.values if name in TABLE or name.startswith("SECRET_"))
        backend = given.values.get("BACKEND") or "local"
        yield Finding("settings", f"{known} given, all that BACKEND={backend} needs")
    for name in sorted(given.values):
        if given.is_hidden(name):
            yield Finding("settings", f"{name} stands in a key vault: its value is not looked at from here")


def _refused(given: Given) -> Iterator[Finding]:
    """What the app itself would refuse at its start."""
    # What a vault holds is taken to be right; a reference has no shape that a value must have.
    seen = {name: value for name, value in given.values.items() if not given.is_hidden(name) or _takes_any(name)}
    try:
        settings.read(seen)
    except Misconfigured as error:
        for one in str(error).split("; "):
            name = one.partition(" ")[0]
            if not given.is_hidden(name):
                do = given.to(name) if name in TABLE or name.startswith("SECRET_") else "mend the projects file"
                do = f"put the file beside host.json, or {do}" if name == "PROJECTS" and "read" in one else do
                yield Finding("settings", one, do)


def _takes_any(name: str) -> bool:
    return name.startswith("SECRET_") or (name in TABLE and TABLE[name].secret)


def _misspelt(given: Given) -> Iterator[Finding]:
    for name in sorted(set(given.values) - set(TABLE)):
        meant = [one for one in difflib.get_close_matches(name, TABLE, 1, 0.85) if not given.values.get(one)]
        if meant and not name.startswith("SECRET_"):
            yield Finding("settings", f"{name} is read by nobody: {meant[0]} is meant", given.to(meant[0]))


def _of_host(given: Given) -> Iterator[Finding]:
    values = given.values
    for name, wanted in NEEDED_BY_HOST.items():
        if values.get(name, wanted) != wanted:
            yield Finding("settings", f"{name} is {values[name]!r}: this app needs {wanted!r}", given.to(name))
    if not any(name.startswith("AzureWebJobsStorage") and value for name, value in values.items()):
        what = "AzureWebJobsStorage is missing: the host keeps its queues, timers and keys there"
        yield Finding("settings", what, given.to("AzureWebJobsStorage"))


def _left_over(given: Given) -> Iterator[Finding]:
    """What is right on one machine, and wrong for an app in Azure."""
    values = given.values
    if values.get("BACKEND") != "azure":
        return
    for name in ("PUBLIC_URL", "TOPIC_ENDPOINT"):
        if urlsplit(values.get(name, "")).hostname in HERE:
            yield Finding("settings", f"{name} is {values[name]!r}, which leads to this machine", given.to(name))
        elif values.get(name, "").startswith("http://"):
            yield Finding("settings", f"{name} is not https: what is sent there can be read on its way", given.to(name))
    for name in ("AzureWebJobsStorage", "STORAGE_CONNECTION"):
        value = values.get(name, "")
        if "UseDevelopmentStorage=true" in value or AZURITE in value:
            yield Finding("settings", f"{name} is Azurite's, of one machine", given.to(name))


def _secrets(given: Given) -> Iterator[Finding]:
    ours = {name: value for name, value in given.values.items() if name == "APPROVAL_KEY" or name.startswith("SECRET_")}
    seen = {name: value for name, value in ours.items() if value and not given.is_hidden(name)}
    for name, value in seen.items():
        # One that is too short is told by the settings already.
        if len(value) < SHORTEST_SECRET:
            continue
        if PLACEHOLDERS.search(value) or len(set(value)) < FEWEST:
            told = f"{name} can be guessed: it was left from a sample, or typed"
            yield Finding("secrets", told, f"{given.to(name)}    (openssl rand -hex 32 makes one)")
    for name, other in _shared(seen):
        yield Finding("secrets", f"{name} and {other} are the same: whoever has one has both", given.to(name))


def _shared(seen: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    first: dict[str, str] = {}
    for name, value in sorted(seen.items()):
        if first.setdefault(value, name) != name:
            yield name, first[value]
