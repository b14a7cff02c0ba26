"""What the tests here share: a topic that keeps what it was sent, and waiting for a condition of a real process."""

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.request import urlopen

Found = TypeVar("Found")


class Topic:
    """An Event Grid topic on loopback: keeps the events, answers as it is told."""

    def __init__(self, *answers: int) -> None:
        self.events: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.attempts = 0
        outer, pending = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status = pending.pop(0) if pending else 200
                outer.attempts += 1
                outer.keys.add(self.headers["aeg-sas-key"])
                if status == 200:
                    outer.events.extend(body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}/topics/signalbox/api/events"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["eventType"].endswith(f".{kind}")]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Router:
    """The stable addresses of this machine: says of the route who is live while that answers, as the real one does."""

    def __init__(self, state: Path) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                _, _, project, environment, *_ = self.path.split("/")
                path = state / "routes" / project / f"{environment}.json"
                route = json.loads(path.read_text()) if path.exists() else None
                try:
                    status = urlopen(route["url"] + "/", timeout=5).status if route else 503
                except OSError:
                    status = 502
                self.send_response(status)
                if route and status == 200:
                    self.send_header("X-Signalbox-Release", route["release"])
                    self.send_header("X-Signalbox-Generation", str(route["generation"]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/live"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def until(look: Callable[[], Found], seconds: float = 60.0) -> Found:
    """Look until the answer is true; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, f"still {found!r} after {seconds:.0f} s"
        time.sleep(0.02)
