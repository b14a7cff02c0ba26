"""A way to a storage account on which every operation is counted, and any may fail: what comes in goes out as it is.

A signature covers path and headers but not where they were sent, so an account answers through it as it does without.
"""

import http.client
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

Fault = Literal["429", "503", "lost", "unsent", "silence", "slow"]
"""Refused with a status; done and its answer lost; cut before it is done; heard and never answered; answered late."""

SLOW = 7.0
"""Seconds; less than the app waits for one answer."""

ASKED = {"appendblock": "append", "list": "list", "metadata": "set metadata", "lease": "lease"}
HOP = {"connection", "keep-alive", "transfer-encoding", "host"}
PATIENCE = 30.0


class Operation(Struct, frozen=True, order=True):
    """One request to the storage; `kind` is what it asks for, `status` is 0 when it got no answer."""

    container: str
    blob: str
    kind: str
    method: str
    status: int

    @staticmethod
    def told(method: str, path: str, blob_type: str, status: int) -> "Operation":
        """Return the operation that a request asks for; the account's name is the first part of the path."""
        split = urlsplit(path)
        _, _, container, *blob = f"{split.path}//".split("/", 3)
        asked = parse_qs(split.query)
        about = "container" if asked.get("restype") == ["container"] else "blob"
        kind = ASKED.get(asked.get("comp", [""])[0]) or {
            "GET": "read",
            "HEAD": "look at",
            "DELETE": "remove",
            "PUT": f"make {blob_type or about}",
        }.get(method, method)
        return Operation(container, blob[0].rstrip("/"), kind, method, status)


class Wire:
    """Listens on a free port of loopback and passes on to `port` there.

    `faults` say what befalls which operation, numbered from the last `forget` on; `always` befalls every one.
    """

    def __init__(self, port: int) -> None:
        self.target = port
        self.operations: list[Operation] = []
        self.faults: dict[int, Fault] = {}
        self.always: Fault | None = None
        self.begun = 0
        """How many were heard since the last `forget`, also those that have no answer yet."""
        self.over = threading.Event()
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _passing(self))
        self._server.daemon_threads = True
        # What still waits in silence must keep nobody from ending.
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def connection(self, connection: str) -> str:
        """Return a connection string as one that leads over this wire."""
        return connection.replace(f":{self.target}/", f":{self._server.server_address[1]}/")

    def forget(self) -> None:
        """Count from zero again, with no fault left."""
        with self._lock:
            self.operations, self.faults, self.always, self.begun = [], {}, None, 0

    @contextmanager
    def counted(self) -> Iterator[list[Operation]]:
        """Count what passes meanwhile: the list is whole when the block has ended."""
        self.forget()
        passed: list[Operation] = []
        yield passed
        passed += self.operations

    def let_go(self) -> None:
        """Cut whatever waits for an answer now."""
        over, self.over = self.over, threading.Event()
        over.set()

    def befalls(self) -> Fault | None:
        """Return what befalls the operation that comes now."""
        with self._lock:
            number, self.begun = self.begun, self.begun + 1
            return self.always or self.faults.get(number)

    def passed(self, operation: Operation) -> None:
        """Remember an operation."""
        with self._lock:
            self.operations.append(operation)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End, and let go of whoever waits for an answer."""
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


def _refused(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    content = (
        f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'.encode()
    )
    headers = {"Content-Type": "application/xml", "Content-Length": str(len(content)), "x-ms-error-code": code}
    return status, headers, content


def _passing(wire: Wire) -> type[BaseHTTPRequestHandler]:
    class Passing(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def setup(self) -> None:
            super().setup()
            self.onward = http.client.HTTPConnection("127.0.0.1", wire.target, timeout=PATIENCE)

        def finish(self) -> None:
            self.onward.close()
            super().finish()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Say nothing: what passes is counted."""

        def take(self) -> None:
            """Let one request happen, or what befalls it."""
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            fault, status = wire.befalls(), 0
            if fault in ("429", "503"):
                status, headers, content = _refused(int(fault), "ServerBusy")
                self.answer(status, headers, content)
            elif fault in (None, "lost", "slow"):
                if fault == "slow":
                    wire.over.wait(SLOW)
                status, headers, content = self.pass_on(body)
                if fault != "lost":
                    self.answer(status, headers, content)
            elif fault == "silence":
                wire.over.wait()
            blob_type = self.headers.get("x-ms-blob-type", "")
            wire.passed(Operation.told(self.command, self.path, blob_type, status))
            if fault in ("lost", "unsent", "silence"):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        def pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP}
            self.onward.request(self.command, self.path, body, headers)
            answer = self.onward.getresponse()
            content = answer.read()
            said = {name: value for name, value in answer.getheaders() if name.lower() not in HOP}
            if answer.status == http.client.PARTIAL_CONTENT and not content:
                # What Azurite says of a range that begins at the very end; the service says that there is none.
                return _refused(http.client.REQUESTED_RANGE_NOT_SATISFIABLE, "InvalidRange")
            if self.command != "HEAD":
                said = {name: value for name, value in said.items() if name.lower() != "content-length"}
                said["Content-Length"] = str(len(content))
            return answer.status, said, content

        def answer(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response_only(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_HEAD = do_PUT = do_DELETE = take

    return Passing
