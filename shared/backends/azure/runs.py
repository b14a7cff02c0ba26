"""Jobs as runs of Azure ML: the run's id is the job's name, its experiment the project.

Only one submit at a time: the SDK keeps the last snapshot of a workspace in one file.
"""

import re
import threading
from pathlib import Path
from typing import Any

from shared.backends.azure import compute, data_access, pipelines, run_reports
from shared.backends.azure.environments import Environments, recipe
from shared.backends.azure.submitting import SCRIPT, Parts, parts, source_folder
from shared.backends.azure.workspace import Azure
from shared.backends.local.processes import ROOT
from shared.errors import Conflict, NotFound, Unavailable
from shared.ports import Artifacts, JobReport, JobSpec

SCRIPTS = ROOT / "shared" / "jobs"
OURS = ("requirements.in", "azure.in")
"""What our scripts need, beside the project's requirements."""
SPARE_SECONDS = 3600
"""For the compute and the environment, where a project gives no other bound for the whole run."""

TRAINS = re.compile(r"-train-\d+$")
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
        run = self._run(name)
        if run is not None:
            return run_reports.report(run, self._state)
        run = self._pipeline_run(workspace, name)
        return None if run is None else run_reports.report_of_pipeline(run, self._state)

    def _submit(self, workspace: Any, spec: JobSpec, given: Parts) -> None:
        # What was lost on its way here may be there; and what a second answer would be, Azure does not say.
        if self._run(spec.name) is not None:
            return
        if spec.target.pipeline:
            return pipelines.submit(self._azure, spec)
        with _submitting, source_folder(self._state, self._scripts, spec, given) as folder:
            config = self._config(spec, folder)
            try:
                self._azure.ask(f"a run {spec.name}", _send, workspace, spec, config)
            except Conflict:
                if self._run(spec.name) is None:
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
        run = self._run(name) or self._pipeline_run(workspace, name)
        if run is not None and run.status not in run_reports.ENDS:
            run.cancel()

    def _log(self, workspace: Any, name: str) -> str:
        run = self._run(name) or self._pipeline_run(workspace, name)
        if run is None:
            raise NotFound(f"there is no job {name}")
        return run_reports.log_of(run, self._state)

    def _run(self, name: str) -> Any | None:
        return run_reports.found(lambda: self._azure.now(f"the run {name}", _got, name))

    def _pipeline_run(self, workspace: Any, name: str) -> Any | None:
        """Return the run of a published pipeline that did a job: only training is done by one."""
        return next(pipelines.runs(workspace, name), None) if TRAINS.search(name) else None


def _got(workspace: Any, name: str) -> Any:
    from azureml.core import Run

    return Run.get(workspace, name)


def _send(workspace: Any, spec: JobSpec, config: Any) -> None:
    from azureml.core import Experiment

    run = Experiment(workspace, spec.project).submit(config, run_id=spec.name)
    run.add_properties({"release": spec.release, "step": spec.step, "kind": spec.kind})
