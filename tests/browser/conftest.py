"""A real browser before the functions of the app, over one world, on a port of this machine."""

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import azure.functions as func
import msgspec
import pytest
import uvicorn
from msgspec.structs import replace
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from functions import approve, pages
from shared import wiring
from shared.control import Order
from shared.release import tokens
from tests.world import KEY, World
from tools.local.admin import Admin
from tools.local.front import Front, in_order
from tools.local.index import index
from tools.local.invoke import Invoker
from tools.local.keys import make_keys
from tools.local.serving import listening
from tools.local.webhook import Webhook

HOUSE = Path(__file__).parents[2]
SHOTS = HOUSE / ".reports" / "pages"
NAMES = ("chromium", "chromium-browser", "google-chrome")
NONE_HERE = "no Chromium was found on this machine"
_T = TypeVar("_T")


class Served:
    """An application on a free port of this machine, in a thread of its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._socket = listening(0, None)
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(app, loop="asyncio", lifespan="off", log_config=None, access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class Elsewhere:
    """Another site, with whatever page a test puts there."""

    page: str = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await HTMLResponse(self.page)(scope, receive, send)


@dataclass
class House:
    """The app over one world, and what a test does to it beside the browser."""

    world: World
    url: str
    elsewhere: Elsewhere
    elsewhere_port: int
    # The browser's own loop runs in the thread of the test, so the world's runs in another.
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def do(self, work: Callable[[World], _T]) -> _T:
        """Let something happen in the world."""
        return self._beside.submit(work, self.world).result()

    def push(self, letter: str) -> str:
        """Push, and let the release come to its question."""
        release = self.do(lambda world: world.push(letter))
        self.do(World.run)
        return release

    def link(self, release: str, who: str = "ana@example.org") -> str:
        """Return the link of the mail that asked a person."""
        mails = self.do(lambda world: [text for (_, to), text in world.outbox.items() if to == who])
        mail = next(text for text in reversed(mails) if release in text)
        address = urlsplit(next(line for line in mail.splitlines() if line.startswith("https://")))
        return f"{self.url}{address.path}?{address.query}"

    def pass_of(self, who: str = "ana@example.org") -> str:
        """Return the link to the first page that makes a browser known as a person."""
        return f"{self.url}/api/pages?token={tokens.sign_pass(KEY, tokens.Pass(who, 2**40))}"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Give the browser of this machine."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(NONE_HERE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found)
        yield browser
        browser.close()


@pytest.fixture
def house(tmp_path: Path, chromium: Browser) -> Iterator[House]:
    """Give the app over a new world."""
    world = World()
    elsewhere = Elsewhere()
    other = Served(elsewhere)
    app = func.FunctionApp()
    for each in (approve, pages):
        app.register_functions(each.bp)
    served = Served(_front(app, world, tmp_path))
    url = f"http://127.0.0.1:{served.port}"
    settings = replace(world.settings(b"the push secret of houses"), public_url=url)
    world.control = replace(world.control, outside=replace(world.control.outside, public_url=url))
    world.now = wiring.now()
    wiring.use(wiring.Wired(world.control, settings, 0))
    yield House(world, url, elsewhere, other.port)
    wiring.forget()
    served.end()
    other.end()


def _front(app: func.FunctionApp, world: World, state: Path) -> Front:
    async def enqueue(messages: Sequence[tuple[str, str]]) -> None:
        world.orders += [msgspec.json.decode(text, type=Order) for _, text in messages]

    functions = index(app.get_functions())
    invoker = Invoker(enqueue, None, str)
    front = (make_keys(state), invoker, Webhook({}, invoker), Admin({}, invoker, ""))
    return Front(in_order(functions), "api", *front)


@pytest.fixture
def context(chromium: Browser, request: pytest.FixtureRequest) -> Iterator[BrowserContext]:
    """Give a browser that nobody used before; a wide one, or as wide as a test says."""
    width, height = getattr(request, "param", (1100, 900))
    opened = chromium.new_context(viewport={"width": width, "height": height})
    opened.set_default_timeout(10_000)
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """Give one page of it, on which nothing may go wrong unseen."""
    opened = context.new_page()
    opened.on("dialog", lambda dialog: pytest.fail(f"a script ran: {dialog.message}"))
    return opened


def shot(page: Page, name: str) -> None:
    """Keep what a person sees."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    width = (page.viewport_size or {"width": 0})["width"]
    page.screenshot(path=SHOTS / f"{name}-{width}.png", full_page=True)
