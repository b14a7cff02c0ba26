"""A model version that others registered: what its release begins with, and what nobody knows of it."""

from shared.release.facts import CarriedOver, Checked, Fact, VersionAdopted, VersionSeen
from shared.release.line import outcome
from shared.release.state import State

UNKNOWN = "unknown"
MAY_HAVE_SEEN = (
    "Others trained and registered this model: from which commit and on which data is not known, "
    "so it may have seen the rows it is judged on, and be worse than this says"
)

CHAMPION_MAY_HAVE_SEEN = (
    "Others trained and registered the model in production: it may have seen the rows it is compared on, "
    "and be worse than this says"
)


def ask_of(name: str, number: int) -> str:
    """Return what asks for its release: the same version is the same ask, however often it is told of."""
    return f"version {name}:{number}"


def begins_with(version: VersionSeen, checked_by: State) -> tuple[Fact, ...]:
    """Return what is known when the release opens: the code and the check of another release, and the version.

    Nothing while that release has no outcome of its check.
    """
    code, checked = checked_by.code, outcome(checked_by, "check")
    if code is None or not isinstance(checked, Checked):
        return ()
    source = checked_by.release
    origin = CarriedOver(source.release, source.number, source.data)
    return origin, code, checked, VersionAdopted(1, version.name, version.number, version.digest)
