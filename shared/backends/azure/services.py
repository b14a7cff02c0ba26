"""Web services of a workspace by their names: found, read, deleted; without waiting for anything."""

import contextlib
from typing import Any

from shared.backends.azure import history
from shared.backends.azure.standing import LINES
from shared.backends.azure.workspace import Azure
from shared.errors import NotFound


def found(azure: Azure, name: str) -> Any | None:
    """Return the SDK's service of a name, None when there is none."""
    try:
        return azure.now(f"the service {name}", _got, name)
    except NotFound:
        return None


def _got(workspace: Any, name: str) -> Any:
    from azureml.core import Webservice

    found = Webservice(workspace, name)
    history.forget()
    return found


def removed(azure: Azure, name: str) -> bool:
    """Ask for a service to be deleted, and do not wait for it; True."""
    with contextlib.suppress(NotFound):
        azure.now(f"the service {name}", _delete, name)
    return True


def _delete(workspace: Any, name: str) -> None:
    # Webservice.delete waits until the service is gone, however long that takes.
    from azureml._model_management._util import make_mms_request

    make_mms_request(workspace, "DELETE", f"/services/{name}", None, params={})


def output(azure: Azure, service: Any) -> str:
    """Return the end of what the containers of a service printed."""
    return str(azure.ask(f"the log of the service {service.name}", service.get_logs, LINES) or "")
