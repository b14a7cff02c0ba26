"""The live model, as it was packaged: its version from the registry, its code, its environment.

What was submitted holds `champion/<name>/` with manifest.json, code/, requirements.txt and schema.json.
"""

import json
from pathlib import Path
from typing import Any

from signalbox_job.outcome import JobFailed

from azure_run import frozen, registered


def describe(run: Any, folder: Path, work: Path, target: Path) -> None:
    """Write the descriptor a job scores the live model by to `target`; what it needs is fetched below `work`."""
    from azureml.core import Model

    told = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    model = Model(run.experiment.workspace, told["model"], version=int(told["version"]))
    model.download(target_dir=str(work / "model"), exist_ok=True)
    try:
        files = registered.files(work / "model", told["digest"])
    except RuntimeError as error:
        raise JobFailed(f"the live model is not what was approved: {error}", "Look into the registry") from error
    listed = folder / "requirements.txt"
    python = frozen.interpreter(listed.read_text(encoding="utf-8"), work / "environment")
    code = (folder / "code").resolve()
    descriptor = {
        "python": python,
        "path": [str(code)],
        "score": str(code / told["entry"]),
        "model_dir": str(files.resolve()),
        "schema": str((folder / "schema.json").resolve()),
    }
    target.write_text(json.dumps(descriptor), encoding="utf-8")
