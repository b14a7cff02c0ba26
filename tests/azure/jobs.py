"""Jobs for the double: small scripts of ours in place of the real ones, and a commit to run them on."""

import asyncio
import io
import shutil
import ssl
import tarfile
import threading
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.backends.azure.environments import Environments
from shared.backends.azure.runs import SCRIPTS, AzureJobs
from shared.backends.azure.workspace import Azure
from shared.backends.local.artifacts import FileArtifacts
from shared.ports import Artifacts, JobReport, JobSpec
from tests.azure.stand_in import StandIn

RELEASE = "0123456789abcdef0123"
COMMIT = {
    "train.py": "print('training')\n",
    "pkg/a b.py": "x = 1\n",
    "pkg/donnée.txt": "été\n",
    ".gitignore": "*.py\n",
    "requirements.txt": "numpy\n",
}
WORKS = """
import json, os, pathlib, sys
told = json.load(open("job.json"))
print("in", sorted(os.environ), sorted(path.name for path in pathlib.Path("data").glob("*")))
pathlib.Path("outputs/model").mkdir(parents=True)
pathlib.Path("outputs/model/m.txt").write_text("a model")
json.dump({"rows": 3, "curve": [1.0, 0.5], "labels": {"loss": 0.25}}, open("outputs/result.json", "w"))
"""
PARTS = ("on_azure.py", "azure_run", "signalbox_job", "serving", "requirements.in", "azure.in")


def scripts(folder: Path, **kinds: str) -> Path:
    """Make a folder of job scripts: ours for Azure, and a text for each kind."""
    folder.mkdir(parents=True)
    for name in PARTS:
        source = SCRIPTS / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    for kind, text in kinds.items():
        (folder / f"{kind}.py").write_text(text)
    return folder


def tarred(files: Mapping[str, str]) -> bytes:
    """Return files as the snapshot of a commit."""
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return contents.getvalue()


class Ground:
    """AzureJobs on the double, with what a test needs beside them."""

    def __init__(
        self, double: StandIn, azure: Azure, folder: Path, artifacts: Artifacts | None = None, **kinds: str
    ) -> None:
        self.double, self.azure, self.artifacts = double, azure, artifacts or FileArtifacts(folder / "artifacts")
        self.jobs = AzureJobs(azure, self.artifacts, Environments(azure), scripts(folder / "scripts", **kinds))

    def find(self, name: str) -> JobReport | None:
        """Look a job up."""
        return asyncio.run(self.jobs.find(name))

    def submit(self, *specs: JobSpec) -> None:
        """Submit jobs, several at once."""

        async def together() -> None:
            await asyncio.gather(*(self.jobs.submit(spec) for spec in specs))

        asyncio.run(together())

    def cancel(self, name: str) -> None:
        """Cancel a job."""
        asyncio.run(self.jobs.cancel(name))

    def log(self, name: str) -> str:
        """Return the log of a job."""
        return asyncio.run(self.jobs.log(name))

    def spec(self, step: str = "check", commit: Mapping[str, str] = COMMIT, **changes: Any) -> JobSpec:
        """Return a spec of a job of the release."""
        spec = JobSpec(
            name=f"{RELEASE}-{step}-1",
            kind="check",
            project="diabetes",
            release=RELEASE,
            step=step,
            code=asyncio.run(self.artifacts.put(tarred(commit))),
            data=(),
            inputs={},
            settings='{"target": "y"}',
            requirements="requirements.txt",
            seconds=60,
        )
        return msgspec.structs.replace(spec, **changes)

    def ended(self, name: str) -> JobReport:
        """Return how a job ended, once Azure has told that it did; its deadline is that of the test."""
        while not any(each["data"].get("runId") == name for each in self.double.events()):
            threading.Event().wait(0.05)
        report = self.find(name)
        assert report is not None
        return report

    def bodies(self, route: str) -> list[Any]:
        """Return what was sent to a route."""
        return [msgspec.json.decode(each["body"]) for each in self.double.requests(route)]

    def metrics(self, name: str) -> Any:
        """Return the metrics of a run, as people read them in the workspace."""
        return self.with_run(name, lambda run: run.get_metrics())

    def left(self, name: str) -> dict[str, str]:
        """Return all files that a run left, as text by path."""
        found: dict[str, str] = self.double.ask("GET", f"/runs/{name}/artifacts")
        return found

    def with_run(self, name: str, call: Callable[[Any], Any]) -> Any:
        """Do something with a run, as the SDK has it."""

        def asked(workspace: Any) -> Any:
            from azureml.core import Run

            return call(Run.get(workspace, name))

        return self.azure.now(f"the run {name}", asked)


def asked(double: StandIn, method: str, url: str, body: bytes | None = None) -> Any:
    """Ask Azure through the double, with urllib alone, and return the answer."""
    trusting = ssl.create_default_context(cafile=double.environment["SSL_CERT_FILE"])
    proxy = urllib.request.ProxyHandler({"https": double.environment["HTTPS_PROXY"]})
    opener = urllib.request.build_opener(proxy, urllib.request.HTTPSHandler(context=trusting))
    return opener.open(urllib.request.Request(url, body, method=method), timeout=30)
