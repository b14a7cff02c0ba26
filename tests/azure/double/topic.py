"""A custom topic of Event Grid, for publishers that sign in by a token or a key.

What it answers to a missing role is assumed to be as ARM phrases it.
"""

from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route

HOST = "signalbox.westeurope-1.eventgrid.azure.net"
KEY = "not-a-secret-of-the-topic"


@area("topic")
class Topic:
    """What the topic took, in order."""

    def __init__(self, azure: Azure) -> None:
        self.taken: list[dict[str, Any]] = []


@route("POST", "/api/events", host=HOST, open=True)
def publish(azure: Azure, request: Request) -> Answer:
    """Take a batch of events from whoever has the key or a token."""
    if request.headers.get("aeg-sas-key") != KEY and not azure.knows(request):
        return error(401, "Unauthorized", "The request authorization key is not authorized for this topic.")
    azure.topic.taken += request.json()
    return Answer(200)
