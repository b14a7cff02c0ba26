"""What the local host takes from host.json."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from tools.local.files import read_json

_SPAN = re.compile(r"(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?")


@dataclass(frozen=True)
class HostSettings:
    """The settings of host.json that the local host follows; times in seconds."""

    route_prefix: str = "api"
    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout: float = 0.0
    message_bytes: int = 48 * 1024
    message_encoding: str = "base64"
    longest_wait: float = 60.0
    function_timeout: float | None = 1800.0
    max_concurrent: int | None = None
    max_outstanding: int | None = None
    log_level: str = "INFO"


_LEVELS = {"Trace": "DEBUG", "Debug": "DEBUG", "Information": "INFO", "Warning": "WARNING", "Error": "ERROR"}


def read_host_json(app: Path) -> HostSettings:
    """The settings in `app`/host.json, with the real host's defaults."""
    raw = read_json(app / "host.json") or {}
    extensions = raw.get("extensions", {})
    queues, http = extensions.get("queues", {}), extensions.get("http", {})
    batch = int(queues.get("batchSize", 16))
    timeout = raw.get("functionTimeout", "00:30:00")
    encoding = queues.get("messageEncoding", "base64").lower()
    return HostSettings(
        route_prefix=http.get("routePrefix", "api").strip("/"),
        batch_size=batch,
        new_batch_threshold=int(queues.get("newBatchThreshold", batch // 2)),
        max_dequeue_count=int(queues.get("maxDequeueCount", 5)),
        visibility_timeout=seconds(queues.get("visibilityTimeout", "00:00:00")),
        message_bytes=(64 if encoding == "none" else 48) * 1024,
        message_encoding=encoding,
        longest_wait=seconds(queues.get("maxPollingInterval", "00:01:00")),
        function_timeout=None if timeout == "-1" else seconds(timeout),
        max_concurrent=_most(http.get("maxConcurrentRequests", -1)),
        max_outstanding=_most(http.get("maxOutstandingRequests", -1)),
        log_level=_level(raw),
    )


def _most(number: int) -> int | None:
    return None if number < 0 else int(number)


def seconds(span: str) -> float:
    """The length of a .NET TimeSpan such as `1.02:03:04` or `00:05:00`, in seconds; ValueError if it is none."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise ValueError(f"{span!r} is not a time span; write it as hh:mm:ss.")
    days, hours, minutes, rest = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=rest).total_seconds()


def is_disabled(function: str, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether an app setting switches `function` off."""
    names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs__{function}__Disabled")
    return any(environment.get(name, "").lower() in ("true", "1") for name in names)


def _level(raw: Mapping[str, Any]) -> str:
    return _LEVELS.get(raw.get("logging", {}).get("logLevel", {}).get("default", "Information"), "INFO")
