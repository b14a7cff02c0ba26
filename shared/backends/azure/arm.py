"""Azure Resource Manager, asked directly for what the SDK does not show, or makes only by waiting for it."""

from typing import Any

from shared.backends.azure.workspace import Azure
from shared.errors import NotFound

HOST = "https://management.azure.com"
AUDIENCE = "https://management.core.windows.net/"


def get(azure: Azure, what: str, path: str, version: str) -> dict[str, Any] | None:
    """Return a resource, None when it is not there; `what` names it in messages. Call it in a thread."""
    try:
        return _asked(azure, what, "GET", path, version, None)
    except NotFound:
        return None


def put(azure: Azure, what: str, path: str, version: str, body: dict[str, Any]) -> dict[str, Any]:
    """Begin to make a resource, or to change it into what `body` says. Call it in a thread."""
    return _asked(azure, what, "PUT", path, version, body)


def _asked(
    azure: Azure, what: str, method: str, path: str, version: str, body: dict[str, Any] | None
) -> dict[str, Any]:
    def asked() -> dict[str, Any]:
        import requests

        headers = {"Authorization": f"Bearer {azure.tokens().of(AUDIENCE)}"}
        params = {"api-version": version}
        answer = requests.request(method, f"{HOST}{path}", params=params, headers=headers, json=body)
        answer.raise_for_status()
        read: dict[str, Any] = answer.json()
        return read

    return azure.ask(what, asked)
