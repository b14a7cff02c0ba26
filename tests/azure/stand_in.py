"""A double in a process of its own, as tests hold it."""

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

from tests.azure import shapes

HOUSE = Path(__file__).resolve().parents[2]


class StandIn:
    """A running double: `environment` is what a client sets; everything else asks its control plane."""

    def __init__(self, state: Path, *options: str) -> None:
        command = [sys.executable, "-m", "tests.azure", "--state", str(state), "--with-parent", *options]
        self._child = subprocess.Popen(
            command, cwd=HOUSE, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        assert self._child.stdout is not None
        ready = json.loads(self._child.stdout.readline())
        self.control: str = ready["control"]
        self.environment: dict[str, str] = ready["environment"]

    def stop(self) -> None:
        """End it."""
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(20)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control plane."""
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.control}{path}", content, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=30) as answer:
            return json.loads(answer.read() or b"null")

    def requests(self, route: str = "") -> list[dict[str, Any]]:
        """Return the recorded requests, in order; with `route`, those of one method and pattern."""
        return [each for each in self.ask("GET", "/requests") if route in ("", each["route"])]

    def fault(self, route: str, kind: str, times: int | None = None, **more: Any) -> None:
        """Plan a fault for a route; without `times` it stays until the test ends."""
        counted = {} if times is None else {"times": times}
        self.ask("POST", "/faults", {"route": route, "kind": kind, **counted, **more})

    def plan(self, name: str, **more: Any) -> None:
        """Plan a fault that an area acts out by its name."""
        self.ask("POST", "/faults", {"name": name, **more})

    def events(self, kind: str = "") -> list[dict[str, Any]]:
        """Return the events that were raised; with `kind`, those whose type ends so."""
        return [each for each in self.ask("GET", "/events") if each["eventType"].endswith(kind)]

    def unrouted(self) -> list[str]:
        """Return what nobody could answer."""
        found: list[str] = self.ask("GET", "/unrouted")
        return found

    def misfits(self) -> list[str]:
        """Return what of the answers does not fit the SDK's models."""
        given = self.ask("GET", "/answers")
        return [f"{each['route']}: {what}" for each in given for what in shapes.faults(each["shape"], each["answer"])]
