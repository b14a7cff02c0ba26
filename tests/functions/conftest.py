"""The functions over the one world, called with the library's own requests and events."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Callable, Iterator
from typing import Any

import azure.functions as func
import msgspec
import pytest

from shared import wiring
from shared.release import tokens
from tests.world import KEY, World

SECRET = b"the push secret of houses"


class Orders(func.Out[list[str]]):
    """What the queue output was set to."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def set(self, val: list[str]) -> None:
        self.messages = val

    def get(self) -> list[str]:
        return self.messages


class App:
    """The app over one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    def http(
        self,
        function: Any,
        method: str,
        body: bytes = b"",
        params: dict[str, str] | None = None,
        route: dict[str, str] | None = None,
        **headers: str,
    ) -> func.HttpResponse:
        """Send one request to an HTTP function; header names are written with underscores."""
        named = {name.replace("_", "-").lower(): value for name, value in headers.items()}
        if body:
            named.setdefault("content-length", str(len(body)))
        request = func.HttpRequest(
            method=method,
            url="https://signalbox.example.org/api",
            headers=named,
            params=params or {},
            route_params=route or {},
            body=body,
        )
        orders = Orders()
        call = function._function.get_user_function()
        answer: func.HttpResponse = asyncio.run(call(request, orders) if function_takes_orders(call) else call(request))
        self._keep(orders)
        return answer

    def event(self, function: Any, event: func.EventGridEvent | func.CloudEvent) -> None:
        """Deliver one event to an Event Grid function."""
        orders = Orders()
        asyncio.run(function._function.get_user_function()(event, orders))
        self._keep(orders)

    def timer(self, function: Any) -> None:
        """Let a timer's function run."""
        orders = Orders()
        asyncio.run(function._function.get_user_function()(None, orders))
        self._keep(orders)

    def _keep(self, orders: Orders) -> None:
        from shared.answers import Order

        self.world.orders += [msgspec.json.decode(message, type=Order) for message in orders.messages]

    def secrets(self, *projects: str) -> None:
        """Let these projects, and no other, have the secret of pushes."""
        wired = wiring.wired()
        named = tuple((project, "HOUSES_PUSH", SECRET) for project in projects)
        wiring.use(wiring.Wired(wired.control, msgspec.structs.replace(wired.settings, secrets=named), 0))

    def token(self, release: str, who: str = "ana@example.org") -> str:
        """Return the token that was sent to an approver."""
        asked = self.world.state(release).asked
        newest = asked[max(asked)]
        return tokens.sign(KEY, tokens.Grant(release, who, newest.evidence, newest.expires))

    def browse(self, function: Any, route: dict[str, str], token: str, **params: str) -> func.HttpResponse:
        """Ask for a page as a browser does that came by a link before."""
        return self.http(function, "GET", params=params, route=route, accept="text/html", cookie=f"signalbox={token}")


def function_takes_orders(call: Callable[..., Any]) -> bool:
    return "orders" in call.__code__.co_varnames[: call.__code__.co_argcount]


@pytest.fixture
def app() -> Iterator[App]:
    """Give the app over a new world."""
    world = World()
    wiring.use(wiring.Wired(world.control, world.settings(SECRET), 0))
    world.now = wiring.now()
    yield App(world)
    wiring.forget()


def push_body(after: str, /, **changes: Any) -> bytes:
    """Return a push as GitHub sends it."""
    url = "https://git.example.org/acme/houses"
    body = {
        "ref": "refs/heads/main",
        "before": "0" * 40,
        "after": after,
        "created": False,
        "deleted": False,
        "repository": {"full_name": "acme/houses", "clone_url": f"{url}.git", "html_url": url},
        "pusher": {"name": "dee", "email": "dee@example.org"},
        "head_commit": {"id": after, "message": "a change"},
        "commits": [],
    }
    return json.dumps(body | changes).encode()


def signed(body: bytes, secret: bytes = SECRET, event: str = "push") -> dict[str, str]:
    """Return the headers with which GitHub sends a body."""
    mac = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "x_github_event": event,
        "x_github_delivery": "delivery-1",
        "x_hub_signature_256": f"sha256={mac}",
        "content_type": "application/json",
    }
