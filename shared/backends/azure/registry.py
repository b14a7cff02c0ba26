"""The model registry of the workspace.

What of a version is verified here: that the run it was made from, or that run's experiment, is one of its release.
The digest of its files is what the property `model` says, which nobody can change once it is set. The registry gives
no digest of its own, and nothing is downloaded to make one: the service that serves a version compares its files with
that digest before it answers.
"""

import re
from collections.abc import Mapping
from typing import Any

from shared.backends.azure import history
from shared.backends.azure.workspace import Azure
from shared.errors import NotFound, StepFailed
from shared.ports import ModelVersion
from shared.release.ids import release_in

RELEASE, DIGEST = "release", "model"
_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


class AzureRegistry:
    """`Registry` in one workspace; what a run left becomes a version where it is, no file is moved."""

    def __init__(self, azure: Azure) -> None:
        self._azure = azure

    async def find(self, name: str, release: str) -> list[ModelVersion]:
        """Return the versions whose property `release` is this, oldest first, from every page."""
        return await self._azure.do(f"the versions of {name}", _versions, name, release)

    async def version(self, name: str, number: int) -> ModelVersion | None:
        """Return one version, whoever registered it; its digest is empty when whoever did gave none."""
        try:
            return await self._azure.do(f"version {number} of {name}", _version, name, number)
        except NotFound:
            return None

    async def register(self, name: str, release: str, source: str, properties: Mapping[str, str]) -> None:
        """Make one version from what a run left; nothing when this release has one.

        Two that do this at once may make two: the oldest is adopted, the other is an orphan.
        """
        await self._azure.do(f"a version of {name}", self._register, name, release, source, dict(properties))

    def _register(self, workspace: Any, name: str, release: str, source: str, properties: dict[str, str]) -> None:
        if _versions(workspace, name, release):
            return
        job, _, path = source.removeprefix("job:").partition("/")
        run = self._run(job, f"outputs/{path}")
        tags = {RELEASE: release}
        run.register_model(name, model_path=f"outputs/{path}", properties=properties | tags, tags=tags)

    def _run(self, job: str, path: str) -> Any:
        run = history.run_of_job(self._azure, job)
        # A published pipeline did the job when it is not the run of its name: the model may be in one of its steps.
        candidates = [] if run is None else [run] if run.id == job else [run, *run.get_children()]
        for each in candidates:
            if any(name.startswith(f"{path}/") for name in each.get_file_names()):
                return each
        raise StepFailed(f"there is no run {job} that left {path}", "Open the release again")


def listed(workspace: Any, **wanted: Any) -> list[Any]:
    """Return the SDK's models that fit, oldest first, without asking for their runs."""
    from azureml.core import Model

    return sorted(Model.list(workspace, expand=False, **wanted), key=lambda model: (model.name, int(model.version)))


def _versions(workspace: Any, name: str, release: str) -> list[ModelVersion]:
    found = listed(workspace, name=name, properties=[[RELEASE, release]])
    return [ModelVersion(model.name, int(model.version), _digest(model, release), release) for model in found]


def _version(workspace: Any, name: str, number: int) -> ModelVersion:
    from azureml.core import Model

    model = Model(workspace, id=f"{name}:{number}", expand=False)
    return ModelVersion(model.name, int(model.version), told_digest(model), str(model.properties.get(RELEASE, "")))


def told_digest(model: Any) -> str:
    """Return the digest of its files that a version was registered with, empty when there is none."""
    given = str(model.properties.get(DIGEST, ""))
    return given if _SHA256.fullmatch(given) else ""


def _digest(model: Any, release: str) -> str:
    if release not in (release_in(model.run_id or ""), release_in(model.experiment_name or "")):
        return f"files of the run {model.run_id or '(none)'}, which is not of this release"
    return str(model.properties.get(DIGEST, "files of an unknown digest"))
