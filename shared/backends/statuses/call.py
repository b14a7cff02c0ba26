"""What one status is on the wire, and where the API of a configured repository is."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from shared.release.telling import Stands


class Said(Struct, frozen=True):
    """One status: `sentence` fits every host, `link` leads to a page of ours."""

    commit: str
    context: str
    state: Stands
    sentence: str
    link: str


class Call(Struct, frozen=True):
    """One POST of JSON; `authorization` is not for any log."""

    url: str
    authorization: str
    body: Mapping[str, Any]

    def __repr__(self) -> str:
        """Say where, and never with which token."""
        return f"Call({self.url})"


class Place(Struct, frozen=True):
    """Where a repository is: `origin` as scheme, host and port, and its path without `.git`."""

    origin: str
    host: str
    path: str


def place(repository: str) -> Place:
    """Return where the configured repository is; what is cloned over SSH has its API on https."""
    parts = urlsplit(repository)
    if parts.scheme in ("http", "https"):
        return Place(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", parts.hostname or "", _path(parts.path))
    host, path = parts.hostname or "", parts.path
    if scp := re.fullmatch(r"(?:[^@/:]+@)?([^@/:]+):(?!//)(.+)", repository):
        host, path = scp[1], scp[2]
    return Place(f"https://{host}", host, _path(path))


def _path(path: str) -> str:
    return unquote(path).strip("/").removesuffix(".git")
