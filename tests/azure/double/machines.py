"""The compute targets at work: a submitted snapshot is unpacked and its script really run, as a child process.

Assumed: the order of states; that what the run writes to ./outputs and ./logs, and what it prints
(user_logs/std_log.txt), are its artifacts once it ends; that a run over its time is cancelled with words that say so.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.azure.double import venvs
from tests.azure.double.faults import QUOTA
from tests.azure.double.login import token

if TYPE_CHECKING:
    from tests.azure.double.azure import Azure

LOG, BUILD_LOG = "user_logs/std_log.txt", "azureml-logs/20_image_build_log.txt"
PASSED_ON = ("UV_", "PIP_", "SSL_CERT_DIR")
INDEXES = "pypi.org,files.pythonhosted.org"
"""Package indexes are no part of Azure: a run that installs something goes to them directly."""
PR_SET_PDEATHSIG = 1
FAILED = {
    "quota": ("QuotaExceeded", QUOTA),
    "compute": ("ComputeTargetNotFound", "The compute target '{target}' was deleted while the run waited for it."),
    "environment": ("ImageBuildFailure", "Image build failed. For more details, check log file {log}."),
}


@dataclass
class Work:
    """One run to be done; `fault` is what goes wrong with it."""

    run: str
    experiment: str
    snapshot: str
    definition: dict[str, Any]
    fault: dict[str, Any]
    parent: str = ""
    """The run of the pipeline whose step this is: it ends as this one does."""
    cancelled: threading.Event = field(default_factory=threading.Event)
    child: subprocess.Popen[bytes] | None = None
    folder: Path | None = None
    closed: bool = False

    def end(self) -> None:
        """End what runs."""
        self.cancelled.set()
        if self.child is not None and self.child.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)


class Ended(Exception):
    """The run ends here, with this status and these words."""

    def __init__(self, status: str, words: str = "", code: str = "UserError") -> None:
        super().__init__(words)
        self.status, self.words, self.code = status, words, code


class Machines:
    """What is being run, one thread a run."""

    def __init__(self, azure: "Azure") -> None:
        self._azure = azure
        self._at_work: dict[str, Work] = {}

    def begin(self, work: Work) -> None:
        """Begin with a run."""
        self._at_work[work.run] = work
        threading.Thread(target=self._run, args=(work,), daemon=True).start()

    def cancel(self, run: str) -> None:
        """End a run, with its steps."""
        for work in self._at_work.values():
            if run in (work.run, work.parent):
                work.end()

    def close(self) -> None:
        """End every run, and let none of them leave anything."""
        for work in self._at_work.values():
            work.closed = True
            work.end()
        # A request that hangs and a run that is late end with the faults.
        self._azure.faults.released.set()

    def files(self, run: str) -> dict[str, str]:
        """Return what was submitted for a run, as text by path."""
        return self._azure.snapshots.texts(self._at_work[run].snapshot)

    def show_log(self, run: str) -> None:
        """Let the log of a run that is at work be as long as it is now."""
        work = self._at_work.get(run)
        if work and work.folder and (work.folder / LOG).is_file():
            self._keep(work, LOG, (work.folder / LOG).read_bytes())

    def _run(self, work: Work) -> None:
        try:
            self._work(work)
        except Ended as ended:
            end = ended
        except venvs.BuildFailed as failed:
            self._keep(work, BUILD_LOG, str(failed).encode())
            code, words = FAILED["environment"]
            end = Ended("Failed", words.format(log=BUILD_LOG), code)
        else:
            end = Ended("Completed")
        if work.cancelled.is_set():
            end = Ended("Canceled")
        self._upload(work)
        for run in filter(None, (work.run, work.parent)):
            self._azure.runs.set(run, end.status, end.words, end.code)

    def _work(self, work: Work) -> None:
        self._set(work, "Preparing")
        self._refuse(work)
        said: list[str] = []
        settings = self._azure.settings
        cache = Path(settings.envs) if settings.envs else self._azure.folder / "envs"
        python = venvs.interpreter(cache, work.definition["environment"], said.append, settings.interpreter)
        self._keep(work, BUILD_LOG, "\n".join(said).encode())
        self._set(work, "Queued")
        if work.fault.get("kind") == "hang":
            work.cancelled.wait()
        if work.fault.get("kind") == "late":
            self._azure.faults.released.wait()
        if work.cancelled.is_set():
            return
        work.folder = Path(tempfile.mkdtemp(prefix=f"{work.run}-", dir=self._runs()))
        self._azure.snapshots.restore(work.snapshot, work.folder)
        self._set(work, "Running")
        code = self._child(work, python)
        self._set(work, "Finalizing")
        if code:
            script = work.definition["script"]
            raise Ended(
                "Failed",
                f"Execution failed. User process '{script}' exited with status code {code}. "
                f"Please check log file '{LOG}' for error details.",
            )

    def _set(self, work: Work, status: str) -> None:
        if not work.cancelled.is_set():
            self._azure.runs.set(work.run, status)

    def _runs(self) -> Path:
        folder = self._azure.folder / "runs"
        folder.mkdir(exist_ok=True)
        return folder

    def _refuse(self, work: Work) -> None:
        kind = str(work.fault.get("kind", ""))
        if kind not in FAILED:
            return
        code, words = FAILED[kind]
        if kind == "environment":
            self._keep(work, BUILD_LOG, str(work.fault.get("log", "ERROR: No matching distribution found")).encode())
        words = work.fault.get("words", words.format(target=work.definition.get("target"), log=BUILD_LOG))
        raise Ended("Failed", str(words), code)

    def _child(self, work: Work, python: Path) -> int:
        assert work.folder is not None
        log = work.folder / LOG
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [str(python), work.definition["script"], *work.definition.get("arguments", [])]
        prctl = ctypes.CDLL(None).prctl
        with log.open("wb") as output:
            work.child = subprocess.Popen(
                command,
                cwd=work.folder,
                env=self._surroundings(work),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
            )
        if work.cancelled.is_set():
            work.end()
        most = work.definition.get("maxRunDurationSeconds")
        try:
            return work.child.wait(most)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(work.child.pid, signal.SIGKILL)
            work.child.wait()
            raise Ended("Canceled", f"The run exceeded its maximum duration of {most} seconds.", "JobTimeout") from None

    def _surroundings(self, work: Work) -> dict[str, str]:
        its, azure = self._azure.settings, self._azure
        experiment = azure.experiments.make(work.experiment)
        made, life = token(azure, "https://ml.azure.com", work.run)
        passed = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        reached = "HTTPS_PROXY REQUESTS_CA_BUNDLE SSL_CERT_FILE IDENTITY_ENDPOINT IDENTITY_HEADER".split()
        return passed | {
            "PATH": os.environ.get("PATH", os.defpath),
            "HOME": str(work.folder),
            "LANG": "C.UTF-8",
            **{name: azure.surroundings[name] for name in reached},
            "NO_PROXY": f"{azure.surroundings['NO_PROXY']},{INDEXES}",
            "AZUREML_RUN_ID": work.run,
            "AZUREML_RUN_TOKEN": made,
            "AZUREML_RUN_TOKEN_EXPIRY": str(int(time.time()) + life),
            "AZUREML_ARM_SUBSCRIPTION": its.subscription,
            "AZUREML_ARM_RESOURCEGROUP": its.resource_group,
            "AZUREML_ARM_WORKSPACE_NAME": its.workspace,
            "AZUREML_ARM_PROJECT_NAME": work.experiment,
            "AZUREML_EXPERIMENT_ID": experiment["experimentId"],
            "AZUREML_WORKSPACE_ID": its.workspace_id,
            "AZUREML_SERVICE_ENDPOINT": its.api,
            "AZUREML_DISCOVERY_SERVICE_ENDPOINT": f"{its.api}/discovery",
            "AZUREML_CURRENT_CLOUD": "AzureCloud",
            **(work.definition.get("environmentVariables") or {}),
        }

    def _upload(self, work: Work) -> None:
        if work.folder is None:
            return
        for top in ("outputs", "logs", "user_logs"):
            for path in sorted((work.folder / top).rglob("*")):
                if path.is_file() and not path.is_symlink():
                    self._keep(work, path.relative_to(work.folder).as_posix(), path.read_bytes())
        shutil.rmtree(work.folder, ignore_errors=True)

    def _keep(self, work: Work, path: str, content: bytes) -> None:
        with self._azure.lock:
            if not work.closed:
                self._azure.artifacts.put("ExperimentRun", f"dcid.{work.run}", path, content)
