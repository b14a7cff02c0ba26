"""What goes over the wire and which function answers it.

A pattern is a path with `{name}` for one segment, `{rest:path}` for many, and `{ws}` for the ARM path of a workspace.
`{ws}` is not handed on: only the one workspace of the double reaches a handler, any other is answered 404 before.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.azure.double.azure import Azure

WORKSPACE = (
    "/subscriptions/{ws_subscription}/resourceGroups/{ws_group}"
    "/providers/Microsoft.MachineLearningServices/workspaces/{ws_name}"
)
SERVICES = ("management.azure.com", "*.api.azureml.ms", "*.modelmanagement.azureml.net", "*.experiments.azureml.net")
"""The hosts of ARM and of the data plane: where a route without a host of its own is found."""


@dataclass
class Request:
    """One request; `path` without doubled slashes, `fault` is an injected fault that the area itself acts out."""

    method: str
    host: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    fault: dict[str, Any] | None = None

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.body or b"null")


@dataclass
class Answer:
    """One answer; anything but bytes and None is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def content(self) -> bytes:
        """Return the body as it is sent."""
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


def error(status: int, code: str, message: str, headers: Mapping[str, str] | None = None, **more: Any) -> Answer:
    """Return an error as ARM and the data plane phrase it; that both use this shape is assumed."""
    return Answer(status, {"error": {"code": code, "message": message, "details": [], **more}}, dict(headers or {}))


Handler = Callable[..., Answer]


@dataclass(frozen=True)
class Route:
    """One pattern of one method; `shape` names the SDK's model that its answers must fit."""

    method: str
    pattern: str
    hosts: tuple[str, ...]
    handler: Handler
    shape: str
    open: bool
    expression: re.Pattern[str]
    rank: tuple[bool, int]

    @property
    def name(self) -> str:
        """Return what the recording calls it."""
        return f"{self.method} {self.pattern}"

    def takes(self, method: str, host: str) -> bool:
        """Say whether it is for this method and host."""
        return self.method == method and any(fnmatch(host, each) for each in self.hosts)


ROUTES: list[Route] = []


def _expression(pattern: str) -> re.Pattern[str]:
    whole = pattern.replace("{ws}", WORKSPACE)
    parts = re.split(r"(\{[a-z_]+(?::path)?\})", whole)
    text = "".join(_group(each) if each.startswith("{") else re.escape(each) for each in parts)
    return re.compile(text, re.IGNORECASE)


def _group(part: str) -> str:
    name, _, kind = part[1:-1].partition(":")
    return f"(?P<{name}>{'.+' if kind else '[^/]+'})"


def route(
    method: str, pattern: str, host: str | None = None, shape: str = "", open: bool = False
) -> Callable[[Handler], Handler]:
    """Register the decorated function; `open`: it is answered without a bearer token.

    `shape` is a class of `azureml._restclient.models`, or `module:Class`; in brackets it is a list of them.
    """

    def registered(handler: Handler) -> Handler:
        hosts = SERVICES if host is None else (host,)
        literal = len(re.sub(r"\{[^}]*\}", "", pattern))
        rank = (":path" in pattern, -literal)
        ROUTES.append(Route(method, pattern, hosts, handler, shape, open, _expression(pattern), rank))
        ROUTES.sort(key=lambda each: each.rank)
        return handler

    return registered


def find(request: Request) -> tuple[Route, dict[str, str]] | None:
    """Return the most literal route that takes a request, and the named parts of its path."""
    for each in ROUTES:
        if each.takes(request.method, request.host) and (found := each.expression.fullmatch(request.path)):
            return each, found.groupdict()
    return None


def answer(azure: "Azure", request: Request, found: Route, parts: dict[str, str]) -> Answer:
    """Ask a route, after what Azure asks first: a token, and whether the workspace exists."""
    if not found.open and not azure.knows(request):
        return error(
            401, "AuthenticationFailed", "Authentication failed. The 'Authorization' header is missing or invalid."
        )
    if "ws_name" in parts and (
        absent := azure.absent(*(parts.pop(f"ws_{each}") for each in ("subscription", "group", "name")))
    ):
        return absent
    with azure.lock:
        return found.handler(azure, request, **parts)
