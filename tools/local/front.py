"""The HTTP front of the host: finds the function of a request, checks the key, calls it."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from tools.local.admin import Admin
from tools.local.gate import Full, Gate
from tools.local.index import Function
from tools.local.invoke import InvocationFailed, Invoker
from tools.local.keys import Keys
from tools.local.webhook import Webhook

BODY_LIMIT = int(os.environ.get("FUNCTIONS_REQUEST_BODY_SIZE_LIMIT", 100 * 1024 * 1024))


class TooLarge(Exception):
    """The body of a request is over the limit."""


@dataclass(frozen=True)
class Front:
    """An ASGI application over one indexed function app; `trouble` is why it could not be loaded, if so."""

    functions: Sequence[Function]
    prefix: str
    keys: Keys
    invoker: Invoker
    webhook: Webhook
    admin: Admin
    trouble: str = ""
    gate: Gate = field(default_factory=Gate)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except TooLarge:
            response = PlainTextResponse(f"The body is over {BODY_LIMIT} bytes.", 413)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path = request.scope["raw_path"].decode("latin-1").partition("?")[0].strip("/")
        area = path.lower()
        if area in ("", "admin/host/ping"):
            return PlainTextResponse("The local Functions host is running.")
        if area.startswith("admin/"):
            return await self._behind("admin", request, area)
        if self.trouble:
            return PlainTextResponse("Function host is not running: see /admin/host/status.", 503)
        if area == "runtime/webhooks/eventgrid":
            return await self._behind("system", request, area)
        prefix = f"{self.prefix}/" if self.prefix else ""
        if not f"{area}/".startswith(prefix.lower()):
            return Response(status_code=404)
        return await self._call(request, path[len(prefix) :])

    async def _behind(self, level: str, request: Request, area: str) -> Response:
        if not self.keys.opens(level, offered(request)):
            return Response(status_code=401)
        body = await body_of(request)
        if level == "admin":
            return await self.admin.answer(request, area.removeprefix("admin/"), body)
        return await self.webhook.answer(request, body)

    async def _call(self, request: Request, path: str) -> Response:
        for function in self.functions:
            parameters = function.route.match(path) if function.route else None
            if parameters is None or request.method not in function.methods:
                continue
            if not self.keys.opens(function.level, offered(request), function.name):
                return Response(status_code=401)
            try:
                async with self.gate:
                    return await self._invoked(function, await decoded(request, parameters))
            except Full:
                return PlainTextResponse("Too many requests are being worked on (host.json, extensions.http).", 429)
        return Response(status_code=404)

    async def _invoked(self, function: Function, data: Datum) -> Response:
        try:
            return encoded(await self.invoker.run(function, data, {}))
        except InvocationFailed:
            return Response(status_code=500)


def in_order(functions: Sequence[Function]) -> Sequence[Function]:
    """The HTTP functions, those with the more exact route first."""
    routed = [one for one in functions if one.route]
    return sorted(routed, key=lambda one: one.route.rank if one.route else ())


def offered(request: Request) -> str:
    """The key that came with a request: the header first, then `?code=`."""
    return request.headers.get("x-functions-key") or request.query_params.get("code", "")


async def body_of(request: Request) -> bytes:
    """The body, empty unless the request tells its length: the real host drops chunked bodies too.

    Raises TooLarge.
    """
    length = request.headers.get("content-length", "0")
    wanted = int(length) if length.isdigit() else 0
    if wanted > BODY_LIMIT:
        raise TooLarge
    kept = bytearray()
    seen = 0
    async for chunk in request.stream():
        seen += len(chunk)
        if seen > BODY_LIMIT:
            raise TooLarge
        if wanted:
            kept += chunk
    return bytes(kept)


async def decoded(request: Request, parameters: Mapping[str, str]) -> Datum:
    """The request as the worker hands it to the HTTP converter."""
    pairs = sorted(request.headers.items(), key=lambda pair: pair[0])
    headers = {name: ",".join(value for _, value in group) for name, group in groupby(pairs, lambda pair: pair[0])}
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if value:
            query[name] = f"{query[name]},{value}" if name in query else value
    return Datum(
        {
            "method": _text(request.method),
            "url": _text(_url(request)),
            "headers": {name: _text(value) for name, value in headers.items()},
            "query": {name: _text(value) for name, value in query.items()},
            "params": {name: _text(value) for name, value in parameters.items()},
            "body": Datum(await body_of(request), "bytes"),
        },
        "http",
    )


def encoded(answer: Datum | None) -> Response:
    """The response that an HTTP function's return value stands for."""
    if answer is None:
        return Response(status_code=204)
    if answer.type == "string":
        return _of_text(answer.value)
    value = answer.value
    response = Response(value["body"].value, int(value["status_code"].value))
    for name, header in value["headers"].items():
        response.headers[name] = header.value
    for cookies in value["cookies"] or ():
        for cookie in cookies.values():
            response.headers.append("set-cookie", cookie.OutputString())
    return response


def _of_text(text: str) -> Response:
    """The response that a returned text stands for: the host takes JSON with a `body` for a response object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return PlainTextResponse(text)
    told = {name.lower(): value for name, value in content.items()} if isinstance(content, dict) else {}
    if "body" not in told:
        return PlainTextResponse(text)
    status, headers = told.get("status", told.get("statuscode", 200)), told.get("headers")
    plain = {str(name): str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
    body, code = told["body"], int(status) if str(status).isdigit() else 200
    if isinstance(body, dict | list):
        return JSONResponse(body, code, plain)
    return PlainTextResponse("" if body is None else str(body), code, plain)


def _url(request: Request) -> str:
    """The address as it was asked for: percent-encoding kept, which Starlette's own `url` loses."""
    query = request.scope["query_string"].decode("latin-1")
    path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    return f"{request.url.scheme}://{request.url.netloc}{path}{'?' + query if query else ''}"


def _text(value: str) -> Datum:
    return Datum(value, "string")
