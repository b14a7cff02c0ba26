"""Jobs as processes of their own on this machine; a stop of the functions host does not touch them.

Nothing here is a sandbox: a project's code runs as the same user, with a clean environment and a deadline.
"""

import asyncio
import contextlib
import os
import time
from pathlib import Path

import msgspec
from msgspec import Struct

from shared.backends.local import works
from shared.backends.local.events import Event, publish_detached, run_ended
from shared.backends.local.processes import ROOT
from shared.backends.local.workspace import NAME, job_folder
from shared.errors import NotFound
from shared.ports import JobReport, JobSpec

SCRIPTS = ROOT / "shared" / "jobs"
LONGEST_LOG = 1024 * 1024


class Assignment(Struct, frozen=True):
    """What is kept of a job: its spec, and where the scripts of all jobs are."""

    spec: JobSpec
    scripts: str


class LocalJobs:
    """`Jobs` in `<state>/jobs/<name>`; `scripts` holds `<kind>.py` and what these need, `requirements.in`."""

    def __init__(self, state: Path, scripts: Path = SCRIPTS) -> None:
        self._state, self._scripts = state.absolute(), scripts.absolute()

    async def find(self, name: str) -> JobReport | None:
        """Look a job up by its name."""
        return await asyncio.to_thread(report, self._state, name)

    async def submit(self, spec: JobSpec) -> None:
        """Start the job unless one of that name exists; one that is `lost` is started again."""
        await asyncio.to_thread(self._submit, spec)

    async def cancel(self, name: str) -> None:
        """Stop the job with all it started; raises RunStatusChanged."""
        await asyncio.to_thread(self._cancel, name)

    async def log(self, name: str) -> str:
        """Return the captured output, of a long one the last megabyte."""
        return await asyncio.to_thread(self._log, name)

    def _submit(self, spec: JobSpec) -> None:
        folder = job_folder(self._state, spec.name)
        content = msgspec.json.encode(Assignment(spec, str(self._scripts)))
        works.start(folder, content, ["-m", "shared.backends.local.runner", str(self._state), spec.name])

    def _cancel(self, name: str) -> None:
        if not NAME.fullmatch(name):
            return
        folder = job_folder(self._state, name)
        cancelled = JobReport("cancelled", reason="it was cancelled before it ended")
        if works.end(folder, msgspec.json.encode(cancelled)):
            publish_detached(end_event(read_assignment(folder).spec, cancelled), folder / "log.txt")

    def _log(self, name: str) -> str:
        folder = self._state / "jobs" / name
        if not NAME.fullmatch(name) or not (folder / "spec.json").exists():
            raise NotFound(f"there is no job {name}")
        with contextlib.suppress(FileNotFoundError), (folder / "log.txt").open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LONGEST_LOG))
            text = file.read().decode("utf-8", "replace")
            return text if size <= LONGEST_LOG else f"(the first {size - LONGEST_LOG} bytes are left out)\n{text}"
        return ""


def report(state: Path, name: str) -> JobReport | None:
    """Say what is known of a job."""
    if not NAME.fullmatch(name):
        return None
    folder = job_folder(state, name)
    match works.state_of(folder):
        case "absent":
            return None
        case "ended":
            return msgspec.json.decode((folder / "status.json").read_bytes(), type=JobReport)
        case "lost":
            return JobReport("lost", reason=f"the process of {name} is gone without a result")
        case "running":
            worker = works.worker_of(folder)
            return JobReport("running", seconds=time.time() - worker.since if worker else 0.0)


def read_assignment(folder: Path) -> Assignment:
    """Return what the job is to do."""
    return msgspec.json.decode((folder / "spec.json").read_bytes(), type=Assignment)


def end_event(spec: JobSpec, ended: JobReport) -> Event:
    """Return the event Azure raises for this end of a run."""
    status = {"completed": "Completed", "cancelled": "Canceled"}.get(ended.status, "Failed")
    return run_ended(spec.project, spec.name, spec.release, spec.step, spec.kind, status)
