"""The secrets that projects.toml names, and the address of mails: no value of one is told when it is wrong."""

import re

from shared.release.config import Projects
from shared.settings.given import Given
from shared.settings.table import SHORTEST_SECRET, TABLE

LACKING = "a secret that projects.toml names is missing or wrong: the log of the app and `signalbox doctor` say which"


def secrets(projects: Projects, given: Given) -> tuple[tuple[str, str, bytes], ...]:
    """Return every push secret as project, name and value."""
    found = []
    for project, entry in projects.projects.items():
        for name in entry.secrets:
            value = given.environ.get(f"SECRET_{name}", "")
            if len(value) < SHORTEST_SECRET:
                what = "is missing" if not value else f"is shorter than {SHORTEST_SECRET} characters"
                made = f"`signalbox secret {name}` makes one for a stack, which reads it when it starts"
                given.say(f"SECRET_{name} {what}: the push secret of project {project} ({made})", LACKING)
            found.append((project, name, value.encode()))
    return tuple(found)


def credentials(projects: Projects, given: Given) -> tuple[tuple[str, str, str], ...]:
    """Return what each private repository is read with, as repository, name and value."""
    found = {entry.repository: entry.credential for entry in projects.projects.values() if entry.credential}
    for name in dict.fromkeys(found.values()):
        if not given.environ.get(f"SECRET_{name}", "").strip().rpartition(":")[2]:
            readers = ", ".join(project for project, entry in projects.projects.items() if entry.credential == name)
            what = "has no token" if given.environ.get(f"SECRET_{name}") else "is missing"
            read_with = f"the repository of {readers} is read with it (user:token, or a token)"
            given.say(f"SECRET_{name} {what}: {read_with}", LACKING)
    return tuple((url, name, given.environ.get(f"SECRET_{name}", "").strip()) for url, name in found.items())


def statuses(projects: Projects, given: Given) -> tuple[tuple[str, str, str], ...]:
    """Return the token that writes the statuses of each project that has them, as project, name and value."""
    found = []
    for project, entry in projects.projects.items():
        if entry.tell and entry.tell.statuses:
            name = entry.tell.token or entry.credential
            token = given.environ.get(f"SECRET_{name}", "").strip().rpartition(":")[2]
            if not token and entry.tell.token:
                given.say(f"SECRET_{name} is missing: the token that writes the statuses of {project}", LACKING)
            found.append((project, name, token))
    return tuple(found)


def channels(projects: Projects, given: Given) -> tuple[tuple[str, str], ...]:
    """Return the address of each channel, as name and value."""
    named: dict[str, str] = {}
    for project, entry in projects.projects.items():
        named |= {name: project for name in (entry.tell.to if entry.tell else ()) if name not in named}
    for name, project in named.items():
        if "://" not in given.environ.get(f"SECRET_{name}", ""):
            what = "is no address" if given.environ.get(f"SECRET_{name}") else "is missing"
            given.say(f"SECRET_{name} {what}: the channel that hears of {project}, as Apprise writes it", LACKING)
    return tuple((name, given.environ.get(f"SECRET_{name}", "").strip()) for name in named)


def mail(given: Given) -> str:
    """Return the address that people are mailed by, empty when they are not."""
    address = given.text("MAIL")
    if address and not re.fullmatch(r"[a-zA-Z][\w+-]*://\S*\{to\}\S*", address):
        given.wrong.append(f"MAIL cannot be used: it must be {TABLE['MAIL'].what}")
    return address
