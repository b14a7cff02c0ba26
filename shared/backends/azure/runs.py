"""Jobs as runs of Azure ML: the run's id is the job's name, its experiment the project.

Only one submit at a time: the SDK keeps the last snapshot of a workspace in one file.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from shared.backends.azure import compute, data_access, history, pipelines, run_reports
from shared.backends.azure.environments import Environments, recipe
from shared.backends.azure.submitting import SCRIPT, Parts, parts, source_folder
from shared.backends.azure.workspace import Azure
from shared.backends.local.processes import ROOT
from shared.errors import Conflict, NotFound, StepFailed, Unavailable
from shared.ports import Artifacts, JobReport, JobSpec

SCRIPTS = ROOT / "shared" / "jobs"
OURS = ("requirements.in", "azure.in")
"""What our scripts need, beside the project's requirements."""
SPARE_SECONDS = 3600
"""For the compute and the environment, where a project gives no other bound for the whole run."""

TURNS = 3
"""How many times the patience of one call a submit waits for others."""

_submitting = threading.Lock()


class AzureJobs:
    """`Jobs` in one workspace."""

    def __init__(self, azure: Azure, artifacts: Artifacts, environments: Environments, scripts: Path = SCRIPTS) -> None:
        self._azure, self._artifacts, self._environments = azure, artifacts, environments
        self._scripts, self._state = scripts.absolute(), azure.scope.state / "runs"
        self._ours = [(self._scripts / name).read_text("utf-8") for name in OURS]

    async def find(self, name: str) -> JobReport | None:
        """Look a job up by its name."""
        return await self._azure.do(f"the run {name}", self._find, name)

    async def submit(self, spec: JobSpec) -> None:
        """Start the job unless one of that name exists."""
        given = await parts(self._artifacts, spec)
        await self._azure.do(f"a run {spec.name}", self._submit, spec, given)

    async def cancel(self, name: str) -> None:
        """Ask the run to end; RunStatusChanged tells when it has."""
        await self._azure.do(f"the end of the run {name}", self._cancel, name)

    async def log(self, name: str) -> str:
        """Return what the run printed."""
        return await self._azure.do(f"the log of the run {name}", self._log, name)

    def _find(self, workspace: Any, name: str) -> JobReport | None:
        run = history.run_of_job(self._azure, name)
        if run is None:
            return None
        told = run_reports.report if run.id == name else run_reports.report_of_pipeline
        return told(run, self._state)

    def _submit(self, workspace: Any, spec: JobSpec, given: Parts) -> None:
        # What was lost on its way here may be there; and what a second answer would be, Azure does not say.
        if history.run(self._azure, spec.name) is not None:
            return
        if spec.target.pipeline:
            return pipelines.submit(self._azure, spec)
        with source_folder(self._state, self._scripts, spec, given) as folder:
            config = self._config(spec, folder)
            with _alone(spec.name, TURNS * self._azure.scope.timeout):
                self._sent(workspace, spec, config)

    def _sent(self, workspace: Any, spec: JobSpec, config: Any) -> None:
        try:
            self._azure.ask(f"a run {spec.name}", _send, workspace, spec, config)
        except (Conflict, StepFailed) as error:
            # How a name that is taken is told, Azure does not say; a refusal may also follow a run that has begun.
            if history.run(self._azure, spec.name) is not None:
                return
            if isinstance(error, Conflict):
                # All jobs of a project share its experiment, which two first ones make at once.
                raise Unavailable(f"{error}; it is tried again") from error
            raise
        except NotFound as error:
            # The compute target was there a moment ago; looked for again, it is made, or told to be missing.
            raise Unavailable(f"{error}; it is tried again") from error

    def _config(self, spec: JobSpec, folder: Path) -> Any:
        from azureml.core import ScriptRunConfig

        told = spec.target
        image = told.image or self._azure.scope.image
        wanted = recipe(spec.project, folder / "code", spec.requirements, told.conda, image, self._ours)
        seconds = int(told.hours * 3600) or spec.seconds + SPARE_SECONDS
        config = ScriptRunConfig(
            source_directory=str(folder),
            script=SCRIPT,
            compute_target=compute.ensure(self._azure, told.compute),
            environment=self._environments.ensure(wanted),
            max_run_duration_seconds=seconds,
        )
        access = data_access.surroundings(self._azure.scope.storage, spec, seconds)
        config.run_config.environment_variables = access
        return config

    def _cancel(self, workspace: Any, name: str) -> None:
        run = history.run_of_job(self._azure, name)
        if run is not None and run.status not in run_reports.ENDS:
            run.cancel()

    def _log(self, workspace: Any, name: str) -> str:
        run = history.run_of_job(self._azure, name)
        if run is None:
            raise NotFound(f"there is no job {name}")
        return run_reports.log_of(run)


@contextlib.contextmanager
def _alone(name: str, seconds: float) -> Iterator[None]:
    """Let one submit at a time go on; `Unavailable` when others are at it for so long."""
    if not _submitting.acquire(timeout=seconds):
        raise Unavailable(f"other runs are being submitted for {seconds:g} s already; {name} is tried again")
    try:
        yield
    finally:
        _submitting.release()


def _send(workspace: Any, spec: JobSpec, config: Any) -> None:
    from azureml.core import Experiment

    run = Experiment(workspace, spec.project).submit(config, run_id=spec.name)
    run.add_properties({"release": spec.release, "step": spec.step, "kind": spec.kind})
