"""A webhook outside our host: it answers handshakes as it is told and keeps what it gets."""

import http.server
import json
import threading
from typing import Any


class Endpoint:
    """One webhook; `answers` are the statuses of deliveries, the last one for ever.

    `validates` says how it meets a handshake: yes, silently (200 and no more), wrongly, accepted (202), or not at all.
    `allows` are the headers with which it answers OPTIONS.
    """

    def __init__(self) -> None:
        self.validates = "yes"
        self.allows: dict[str, str] = {}
        self.answers = [200]
        self.asked: list[tuple[dict[str, str], Any]] = []
        self.deliveries: list[tuple[dict[str, str], Any]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self._answer(*outer.posted(headers, body))

            def do_OPTIONS(self) -> None:
                outer.asked.append(({name.lower(): value for name, value in self.headers.items()}, None))
                self._answer(200, "", outer.allows)

            def _answer(self, status: int, body: str, headers: dict[str, str] | None = None) -> None:
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/hook?code=key"

    def posted(self, headers: dict[str, str], body: Any) -> tuple[int, str]:
        if headers["aeg-event-type"] == "Notification":
            self.deliveries.append((headers, body))
            return (self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]), ""
        self.asked.append((headers, body))
        code = body[0]["data"]["validationCode"]
        good = json.dumps({"validationResponse": code})
        answers = {"yes": (200, good), "accepted": (202, good), "wrongly": (200, good.replace(code, "another code"))}
        return {**answers, "silently": (200, "")}.get(self.validates, (405, ""))

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)
