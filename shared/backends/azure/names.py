"""What services are called in Azure: 3 to 32 lower-case letters, digits and dashes, beginning with a letter.

A release in staging is a service of its own; a project in production is one endpoint, and a release a version of it.
"""

import hashlib
import re

from shared.release.ids import release_in

PRODUCTION = "production"
LONGEST = 32
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")


def staging_service(slot: str) -> str:
    """Return the name of the service in a staging slot: a slot begins with a digit as often as not."""
    return f"r{slot}"


def version(release: str) -> str:
    """Return the name of a release's version of its project's endpoint."""
    return f"r{release}"


def endpoint(project: str) -> str:
    """Return the name of a project's endpoint: its own, or as much of it as fits and a digest of the whole."""
    if _NAME.fullmatch(project) and 3 <= len(project) <= LONGEST and not release_in(project):
        return project
    plain = re.sub(r"[^a-z0-9]+", "-", project.lower()).strip("-")
    digest = hashlib.sha256(project.encode()).hexdigest()[:8]
    return f"p-{plain[: LONGEST - len('p--') - len(digest)].strip('-')}-{digest}".replace("--", "-")


def is_production(slot: str) -> bool:
    """Say whether a slot is one of production."""
    return slot.endswith(f"-{PRODUCTION}")


def released(slot: str) -> str:
    """Return the release whose slot this is."""
    return slot.removesuffix(f"-{PRODUCTION}")


def asked_by_key(release: str, project: str, step: str) -> tuple[str, str]:
    """Return the service whose key a step's try job needs, and its version, empty when it has none."""
    if step == "promote":
        return endpoint(project), version(release)
    return staging_service(f"{release}-staging"), ""
