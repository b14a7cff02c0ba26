"""A webhook that subscribes to Signalbox.PersonTold and puts each notice into STATE/outbox as a mail.

In Azure a Logic App or a mail service stands in its place.
"""

import json
import re
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from tools.local.files import write_whole

PERSON_TOLD = "Signalbox.PersonTold"
LARGEST = 1024 * 1024


class Mailbox:
    """The mailbox of a state folder, while it is entered; `url` is where events are to be sent."""

    def __init__(self, state: Path) -> None:
        outbox = state / "outbox"
        outbox.mkdir(parents=True, exist_ok=True, mode=0o700)

        class Handler(_Handler):
            folder = outbox

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def subscription(self) -> dict[str, Any]:
        """The entry of subscriptions.json that leads here."""
        return {"name": "people", "endpoint": self.url, "types": [PERSON_TOLD]}

    def __enter__(self) -> Self:
        """Begin to answer."""
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    folder: Path

    def do_POST(self) -> None:
        """Take a batch of events, or the handshake before the first one."""
        length = int(self.headers.get("content-length") or 0)
        if length > LARGEST:
            self._answer(413, {})
            return
        try:
            events = json.loads(self.rfile.read(length))
            if not isinstance(events, list):
                raise TypeError("a batch is a list")
            codes = [each["data"]["validationCode"] for each in events if "validationCode" in each["data"]]
            for each in events:
                if each.get("eventType") == PERSON_TOLD:
                    keep(self.folder, each["id"], each["data"])
        except (ValueError, TypeError, KeyError):
            self._answer(400, {})
            return
        self._answer(200, {"validationResponse": codes[0]} if codes else {})

    def _answer(self, status: int, body: dict[str, str]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: what is told to people is no matter of logs."""


def keep(folder: Path, name: str, told: dict[str, str]) -> None:
    """Write one notice as a mail; the event that comes twice is the same file."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "signalbox@localhost"
    # A line break in a header would let its author write further headers.
    message["To"], message["Subject"] = (" ".join(told[value].split()) for value in ("to", "subject"))
    message.set_content(told["text"])
    file = re.sub(r"[^A-Za-z0-9]", "_", name)[:100]
    write_whole(folder / f"{file}.eml", message.as_bytes())
