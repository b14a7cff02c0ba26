"""Runs looked up in the run history, by the name of their job."""

import contextlib
from queue import Empty
from typing import Any

from shared.backends.azure import pipelines
from shared.backends.azure.workspace import Azure
from shared.errors import NotFound


def run(azure: Azure, name: str) -> Any | None:
    """Return the SDK's run of a name, None when there is none; call it in a thread."""
    try:
        return azure.now(f"the run {name}", _got, name)
    except NotFound:
        return None


def run_of_job(azure: Azure, name: str) -> Any | None:
    """Return the run that did a job: the one of its name, or a published pipeline's; call it in a thread."""
    found = run(azure, name)
    if found is None and pipelines.may_have_done(name):
        found = azure.now(f"the pipeline of {name}", lambda workspace: next(pipelines.runs(workspace, name), None))
    return found


def _got(workspace: Any, name: str) -> Any:
    from azureml.core import Run

    found = Run.get(workspace, name)
    forget()
    return found


def forget() -> None:
    """Let go of the runs that the SDK made: it keeps them all to flush them when the process ends, and ours never log.

    It makes them for whoever reads a service or a model too.
    """
    from azureml.core import Run

    with contextlib.suppress(Empty):
        while True:
            Run._registered_kill_handlers.get_nowait()
