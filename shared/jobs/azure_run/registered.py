"""A model version that others registered: its files, from the registry of the workspace."""

import sys
from pathlib import Path
from typing import Any

from signalbox_job.outcome import JobFailed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "serving"))
import signalbox_model

del sys.path[0]


def fetch(run: Any, reference: str, work: Path, target: Path) -> None:
    """Put the files of the version `<name>:<number>` into the folder `target`."""
    from azureml.core import Model
    from azureml.exceptions import AzureMLException

    name, _, number = reference.rpartition(":")
    try:
        Model(run.experiment.workspace, name, version=int(number)).download(target_dir=str(work), exist_ok=True)
    except AzureMLException as error:
        # Its text may hold headers of the request.
        reason = f"version {number} of {name} could not be had: {type(error).__name__}"
        raise JobFailed(reason, "See that the version is still in the registry, then release again") from error
    files(work, "").rename(target)


def files(folder: Path, digest: str) -> Path:
    """Return where the files of a downloaded version begin, as its service finds them; `RuntimeError` for others."""
    return Path(signalbox_model.verified(str(folder), digest))
