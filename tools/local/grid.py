"""The local stand-in for Event Grid, blobs and live addresses: `python -m tools.local.grid --state DIR --port N`."""

import asyncio
import logging
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tools.local.blobs import Blob, Blobs, Place
from tools.local.delivery import Courier, Target
from tools.local.files import Taken, held
from tools.local.folder import Folder
from tools.local.handshake import Handshakes
from tools.local.keys import Keys, make_keys
from tools.local.publisher import Publisher
from tools.local.router import Router
from tools.local.serving import end_with, listening, log_to_stderr, options, serve
from tools.local.subscriptions import Subscription, Subscriptions
from tools.local.topic import Topic
from tools.local.topic_store import TopicStore
from tools.local.watcher import Announced, Watcher

log = logging.getLogger("grid")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


@dataclass(frozen=True)
class Terms:
    """How events are delivered: where the host is, by which multiple waits are longer, what is left out or doubled."""

    host_url: str
    scale: float = 1.0
    without: Sequence[str] = ()
    copies: int = 1


class Grid:
    """The topic, the blob endpoint, the data watcher and the router over one state folder."""

    def __init__(self, state: Path, keys: Keys, url: str, terms: Terms) -> None:
        store, known = TopicStore(state / "grid.db"), Subscriptions(state / "subscriptions.json", terms.without)
        self._topic = Topic(store, known, keys.topic, self._is_open, terms.copies)
        self._handshakes = Handshakes(known, store, self._topic, url, terms.scale)
        self._router = Router(state / "routes")
        place = place_of(state)
        self._blobs = Blobs(state, place, keys, self._stored)
        target = Target(terms.host_url, keys.system)
        self._courier = Courier(self._topic, store, known, self._handshakes, target, self._blobs, terms.scale)
        publish = Publisher(f"{url}/topics/signalbox/api/events", keys.topic)
        self._watcher = Watcher(place.blobs, Announced(state / "grid.db"), publish, url)
        self.app = Starlette(
            routes=[
                Route("/", _alive),
                Route("/topics/{name}/api/events", self._topic.publish, methods=["POST"]),
                Route("/topics/{name}/deliveries", self._topic.deliveries),
                Route("/validate", self._handshakes.confirm),
                Route("/data/{container}/{path:path}", self._blobs.answer, methods=["PUT", "GET", "HEAD"]),
                Route("/live/{project}/{environment}", self._router.show),
                Route("/live/{project}/{environment}/{path:path}", self._router.proxy, methods=_METHODS),
            ]
        )

    def _is_open(self, one: Subscription) -> bool:
        return self._handshakes.is_open(one)

    def _stored(self, blob: Blob) -> None:
        self._watcher.stored(blob)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliveries and the data watcher run inside."""
        # Idle connections are dropped before the host drops them: a POST on one that just closed is a failed attempt.
        to_host = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(keepalive_timeout=2), cookie_jar=aiohttp.DummyCookieJar()
        )
        to_slots = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        async with to_host, to_slots:
            self._router.session = to_slots
            tasks = [
                asyncio.ensure_future(self._courier.keep_going(to_host)),
                asyncio.ensure_future(self._handshakes.keep_going(to_host)),
                asyncio.ensure_future(self._watcher.keep_going()),
            ]
            for task in tasks:
                task.add_done_callback(_must_not_end)
            yield
            for task in tasks:
                task.cancel()


def place_of(state: Path, environment: Mapping[str, str] = os.environ) -> Place:
    """Where data are: in files, or in the storage account that the app uses too."""
    if environment.get("STORAGE", "local") != "blobs":
        return Folder(state / "data")
    # Imported when it is chosen: half a second that a start on files need not wait for.
    from tools.local.containers import Containers

    return Containers(environment.get("STORAGE_CONNECTION") or environment.get("AzureWebJobsStorage", ""))


async def _alive(_: Request) -> Response:
    return PlainTextResponse("The local topic, blobs and live addresses are here.")


def _must_not_end(task: asyncio.Future[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    log.critical("a part of the grid ended: %r; the grid ends and is started again", error)
    logging.shutdown()
    os._exit(70)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = options("A local stand-in for Event Grid, blobs and the stable addresses.")
    parser.add_argument("--host", default="http://127.0.0.1:7071", help="the address of the host")
    parser.add_argument("--time-scale", type=float, default=1.0, help="multiplies the topic's waits and times to live")
    parser.add_argument("--duplicates", type=int, default=0, help="deliver each event this many times more")
    parser.add_argument("--without", action="append", default=[], help="deliver nothing to this function")
    given = parser.parse_args(arguments)
    end_with(given.parent)
    log_to_stderr(os.environ.get("LOG_LEVEL", "INFO"))
    state = given.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with held(state / "grid.lock"):
            where = listening(given.port, given.fd)
            url = f"http://127.0.0.1:{where.getsockname()[1]}"
            terms = Terms(given.host.rstrip("/"), given.time_scale, given.without, 1 + given.duplicates)
            grid = Grid(state, make_keys(state), url, terms)
            print(f"grid: {url}", flush=True)
            serve(grid.app, grid.running(), where)
    except Taken:
        sys.exit(f"Another grid works on {state}. Stop it first; two would do everything twice.")


if __name__ == "__main__":
    main()
