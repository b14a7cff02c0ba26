"""The events that Azure raises, published to the topic as Event Grid's own, and kept in order for tests."""

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from datetime import UTC, datetime
from typing import Any

PATIENCE = 60.0
"""Seconds in which a topic that does not answer is asked again."""


class Events:
    """Publishes from a thread: the route that raised an event does not wait for its delivery."""

    def __init__(self, topic: str, key: str) -> None:
        self._topic, self._key = topic, key
        self.raised: list[dict[str, Any]] = []

    def publish_to(self, topic: str, key: str) -> None:
        """Publish to this topic from now on."""
        self._topic, self._key = topic, key

    def raise_(self, kind: str, subject: str, data: dict[str, Any], source: str = "") -> None:
        """Raise one; `source` is the resource it is about, which a custom topic does not keep."""
        event = {
            "id": str(uuid.uuid4()),
            "subject": subject,
            "eventType": kind,
            "eventTime": datetime.now(UTC).isoformat(),
            "data": data,
            "dataVersion": "",
        }
        self.raised.append(event | {"source": source})
        if self._topic:
            threading.Thread(target=self._publish, args=(event,), daemon=True).start()

    def _publish(self, event: dict[str, Any]) -> None:
        until = time.monotonic() + PATIENCE
        headers = {"content-type": "application/json", "aeg-sas-key": self._key}
        request = urllib.request.Request(self._topic, json.dumps([event]).encode(), headers)
        # What surrounds this process may name a proxy, even this double's own.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        pause = threading.Event()
        while time.monotonic() < until:
            try:
                opener.open(request, timeout=10).close()
                return
            except (urllib.error.URLError, TimeoutError, ConnectionError):
                pause.wait(0.5)
