"""Real processes of the local host and grid, and a stand-in subscriber that answers as told."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local.keys import Keys, make_keys
from tools.local.stack import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
SAMPLE = Path(__file__).parent / "sample_app"


class Running:
    """A process of ours that serves one address over one state folder."""

    def __init__(self, process: subprocess.Popen[str], url: str, state: Path, notes: Path) -> None:
        self.process = process
        self.url = url
        self.state = state
        self._notes = notes

    @property
    def keys(self) -> Keys:
        return make_keys(self.state)

    def notes(self, **like: Any) -> list[dict[str, Any]]:
        """What the sample app has written so far, the notes that have all of `like`."""
        lines = self._notes.read_text().splitlines() if self._notes.exists() else []
        notes = [json.loads(line) for line in lines]
        return [note for note in notes if like.items() <= note.items()]

    def status(self) -> dict[str, Any]:
        answer = httpx.get(f"{self.url}/admin/host/status", headers={"x-functions-key": self.keys.master})
        return dict(answer.json())

    def deliveries(self, **like: Any) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/topics/signalbox/deliveries", headers={"aeg-sas-key": self.keys.topic})
        return [row for row in answer.json() if like.items() <= row.items()]

    def said(self) -> str:
        """Everything it wrote to stderr; stops it."""
        self.process.terminate()
        return self.process.communicate(timeout=20)[1]


def launch(module: str, state: Path, *arguments: str, **settings: str) -> Running:
    state.mkdir(parents=True, exist_ok=True)
    notes = state / "notes.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-m", module, "--state", str(state), *arguments],
        cwd=REPOSITORY,
        env={**os.environ, "NOTES": str(notes), **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=10)[1]
    return Running(process, line.split()[1], state, notes)


@pytest.fixture(scope="module")
def start() -> Iterator[Callable[..., Running]]:
    """Start `tools.local.host` or `tools.local.grid`; all are ended after the module."""
    started: list[Running] = []

    def started_one(module: str, state: Path, *arguments: str, **settings: str) -> Running:
        started.append(launch(module, state, *arguments, **settings))
        return started[-1]

    yield started_one
    for one in started:
        one.process.kill()
        one.process.communicate(timeout=20)


class Subscriber:
    """Stands where the host stands: keeps every request and answers the next of `answers`, the last one for ever."""

    def __init__(self, port: int = 0) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers = [202]
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                outer.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                self.send_response(status)
                told = json.dumps({"method": self.command, "path": self.path, "body": body.decode()}).encode()
                self.send_header("Content-Length", str(len(told)))
                self.send_header("X-Upstream", "yes")
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(told)

            do_GET = do_POST = do_PUT = handle_any

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def events(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)


@pytest.fixture
def subscriber() -> Iterator[Subscriber]:
    """A fresh subscriber that answers 202."""
    one = Subscriber()
    yield one
    one.close()


@pytest.fixture
def subscriber_at() -> Iterator[Callable[[int], Subscriber]]:
    """Start a subscriber at a given port."""
    started: list[Subscriber] = []

    def start_one(port: int) -> Subscriber:
        started.append(Subscriber(port))
        return started[-1]

    yield start_one
    for one in started:
        one.close()


@pytest.fixture(scope="session")
def sample() -> Path:
    """The folder of the sample app."""
    return SAMPLE


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for a condition of a real process, with a deadline."""
    return wait_for
