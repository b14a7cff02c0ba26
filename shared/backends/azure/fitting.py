"""Makes a process fit for Azure's SDK: its surroundings, and what is assigned into packages that are not ours.

ASSIGNED is the list of all that is assigned.
"""

import logging
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from shared.backends.azure.scope import Scope

ASSIGNED = (
    "requests.adapters.HTTPAdapter.send",
    "azureml._common.async_utils.worker_pool.WorkerPool.submit",
    "azureml._execution._commands.Pool",
    "azureml._base_sdk_common.tracking.tracking_info_registry.TrackingInfoRegistry.gather_all",
    "azureml._file_utils.file_utils._retry",
)
"""The first bounds every request of a guarded call; the next two let the SDK's threads belong to the call that asked.
The fourth keeps the SDK from changing the folder this whole process works in, to ask git about what is not the
project's. The last downloads a file once: the SDK would pause for 2, 4, 16 and 256 s after any error, ours too.
"""

SURROUNDINGS = {
    # Without it the SDK first asks for the list of clouds, for as long as 30 s.
    "AZUREML_CURRENT_CLOUD": "AzureCloud",
    "AZUREML_LOG_DEPRECATION_WARNING_ENABLED": "False",
    # For what the SDK repeats by itself outside of a guarded call; read when it is imported.
    "AZUREML_DEFAULT_RETRIES": "0",
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
}
LOUD = ("azureml", "msrest", "azure.identity", "azure.core")
"""Loggers of what is translated and logged once at the edge anyway."""


def _belonging(submit: Callable[..., Any]) -> Callable[..., Any]:
    """Return `WorkerPool.submit` so that what runs in the SDK's threads is bounded like the call that asked for it."""

    def belonging(self: Any, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        return submit(self, copy_context().run, call, *arguments, **options)

    return belonging


class _Beside:
    """The thread in which a submit uploads its snapshot: bounded like the submit, and gone when that failed."""

    def __init__(self, threads: int) -> None:
        self.get: Callable[[], Any]

    def apply_async(self, call: Callable[..., Any], arguments: tuple[Any, ...]) -> "_Beside":
        """Begin with a call; `get` waits for it."""
        one = ThreadPoolExecutor(1, thread_name_prefix="azure-snapshot")
        self.get = one.submit(copy_context().run, call, *arguments).result
        one.shutdown(wait=False)
        return self

    def close(self) -> None:
        """Do nothing: it takes one call only."""


def _once_only(download: Callable[[], Any], clean_up: Callable[[], None] = lambda: None, **_: Any) -> Any:
    """Do what `_retry` repeats, and what it does in the end."""
    try:
        return download()
    finally:
        clean_up()


_once = threading.Lock()
_prepared: list[Scope] = []


def prepare(scope: Scope, bounded: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    """Make this process fit for the SDK, once: it settles on its surroundings when it is imported.

    `bounded` returns `HTTPAdapter.send` as guarded calls need it.
    """
    with _once:
        if _prepared:
            return
        for name, value in SURROUNDINGS.items():
            os.environ.setdefault(name, value)
        _settle_home(scope.state)
        import azureml.core  # noqa: F401 - first: its parts import each other in a circle that begins here
        import requests.adapters
        from azureml._base_sdk_common.tracking.tracking_info_registry import TrackingInfoRegistry
        from azureml._common.async_utils.worker_pool import WorkerPool
        from azureml._execution import _commands
        from azureml._file_utils import file_utils

        requests.adapters.HTTPAdapter.send = bounded(requests.adapters.HTTPAdapter.send)  # type: ignore[method-assign]
        WorkerPool.submit = _belonging(WorkerPool.submit)
        _commands.Pool = _Beside
        TrackingInfoRegistry.gather_all = lambda *_: {}
        file_utils._retry = _once_only
        for loud in LOUD:
            logging.getLogger(loud).setLevel(logging.CRITICAL)
        _prepared.append(scope)


def _settle_home(state: Path) -> None:
    """Let the SDK write below HOME: it keeps caches there, and without one it submits nothing or is not imported."""
    try:
        folder = Path(os.environ["HOME"]) / ".azureml"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, KeyError):
        home = state / "home"
        (home / ".azureml").mkdir(parents=True, exist_ok=True)
        os.environ["HOME"] = str(home)
