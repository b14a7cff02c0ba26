"""What earlier runs left: their outputs, read from the workspace with the run's own token."""

from pathlib import Path
from typing import Any

from signalbox_job.outcome import JobFailed

from azure_run.blobs import below

OUTPUTS = "outputs/"


def fetch(run: Any, reference: str, target: Path) -> None:
    """Copy what `<run>/<path below its outputs>` names, a file or a folder, to `target`.

    `run` is this run; raises `JobFailed` when nothing is there.
    """
    name, _, path = reference.partition("/")
    for earlier in _candidates(run, name):
        if _copied(earlier, OUTPUTS + path, target):
            return
    raise JobFailed(f"job {name} left no {path}", f"See the log of {name}")


def _candidates(run: Any, name: str) -> Any:
    """Yield the run of a name; a published pipeline's stands in an experiment of that name, its steps below it."""
    from azureml._restclient.exceptions import ServiceException
    from azureml.core import Experiment, Run

    try:
        yield Run(run.experiment, name)
        return
    except ServiceException as error:
        if error.status_code != 404:
            raise
    for experiment in Experiment.list(run.experiment.workspace, experiment_name=name):
        for found in experiment.get_runs():
            yield found
            yield from found.get_children()


def _copied(earlier: Any, path: str, target: Path) -> bool:
    names = [each for each in earlier.get_file_names() if each == path or each.startswith(f"{path}/")]
    for each in names:
        inside = each.removeprefix(path).removeprefix("/")
        place = below(target, inside) if inside else target
        place.parent.mkdir(parents=True, exist_ok=True)
        earlier.download_file(each, str(place))
    return bool(names)
