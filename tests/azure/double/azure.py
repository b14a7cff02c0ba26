"""The one subscription that the double models: who it is, and what there is in it, one attribute an area."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from typing import Any

from tests.azure.double.events import Events
from tests.azure.double.faults import Faults
from tests.azure.double.wire import Answer, Request, Route, error


@dataclass(frozen=True)
class Settings:
    """The names of the subscription's things, and the one principal that may use them."""

    subscription: str = "5f0c1d3e-0000-4000-8000-51a7a1b0c001"
    resource_group: str = "signalbox"
    workspace: str = "signalbox-ml"
    workspace_id: str = "5f0c1d3e-0000-4000-8000-51a7a1b0c0aa"
    tenant: str = "5f0c1d3e-0000-4000-8000-51a7a1b0c002"
    client: str = "5f0c1d3e-0000-4000-8000-51a7a1b0c003"
    secret: str = "not-a-secret-of-anybody"
    location: str = "westeurope"
    storage: str = "signalboxmlstore"
    registry: str = "signalboxmlreg"
    identity_header: str = "not-a-secret-of-anybody-either"
    topic: str = ""
    topic_key: str = ""
    interpreter: str = ""
    """A Python that stands for every environment; empty: each is really built."""
    server: str = ""
    """The same for environments that serve."""
    envs: str = ""
    """A folder of environments that were built before; empty: they are kept in the double's own."""

    @property
    def group_path(self) -> str:
        """Return the ARM path of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def ws(self) -> str:
        """Return the ARM path of the workspace."""
        return f"{self.group_path}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"

    @property
    def api(self) -> str:
        """Return the address of the data plane."""
        return f"https://{self.location}.api.azureml.ms"


KEPT = 256 * 1024
"""Bytes of a body that the recording keeps."""


@dataclass
class Recorded:
    """One request and its answer; `shape` is set when the answer must fit a model of the SDK."""

    method: str
    host: str
    route: str
    path: str
    query: dict[str, str]
    status: int
    body: str
    sent: int
    """Bytes of the answer."""
    shape: str = ""
    answer: Any = None

    def shown(self) -> dict[str, Any]:
        """Return what `GET /requests` shows."""
        return {name: value for name, value in vars(self).items() if name not in {"shape", "answer"}}


AREAS: dict[str, Callable[["Azure"], Any]] = {}


def area(name: str) -> Callable[[Callable[["Azure"], Any]], Callable[["Azure"], Any]]:
    """Register what makes the attribute `name`; when it has a method `close`, a reset and the end call it."""

    def registered(made: Callable[["Azure"], Any]) -> Callable[["Azure"], Any]:
        AREAS[name] = made
        return made

    return registered


@dataclass
class Azure:
    """Everything there is. `lock` is held while a route answers; what takes time belongs in a thread of its own."""

    settings: Settings
    folder: Path
    lock: RLock = field(default_factory=RLock)
    faults: Faults = field(default_factory=Faults)
    requests: list[Recorded] = field(default_factory=list)
    unrouted: list[str] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)
    """Every bearer token that is good, with whose it is."""
    address: str = ""
    """Of the control plane, `http://127.0.0.1:<port>`."""
    surroundings: dict[str, str] = field(default_factory=dict)
    """The environment variables with which a client reaches this double."""

    def __post_init__(self) -> None:
        self.events = Events(self.settings.topic, self.settings.topic_key)
        self._areas: dict[str, Any] = {}
        self._begin()

    def _begin(self) -> None:
        self._areas = {name: made(self) for name, made in AREAS.items()}
        self.created = time.time()

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_areas"][name]
        except KeyError:
            raise AttributeError(name) from None

    def close(self) -> None:
        """End what the areas started."""
        for each in self._areas.values():
            getattr(each, "close", lambda: None)()

    def reset(self) -> None:
        """Forget everything but the tokens: clients keep theirs, and their cached workspace."""
        with self.lock:
            self.close()
            self.faults.clear()
            self.requests.clear()
            self.unrouted.clear()
            self.events.raised.clear()
            self._begin()

    def absent(self, subscription: str, group: str, workspace: str) -> Answer | None:
        """Return what ARM says when this is not the workspace there is; it compares names without case."""
        its = self.settings
        if subscription.lower() != its.subscription.lower():
            return error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        if group.lower() != its.resource_group.lower():
            return error(404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.")
        if workspace.lower() != its.workspace.lower() or self.resources.workspace is None:
            where = f"Microsoft.MachineLearningServices/workspaces/{workspace}' under resource group '{group}'"
            return error(404, "ResourceNotFound", f"The Resource '{where} was not found.")
        return None

    def knows(self, request: Request) -> bool:
        """Say whether a request carries a token of ours, or a signature that lets its bearer at a blob."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return (scheme.lower() == "bearer" and token in self.tokens) or "sig" in request.query

    def record(self, request: Request, found: Route | None, answer: Answer) -> None:
        """Keep what was asked and answered, in order."""
        body = request.body[:KEPT].decode("utf-8", "replace")
        name, shape = (found.name, found.shape) if found else ("", "")
        asked = (request.method, request.host, name, request.path, request.query)
        one = Recorded(*asked, answer.status, body, len(answer.content()))
        if shape and answer.status < 300 and not isinstance(answer.body, bytes):
            one.shape, one.answer = shape, json.loads(answer.content() or b"null")
        self.requests.append(one)
