"""What goes over the wire: one event or a batch, in the schema that the subscription asks for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.local.subscriptions import CLOUD, Subscription

# What Azure names itself to webhooks.
ORIGIN = "eventgrid.azure.net"


@dataclass(frozen=True)
class Envelope:
    """The body and headers of one request."""

    body: bytes
    headers: Mapping[str, str]


def envelope(subscription: Subscription, bodies: Sequence[Mapping[str, Any]], attempts: int) -> Envelope:
    """The request with the events `bodies`, all of one schema, that were tried `attempts` times before."""
    first, cloud = bodies[0], is_cloud(bodies[0])
    batched = cloud and subscription.max_events > 1
    kind = "json" if not cloud else "cloudevents-batch+json" if batched else "cloudevents+json"
    headers = {
        "Content-Type": f"application/{kind}; charset=utf-8",
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(attempts),
        "aeg-metadata-version": str(first.get("specversion" if cloud else "metadataVersion", "1")),
        "aeg-data-version": str(first.get("dataVersion", "")),
    }
    if cloud and subscription.endpoint:
        headers["Origin"] = ORIGIN
    return Envelope(json.dumps(first if cloud and not batched else bodies).encode(), headers)


def is_cloud(body: Mapping[str, Any]) -> bool:
    """Whether an event is in the CloudEvents 1.0 schema."""
    return "specversion" in body


def in_schema(subscription: Subscription, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The event as the subscription wants it; one in CloudEvents stays what it is, as on Azure."""
    if subscription.schema != CLOUD or is_cloud(body):
        return body
    mapped = {
        "specversion": "1.0",
        "id": body["id"],
        "source": body["topic"],
        "subject": body["subject"],
        "type": body["eventType"],
        "time": body["eventTime"],
        "data": body.get("data"),
    }
    # A name of lower case letters is all that CloudEvents lets an extension have.
    return {**mapped, "dataversion": body["dataVersion"]} if body.get("dataVersion") else mapped
