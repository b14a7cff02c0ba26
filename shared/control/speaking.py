"""Speaking for a project: which projects a sender may tell about, by the secrets that proved it."""

from collections.abc import Mapping

from shared.release.addresses import same_repository
from shared.release.config import Project

SpeaksFor = Mapping[str, str]
"""The projects a sender may speak for, each with the name of the secret that proved it."""


def spoken_for(
    projects: Mapping[str, Project], addresses: tuple[str, ...], speaks_for: SpeaksFor | None
) -> dict[str, str]:
    """Return the projects that have the repository of these addresses, each with the name of the sender's secret."""
    return {
        name: speaks_for[name] if speaks_for is not None else ""
        for name, entry in projects.items()
        if (speaks_for is None or name in speaks_for)
        and any(same_repository(address, entry.repository) for address in addresses)
    }
