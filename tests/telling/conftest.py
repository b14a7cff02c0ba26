"""A git host, or a channel, on this machine: it keeps what it was sent and answers as it is told."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Sink:
    """`answers` are given one after the other, the last of them for ever; `got` is what came."""

    url: str
    answers: list[tuple[int, str]] = field(default_factory=lambda: [(201, "{}")])
    headers: dict[str, str] = field(default_factory=dict)
    got: list[dict[str, Any]] = field(default_factory=list)

    def take(self, method: str, path: str, headers: dict[str, str], body: bytes) -> tuple[int, str]:
        """Keep a request and return what answers it."""
        read = json.loads(body) if body else None
        kept = {name.lower(): value for name, value in headers.items() if name.lower() == "authorization"}
        self.got.append({"method": method, "path": path, **kept, "body": read})
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.fixture
def sink() -> Iterator[Sink]:
    """One that listens on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, text = made.take(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in {**made.headers, "Content-Length": str(len(text.encode()))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text.encode())

        do_GET = do_POST

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Sink(f"http://127.0.0.1:{server.server_port}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


@dataclass
class Dripping:
    """It answers a byte at a time, and is done once it is let go; then every answer was a good one."""

    url: str
    asked: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def serve(self, listening: socket.socket) -> None:
        """Take one call after the other, each in a thread."""
        with suppress(OSError):
            while True:
                threading.Thread(target=self._answer, args=(listening.accept()[0],), daemon=True).start()

    def _answer(self, caller: socket.socket) -> None:
        with suppress(OSError), caller:
            caller.recv(65536)
            self.asked.set()
            caller.sendall(b"HTTP/1.1 201 Created\r\nX-Drips: ")
            for _ in range(200):
                if self.let_go.wait(0.05):
                    break
                caller.sendall(b".")
            caller.sendall(b"\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture
def dripping() -> Iterator[Dripping]:
    """One that listens on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made = Dripping(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=made.serve, args=(listening,), daemon=True).start()
        yield made
        made.let_go.set()
