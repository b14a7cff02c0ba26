"""One repository, many addresses: whether two of them mean the same.

An address that came with an event is only compared, never opened.
"""

import re
from urllib.parse import unquote, urlsplit

_SCP = re.compile(r"(?:[^@/:]+@)?([^@/:]+):(.+)", re.DOTALL)
_DEFAULT_PORTS = {None: "", 22: "", 80: "", 443: "", 9418: ""}
_FILE = "file:"
_AZURE = "dev.azure.com"
_FOLDS_PATHS = frozenset({"github.com", _AZURE})


def same_repository(address: str, configured: str) -> bool:
    """Say whether `address` names the configured repository.

    Scheme, user, default port, case of the host, `.git` and slashes at the end do not count;
    `git@host:path`, `file://` and paths of this machine, the forms of Azure DevOps,
    and a full name (`owner/name`, the whole path on the configured host) are understood.
    """
    ours, theirs = _canonical(configured), _canonical(address)
    if ours is None or theirs is None:
        return False
    if theirs[0] == "" and ours[0] != _FILE:
        theirs = _folded(ours[0], theirs[1])
    return ours == theirs


def _canonical(address: str) -> tuple[str, str] | None:
    """Return host and path without the accidents of writing; the host of a bare full name is empty."""
    place = _place(address.strip())
    if place is None:
        return None
    host, raw = place
    segments = [each for each in unquote(raw).removesuffix("/").removesuffix(".git").split("/") if each]
    if not segments:
        return None
    host, segments = _azure_devops(host.lower(), segments)
    return _folded(host, "/".join(segments))


def _place(address: str) -> tuple[str, str] | None:
    if "://" not in address:
        if address.startswith("/"):
            return _FILE, address
        found = _SCP.fullmatch(address)
        return (found[1], found[2]) if found else ("", address)
    try:
        parts = urlsplit(address)
        port = _DEFAULT_PORTS.get(parts.port, f":{parts.port}")
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme == "file":
        return _FILE + host.removeprefix("localhost"), parts.path
    return (host + port, parts.path) if host else None


def _azure_devops(host: str, segments: list[str]) -> tuple[str, list[str]]:
    """Bring every form of Azure DevOps to dev.azure.com and organisation, project, repository."""
    if host in {"ssh.dev.azure.com", "vs-ssh.visualstudio.com"} and segments[0] == "v3":
        return _AZURE, segments[1:]
    if host.endswith(".visualstudio.com"):
        inside = segments[1:] if segments[0].lower() == "defaultcollection" else segments
        host, segments = _AZURE, [host.removesuffix(".visualstudio.com"), *inside]
    if host == _AZURE and "_git" in segments:
        at = segments.index("_git")
        # A project with one repository of its own name may be left out of the address.
        project = segments[1:at] or segments[at + 1 :]
        return _AZURE, [*segments[:1], *project, *segments[at + 1 :]]
    return host, segments


def _folded(host: str, path: str) -> tuple[str, str]:
    return host, path.lower() if host in _FOLDS_PATHS else path
