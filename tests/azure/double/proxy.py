"""The proxy that clients take for the way to Azure: it ends their TLS and answers itself."""

import contextlib
import json
import re
import socket
import ssl
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.azure.double import wire
from tests.azure.double.azure import Azure
from tests.azure.double.certificates import Authority
from tests.azure.double.faults import CUT, HANG, LOST, instead
from tests.azure.double.wire import Answer, Request

CONTROL = "control"
IDENTITY = "identity"
"""Hosts of routes that are served on plain http by the control plane; the identity endpoint is recorded like Azure."""


class Server(ThreadingHTTPServer):
    """A listener on loopback that knows the double."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, azure: Azure, authority: Authority | None) -> None:
        self.azure, self.authority = azure, authority
        super().__init__(("127.0.0.1", port), Plain if authority is None else Tunnel)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away; anything else is printed as usual."""
        import sys

        if not isinstance(sys.exc_info()[1], ConnectionError | ssl.SSLError | TimeoutError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class Spoken(BaseHTTPRequestHandler):
    """HTTP/1.1 as all of them speak it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: the recording has it."""

    def _request(self, host: str) -> Request:
        address = urlsplit(self.path)
        return Request(
            method=self.command,
            host=host,
            path=re.sub("/{2,}", "/", unquote(address.path)) or "/",
            query=dict(parse_qsl(address.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self._body(),
        )

    def _body(self) -> bytes:
        if self.headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" not in self.headers.get("transfer-encoding", ""):
            return self.rfile.read(int(self.headers.get("content-length", 0)))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _send(self, answer: Answer, share: float = 1) -> None:
        content = answer.content()
        headers = {"content-type": "application/json"} if not isinstance(answer.body, bytes) and content else {}
        headers |= {name.lower(): value for name, value in answer.headers.items()}
        headers.setdefault("content-length", str(len(content)))
        reason = HTTPStatus(answer.status).phrase if answer.status in set(HTTPStatus) else "Unknown"
        lines = [f"HTTP/1.1 {answer.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        head = "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n"
        # In one piece: a head alone waits for the acknowledgement of its receiver before the body may follow.
        self.wfile.write(head if self.command == "HEAD" else head + content[: int(share * len(content))])

    def _drop(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def _serve(self, host: str) -> None:
        azure = self.server.azure
        request = self._request(host)
        fault = azure.faults.of(request)
        found = wire.find(request)
        if fault and fault.get("kind") == HANG:
            azure.record(request, found[0] if found else None, Answer(0))
            azure.faults.released.wait()
            return self._drop()
        answer = self._answered(request, found, fault)
        azure.record(request, found[0] if found else None, answer)
        if fault and fault.get("kind") == LOST:
            return self._drop()
        if fault and fault.get("kind") == CUT:
            self._send(answer, share=0.5)
            return self._drop()
        self._send(answer)

    def _answered(
        self, request: Request, found: tuple[wire.Route, dict[str, str]] | None, fault: dict[str, object] | None
    ) -> Answer:
        azure = self.server.azure
        if found is None:
            azure.unrouted.append(f"{request.method} {request.host}{request.path}")
            return wire.error(501, "NotRouted", f"the double has no route for {request.method} {request.path}")
        if fault and (answer := instead(fault, azure.settings.client, azure.settings.ws)):
            return answer
        request.fault = fault
        return wire.answer(azure, request, *found)


class Inside(Spoken):
    """What is asked inside a tunnel."""

    def handle_one_request(self) -> None:
        """Read and answer one request of any method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        self._serve((self.headers.get("host") or "").partition(":")[0].lower())


class Tunnel(Spoken):
    """The proxy: CONNECT opens a tunnel to this double, whatever host is named."""

    def do_CONNECT(self) -> None:
        """Be the host that is asked for."""
        assert self.server.authority is not None
        host = self.path.partition(":")[0].lower()
        self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        with contextlib.suppress(ssl.SSLError, OSError):
            inside = self.server.authority.context(host).wrap_socket(self.connection, server_side=True)
            with inside:
                Inside(inside, self.client_address, self.server)
        self.close_connection = True

    def do_GET(self) -> None:
        """Refuse plain http: nothing of Azure is reached that way."""
        self.server.azure.unrouted.append(f"{self.command} {self.path}")
        self._send(wire.error(501, "NotRouted", f"plain http to {self.path}"))

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET


class Plain(Spoken):
    """The control plane and the identity endpoint, on plain http."""

    def handle_one_request(self) -> None:
        """Read and answer one request of any method."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline or not self.parse_request():
            self.close_connection = True
            return
        if urlsplit(self.path).path.startswith("/msi"):
            return self._serve(IDENTITY)
        request = self._request(CONTROL)
        found = wire.find(request)
        answer = found[0].handler(self.server.azure, request, **found[1]) if found else _unknown(request)
        self._send(answer)


def _unknown(request: Request) -> Answer:
    known = sorted(each.name for each in wire.ROUTES if CONTROL in each.hosts)
    return Answer(404, json.dumps({"unknown": f"{request.method} {request.path}", "known": known}).encode())
