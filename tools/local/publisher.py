"""Publishes to the topic with Microsoft's own client."""

from collections.abc import Sequence
from typing import Any

from tools.local.watcher import NotPublished


class Publisher:
    """Sends to one topic endpoint with its key."""

    def __init__(self, endpoint: str, key: str) -> None:
        self._endpoint = endpoint
        self._key = key
        self._client: Any = None

    def __call__(self, events: Sequence[Any]) -> None:
        """Send `events`; raises NotPublished, then they may or may not have arrived."""
        # Imported at first use: half a second that a start need not wait for.
        from azure.core.credentials import AzureKeyCredential
        from azure.core.exceptions import AzureError
        from azure.eventgrid import EventGridPublisherClient

        if self._client is None:
            self._client = EventGridPublisherClient(self._endpoint, AzureKeyCredential(self._key))
        try:
            self._client.send(list(events), retry_total=0)
        except AzureError as error:
            raise NotPublished(str(error).splitlines()[0]) from error
