"""The Event Grid webhook of the host: /runtime/webhooks/EventGrid?functionName=F."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from azure.functions.meta import Datum
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tools.local.index import Function
from tools.local.invoke import InvocationFailed, Invoker


class Webhook:
    """Answers Event Grid for the functions with an Event Grid trigger."""

    def __init__(self, functions: Mapping[str, Function], invoker: Invoker) -> None:
        self._functions = {name.lower(): one for name, one in functions.items() if one.kind == "eventGridTrigger"}
        self._invoker = invoker

    async def answer(self, request: Request, body: bytes) -> Response:
        """202 when every event of the request was handled, 500 if one failed; 404, 400 for what is not ours."""
        name = request.query_params.get("functionName", "")
        function = self._functions.get(name.lower())
        if function is None:
            return PlainTextResponse(f"cannot find function: '{name}'", 404)
        if request.method == "OPTIONS" and "webhook-request-origin" in request.headers:
            return _allowed(request)
        kind = request.headers.get("aeg-event-type", "").lower()
        if kind == "unsubscribe":
            return Response(status_code=202)
        events = _events(body)
        if kind == "subscriptionvalidation" and events:
            return _handshake(events[0])
        if kind == "notification" and events is not None:
            return await self._deliver(function, events)
        return Response(status_code=400)

    async def _deliver(self, function: Function, events: Sequence[Mapping[str, Any]]) -> Response:
        runs = (self._invoker.run(function, Datum(json.dumps(event), "json"), {}) for event in events)
        ended = await asyncio.gather(*runs, return_exceptions=True)
        failed = [one for one in ended if isinstance(one, BaseException)]
        for one in failed:
            if not isinstance(one, InvocationFailed):
                raise one
        if failed:
            return PlainTextResponse(str(failed[0]), 500)
        return Response(status_code=202)


def _events(body: bytes) -> Sequence[Mapping[str, Any]] | None:
    """The events of a request: an array, or one object as CloudEvents come; None if it is neither."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        return None
    events = content if isinstance(content, list) else [content]
    return events if all(isinstance(one, dict) for one in events) else None


def _allowed(request: Request) -> Response:
    """The handshake of CloudEvents: whoever has the system key may send, as often as it likes."""
    headers = {"WebHook-Allowed-Origin": request.headers["webhook-request-origin"], "Allow": "POST"}
    if "webhook-request-rate" in request.headers:
        headers["WebHook-Allowed-Rate"] = "*"
    return Response(headers=headers)


def _handshake(event: Mapping[str, Any]) -> Response:
    data = event.get("data")
    code = data.get("validationCode") if isinstance(data, dict) else None
    if not isinstance(code, str):
        return Response(status_code=400)
    return JSONResponse({"validationResponse": code})
