"""A scoring service, asked over HTTP on one kept connection."""

import http.client
import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .outcome import JobFailed

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "serving"))
import signalbox_scoring

del sys.path[0]

SECONDS = 30.0
JSON = {"Content-Type": "application/json"}
KEY = "SIGNALBOX_SERVICE_KEY"
"""The environment variable that holds the key of a service that asks for one."""


@dataclass(frozen=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes

    def shown(self) -> str:
        """Return the beginning of the body for a sentence."""
        return self.body[:200].decode("utf-8", errors="replace") or "nothing"


class Service:
    """A service at a scoring URL that ends in /score; every call raises `JobFailed` when nobody answers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.endswith("/score"):
            raise JobFailed(f'"{url}" is no scoring URL', "It has to end in /score; see the stage step of this release")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._url, self._path = url, parts.path
        # A version of a service that has several is named by a query.
        self._query = f"?{parts.query}" if parts.query else ""
        self._key = {"Authorization": f"Bearer {os.environ[KEY]}"} if os.environ.get(KEY) else {}
        self._connection = kind(parts.hostname, parts.port, timeout=SECONDS)

    def get(self, path: str) -> Answer:
        """GET a path beside /score, such as "/" or "/swagger.json"."""
        return self._ask("GET", self._path.removesuffix("/score") + path, None)

    def post(self, body: bytes) -> Answer:
        """POST a body to /score."""
        return self._ask("POST", self._path, body)

    def predictions(self, rows: list[Any]) -> list[Any]:
        """Return one prediction a row."""
        answer = self.post(json.dumps({"data": rows}).encode())
        if answer.status != 200:
            raise JobFailed(
                f"The service answers {answer.status} to {len(rows)} golden row{'s' if len(rows) > 1 else ''}:"
                f" {answer.shown()}",
                "Correct the scoring file and push",
            )
        try:
            told = signalbox_scoring.predictions_of(answer.body)
        except signalbox_scoring.BadAnswer as bad:
            raise JobFailed(f"The service's answer cannot be read: {bad}", "Correct run() and push") from bad
        if len(told) != len(rows):
            raise JobFailed(
                f"The service answers {len(told)} predictions for {len(rows)} rows", "Correct run() and push"
            )
        return told

    def timed(self, row: Any) -> float:
        """Ask for one row and return the milliseconds it took."""
        began = time.perf_counter()
        self.predictions([row])
        return (time.perf_counter() - began) * 1000

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        # A server may close a kept connection at any time: once, a new one is not a failure.
        for last in (False, True):
            try:
                headers = self._key | (JSON if body is not None else {})
                self._connection.request(method, path + self._query, body, headers)
                answer = self._connection.getresponse()
                return Answer(answer.status, answer.read())
            except (OSError, http.client.HTTPException) as fault:
                self._connection.close()
                if last:
                    raise JobFailed(
                        f"Nobody answers {method} at {self._url}: {fault}",
                        "Look whether it ran out of memory, then release again",
                    ) from fault
        raise AssertionError("unreachable")
