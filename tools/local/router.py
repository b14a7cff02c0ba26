"""The stable addresses: `/live/{project}/{environment}/...` leads to the slot that is live."""

import json
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from yarl import URL

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# These belong to one connection, not to the request (RFC 9110, 7.6.1).
_HOP = {
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer",
    "transfer-encoding", "upgrade", "host",
}  # fmt: skip
_PATIENCE = aiohttp.ClientTimeout(total=60, connect=5)


class Router:
    """Proxies to the address in STATE/routes/<project>/<environment>.json."""

    def __init__(self, routes: Path) -> None:
        self._routes = routes
        self._known: dict[Path, tuple[tuple[int, int, int], Mapping[str, Any]]] = {}
        self.session: aiohttp.ClientSession | None = None

    def route(self, project: str, environment: str) -> Mapping[str, Any] | None:
        """What is live: slot, url, generation, release; None if nothing is."""
        if not (_NAME.fullmatch(project) and _NAME.fullmatch(environment)):
            return None
        path = self._routes / project / f"{environment}.json"
        try:
            found = path.stat()
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
            if path not in self._known or self._known[path][0] != seen:
                self._known[path] = (seen, json.loads(path.read_bytes()))
        except (FileNotFoundError, ValueError):
            return None
        return self._known[path][1]

    async def show(self, request: Request) -> Response:
        """What is live, without asking it."""
        route = self.route(**request.path_params)
        return _nothing(request) if route is None else JSONResponse(dict(route), headers=_marks(route))

    async def proxy(self, request: Request) -> Response:
        """The answer of the live slot; 503 if nothing is live, 502 and 504 if it does not answer."""
        project, environment = request.path_params["project"], request.path_params["environment"]
        route = self.route(project, environment)
        if route is None:
            return _nothing(request)
        try:
            return await self._forward(request, route)
        except TimeoutError:
            return _silent(
                504, f"The slot {route.get('slot')} of {project} {environment} did not answer in time.", route
            )
        except aiohttp.ClientError as error:
            what = (
                f"The slot {route.get('slot')} of {project} {environment} cannot be reached ({type(error).__name__})."
            )
            return _silent(502, what, route)
        except ClientDisconnect:
            return Response(status_code=400)

    async def _forward(self, request: Request, route: Mapping[str, Any]) -> Response:
        if self.session is None:
            raise RuntimeError("the router answers only while the grid is running")
        rest = request.scope["raw_path"].decode("latin-1").partition("?")[0].split("/", 4)[4]
        query = request.scope["query_string"].decode("latin-1")
        url = URL(f"{str(route['url']).rstrip('/')}/{rest}{'?' + query if query else ''}", encoded=True)
        headers = [(name, value) for name, value in request.headers.items() if name not in _HOP]
        body = request.stream() if _has_body(request) else None
        answer = await self.session.request(
            request.method,
            url,
            headers=headers,
            data=body,
            allow_redirects=False,
            skip_auto_headers=("Accept-Encoding", "User-Agent", "Content-Type"),
            timeout=_PATIENCE,
        )
        response = StreamingResponse(_pieces(answer), answer.status)
        for name, value in answer.headers.items():
            if name.lower() not in _HOP | {"date"}:
                response.headers.append(name, value)
        response.headers.update(_marks(route))
        return response


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _pieces(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    async with answer:
        async for piece in answer.content.iter_any():
            yield piece


def _marks(route: Mapping[str, Any]) -> dict[str, str]:
    return {
        "X-Signalbox-Release": str(route.get("release", "")),
        "X-Signalbox-Generation": str(route.get("generation", "")),
    }


def _nothing(request: Request) -> Response:
    project, environment = request.path_params["project"], request.path_params["environment"]
    told = {
        "error": f"Nothing is live at {environment} of {project} yet.",
        "next": f"Push a commit of {project} and approve its release; `signalbox status` shows where it is.",
    }
    return JSONResponse(told, 503)


def _silent(status: int, what: str, route: Mapping[str, Any]) -> Response:
    told = {"error": what, "next": "The patrol starts the service again; try in a moment."}
    return JSONResponse(told, status, headers=_marks(route))
