"""A model version that others registered: its files, from the registry of the workspace."""

from pathlib import Path
from typing import Any

from signalbox_job.outcome import JobFailed


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
    files_in(work).rename(target)


def files_in(folder: Path) -> Path:
    """Return where the files of a downloaded version begin: a whole folder comes back as one within the model's own."""
    inside = list(folder.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else folder
