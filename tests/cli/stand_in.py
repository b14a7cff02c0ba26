"""A stack as the command sees it: a state folder, and a server that answers what it is told to."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RELEASE = "0123456789abcdef0123"
STEPS = ("check", "train", "evaluate", "certify", "register", "package", "stage", "try", "ask", "promote")


@dataclass
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    key: str
    bearer: str
    body: bytes
    headers: dict[str, str]


@dataclass
class StandIn:
    """`answers` maps "METHOD /path" to (status, body); what is not there is answered with 404.

    `then` maps it to the answers that hold once it was asked.
    """

    state: Path
    url: str
    answers: dict[str, tuple[int, Any]] = field(default_factory=lambda: {"GET /api/health": (200, {"untold": {}})})
    then: dict[str, dict[str, tuple[int, Any]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, method: str, path: str, body: Any, status: int = 200) -> None:
        """Let a path below /api answer."""
        self.answers[f"{method} /api/{path}"] = (status, body)

    def mail(self, name: str, to: str, token: str, release: str = RELEASE) -> None:
        """Put a mail into the outbox as the local backend does."""
        mail = EmailMessage()
        mail["To"], mail["Subject"] = to, "A decision is asked of you"
        mail.set_content(f"Read and decide:\n\n{self.url}/api/approvals/{release}?token={token}\n")
        (self.state / "outbox").mkdir(exist_ok=True)
        (self.state / "outbox" / f"{name}.eml").write_bytes(bytes(mail))


def view(**changed: Any) -> dict[str, Any]:
    """Return a release that waits for its approvers, as the app shows it."""
    steps = [
        {"step": step, "state": "passed", "word": "passed", "seconds": 1.25, "sentence": f"{step} went well"}
        for step in STEPS
    ]
    steps[8] |= {"state": "running", "word": "waiting", "seconds": None, "sentence": "ana must decide"}
    steps[9] |= {"state": "waiting", "word": "", "seconds": None, "sentence": ""}
    digests = {
        "commit": "3f2c9d1" + "0" * 33,
        "data": "7c21",
        "model": "sha256:aa",
        "image": "",
        "evidence": "sha256:ee",
    }
    told = {"release": RELEASE, "alias": "quiet-heron", "project": "diabetes", "number": 1, "commit": digests["commit"]}
    told |= {
        "message": "Ridge, alpha 0.1\n\nbody",
        "state": "open",
        "standing": "ask",
        "waits_for": "a decision of ana",
    }
    told |= {"reason": "", "advice": "", "version": 1, "steps": steps, "digests": digests, "address": ""}
    return {**told, **changed}


@contextmanager
def standing_in(state: Path) -> Iterator[StandIn]:
    """Serve on a free port while the block runs; the state folder tells where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def reply(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            bearer = self.headers.get("Authorization", "")
            path = self.path.partition("?")[0]
            key, headers = self.headers.get("x-functions-key", ""), dict(self.headers)
            server.asked.append(Asked(self.command, self.path, key, bearer, body, headers))
            status, told = server.answers.get(f"{self.command} {path}", (404, {"error": f"nothing at {path}"}))
            server.answers |= server.then.get(f"{self.command} {path}", {})
            content = told if isinstance(told, bytes) else json.dumps(told).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = reply

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing: pytest shows what matters."""

    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{listening.server_port}"
    server = StandIn(state, url)
    state.mkdir(mode=0o700, exist_ok=True)
    (state / "run.json").write_text(json.dumps({"host_url": url, "grid_url": url, "pids": {}}))
    (state / "keys.json").write_text(json.dumps({"function": "F", "master": "M", "topic": "T"}))
    (state / "keys.json").chmod(0o600)
    thread = threading.Thread(target=listening.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()
