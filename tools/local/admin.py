"""The admin endpoints of the host: what it runs, and starting a function by hand."""

import asyncio
import json
import time
from collections.abc import Mapping
from typing import Any

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tools.local.host_json import is_disabled
from tools.local.index import Function
from tools.local.invoke import InvocationFailed, Invoker
from tools.local.queues import by_hand
from tools.local.timers import request as timer_request


class Admin:
    """Answers /admin/*; the caller has shown the master key."""

    def __init__(self, functions: Mapping[str, Function], invoker: Invoker, trouble: str) -> None:
        self._functions = {name.lower(): one for name, one in functions.items()}
        self._invoker = invoker
        self._trouble = trouble
        self._began = time.monotonic()
        self._runs = set[asyncio.Task[None]]()

    async def answer(self, request: Request, path: str, body: bytes) -> Response:
        """`path` is what follows /admin/, in lower case."""
        if path == "host/status" and request.method == "GET":
            return JSONResponse(self._status())
        if path == "functions" and request.method == "GET":
            return JSONResponse([_shown(one) for one in self._functions.values()])
        folder, _, name = path.partition("/")
        function = self._functions.get(name)
        if folder != "functions" or function is None:
            return Response(status_code=404)
        if request.method == "GET":
            return JSONResponse(_shown(function))
        return self._start(function, body) if request.method == "POST" else Response(status_code=404)

    def _status(self) -> Mapping[str, Any]:
        return {
            "id": "signalbox-local",
            "state": "Error" if self._trouble else "Running",
            "version": "4.0 (local stand-in)",
            "processUptime": int((time.monotonic() - self._began) * 1000),
            "errors": [self._trouble] if self._trouble else [],
        }

    def _start(self, function: Function, body: bytes) -> Response:
        try:
            content = json.loads(body or b"{}")
        except ValueError:
            return PlainTextResponse('The body must be JSON: {"input": "..."}', 400)
        given = content.get("input") if isinstance(content, dict) else None
        if function.kind == "httpTrigger":
            return PlainTextResponse(f"{function.name} is an HTTP function; call its route instead.", 400)
        task = asyncio.ensure_future(self._run(function, *_input(function, given)))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)
        return Response(status_code=202)

    async def _run(self, function: Function, data: Datum, metadata: Mapping[str, Datum]) -> None:
        try:
            await self._invoker.run(function, data, metadata)
        except InvocationFailed:
            return  # already logged where it happened


def _input(function: Function, given: Any) -> tuple[Datum, Mapping[str, Datum]]:
    if function.kind == "timerTrigger":
        return timer_request(False, {}), {}
    if function.kind == "queueTrigger":
        return by_hand("" if given is None else given)
    return Datum(given if isinstance(given, str) else json.dumps(given or {}), "json"), {}


def _shown(function: Function) -> Mapping[str, Any]:
    return {
        "name": function.name,
        "isDisabled": is_disabled(function.name),
        "config": {"bindings": [dict(function.trigger), *({"queueName": q} for q in function.outputs.values())]},
    }
