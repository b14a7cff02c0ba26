"""The functions over one world as a WSGI app: what the Functions host does between a request and a function."""

import importlib
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl

import function_app
from functions import health, openapi
from shared.openapi import Route
from tests.functions.conftest import App, signed
from tools.local.routes import Template, compile_route

FUNCTION_KEY = "the-key-of-every-function"
assert function_app.app


class Served:
    """Finds the function of a request by the app's own index, asks for its key, and hands the request over."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.routes = sorted(map(_found, openapi.routes()), key=lambda found: found[0].rank)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "surrogateescape").removeprefix("/api/")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        status, headers, content = self._asked(environ["REQUEST_METHOD"], path, environ, body)
        start(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [content]

    def _asked(
        self, method: str, path: str, environ: Mapping[str, Any], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        headers = {name[5:]: str(value) for name, value in environ.items() if name.startswith("HTTP_")}
        if path == "push":
            # Nobody can draw a signature: every body is sent as its git host would.
            headers |= {"X_GITHUB_EVENT": "push", "X_HUB_SIGNATURE_256": signed(body)["x_hub_signature_256"]}
        headers |= {name: environ[name] for name in ("CONTENT_TYPE", "CONTENT_LENGTH") if environ.get(name)}
        query = dict(parse_qsl(environ["QUERY_STRING"], keep_blank_values=True))
        for template, route, function in self.routes:
            given = template.match(path)
            if given is None or method not in route.methods:
                continue
            if not route.open and headers.get("X_FUNCTIONS_KEY") != FUNCTION_KEY:
                return 401, {}, b""
            answer = self.app.http(function, method, body, query, dict(given), **headers)
            told = {"Content-Type": f"{answer.mimetype}; charset={answer.charset}", **dict(answer.headers)}
            return answer.status_code, told, answer.get_body()
        return 404, {}, b""


def _found(route: Route) -> tuple[Template, Route, Any]:
    modules = [module(name) for name in health.LOADED]
    (function,) = {vars(each)[route.function] for each in modules if _declares(each, route.function)}
    return compile_route(route.route), route, function


def module(name: str) -> ModuleType:
    """Return the module of a blueprint that loaded."""
    return importlib.import_module(f"functions.{name}")


def _declares(each: ModuleType, function: str) -> bool:
    return hasattr(vars(each).get(function), "_function")
