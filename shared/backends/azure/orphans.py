"""What stands in the workspace for a release and is used by none: left half-made, or made twice.

Nothing is ever deleted here: people look at the list and decide.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from shared.backends.azure import history
from shared.backends.azure.registry import RELEASE, listed
from shared.backends.azure.run_reports import ENDS
from shared.backends.azure.standing import SLOT
from shared.backends.azure.workspace import Azure
from shared.release.ids import release_in

Kind = Literal["version", "service", "endpoint version", "run"]


class Made(Struct, frozen=True):
    """One thing in the workspace that carries a release; `slot` of what serves, `goes_on` of a run."""

    kind: Kind
    name: str
    release: str
    slot: str = ""
    goes_on: bool = False


class Used(Struct, frozen=True):
    """What the ledger knows: every release, those still open, the version each adopted, the slots that are claimed."""

    releases: Collection[str]
    open: Collection[str]
    versions: Mapping[str, str]
    """Release to `<name>:<number>`."""
    slots: Collection[str]


class Orphan(Struct, frozen=True):
    """One thing that nothing uses, and why that is known."""

    made: Made
    why: str


async def orphans(azure: Azure, projects: Collection[str], used: Used) -> list[Orphan]:
    """List what nothing uses; reads every version, service and run of the projects, so it is for people only."""
    found = await azure.do("what is in the workspace", _made, sorted(projects))
    return [Orphan(made, why) for made in found if (why := unused(made, used))]


def unused(made: Made, used: Used) -> str:
    """Say why nothing uses a thing; empty when something does, or may yet."""
    if made.release not in used.releases:
        return "no release of this ledger made it"
    adopted = used.versions.get(made.release)
    if made.kind == "version" and adopted and made.name != adopted:
        return f"its release adopted {adopted}"
    if made.release in used.open:
        return ""
    if made.kind == "version" and not adopted:
        return "its release ended before it adopted a version"
    if made.kind in ("service", "endpoint version") and made.slot not in used.slots:
        return "its release has ended and its slot is given up"
    if made.kind == "run" and made.goes_on:
        return "it goes on although its release has ended"
    return ""


def _made(workspace: Any, projects: list[str]) -> list[Made]:
    try:
        return [*_versions(workspace), *_services(workspace), *_runs(workspace, projects)]
    finally:
        history.forget()


def _versions(workspace: Any) -> Iterator[Made]:
    for model in listed(workspace, properties=[RELEASE]):
        yield Made("version", f"{model.name}:{model.version}", model.properties[RELEASE])


def _services(workspace: Any) -> Iterator[Made]:
    from azureml.core import Webservice

    for service in sorted(Webservice.list(workspace, properties=[RELEASE]), key=lambda service: str(service.name)):
        versions = getattr(service, "versions", None)
        if versions is None:
            yield _serving("service", service.name, service)
            continue
        for name, version in sorted(versions.items()):
            yield _serving("endpoint version", f"{service.name}/{name}", version)


def _serving(kind: Kind, name: str, found: Any) -> Made:
    told = found.properties or {}
    return Made(kind, name, str(told.get(RELEASE, "")), str(told.get(SLOT, "")))


def _runs(workspace: Any, projects: list[str]) -> Iterator[Made]:
    from azureml.core import Experiment

    for project in projects:
        for experiment in Experiment.list(workspace, experiment_name=project):
            for run in experiment.get_runs():
                # The property is set after the run was begun: one that was lost on its way still has its name.
                release = run.properties.get(RELEASE) or release_in(run.id)
                if release:
                    yield Made("run", run.id, release, goes_on=run.status not in ENDS)
