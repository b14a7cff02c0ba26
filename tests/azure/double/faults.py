"""Faults that a test asks for: a route that answers badly, late, or not at all; a thing that goes wrong later.

A fault is a dictionary: `route` ("POST /modelmanagement/*/models", with or without a host before the path) or `name`
(what an area asks for by `take`), `kind`, `times` (absent: until it is taken away), and what the kind needs.
"""

import threading
from fnmatch import fnmatch
from typing import Any

from tests.azure.double.wire import Answer, Request, error

FORBIDDEN = (
    "The client '{who}' with object id '{who}' does not have authorization to perform action "
    "'Microsoft.MachineLearningServices/workspaces/read' over scope '{where}' or the scope is invalid."
)
QUOTA = "Operation could not be completed as it results in exceeding approved standardDSv2Family Cores quota."

HANG = "hang"
LOST = "lost"
CUT = "cut"
"""The head of an answer promises its whole body, and half of it comes."""


class Faults:
    """The faults that are planned; `released` lets go of the requests that hang."""

    def __init__(self) -> None:
        self._planned: list[dict[str, Any]] = []
        self._lock = threading.Lock()
        self.released = threading.Event()

    def plan(self, fault: dict[str, Any]) -> None:
        """Plan one."""
        with self._lock:
            self.released.clear()
            self._planned.append(dict(fault))

    def clear(self) -> None:
        """Take all away, and let go of what hangs."""
        with self._lock:
            self._planned.clear()
            self.released.set()

    def of(self, request: Request) -> dict[str, Any] | None:
        """Return the fault that is planned for a request, counting it."""
        plain = f"{request.method} {request.path}"
        full = f"{request.method} {request.host}{request.path}"
        return self._used(
            lambda fault: any(fnmatch(each.lower(), fault.get("route", "").lower()) for each in (plain, full))
        )

    def take(self, name: str) -> dict[str, Any] | None:
        """Return the fault of this name, counting it."""
        return self._used(lambda fault: fault.get("name") == name)

    def _used(self, fits: Any) -> dict[str, Any] | None:
        with self._lock:
            for fault in self._planned:
                if fits(fault):
                    if "times" in fault:
                        fault["times"] -= 1
                        if fault["times"] <= 0:
                            self._planned.remove(fault)
                    return fault
        return None


def instead(fault: dict[str, Any], who: str, where: str) -> Answer | None:
    """Return what a fault answers in place of the route; None for those that let it answer."""
    kind = str(fault.get("kind", ""))
    if "text" in fault:
        return Answer(int(fault.get("status", 200)), fault["text"].encode(), {"content-type": "text/html"})
    if "status" in fault:
        return Answer(int(fault["status"]), fault.get("body"), dict(fault.get("headers", {})))
    if kind == "forbidden":
        return error(403, "AuthorizationFailed", FORBIDDEN.format(who=who, where=where))
    if kind == "quota":
        return error(400, "QuotaExceeded", fault.get("words", QUOTA))
    if kind == "429":
        return error(429, "TooManyRequests", "The request is being throttled.", fault.get("headers", {}))
    if kind.isdigit():
        return error(int(kind), fault.get("code", "ServiceError"), fault.get("words", f"The service answers {kind}."))
    return None
