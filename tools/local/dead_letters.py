"""Dead letters as Event Grid writes them: a blob with the event and why it was given up."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tools.local.topic_store import Due


def letter_path(subscription: str, at: float) -> str:
    """Where below its container a letter goes that is written at `at`; nothing is padded with zeros."""
    moment = datetime.fromtimestamp(at, UTC)
    return f"{subscription.upper()}/{moment.year}/{moment.month}/{moment.day}/{moment.hour}/{uuid.uuid4()}.json"


def letter(due: Due, body: Mapping[str, Any]) -> bytes:
    """The blob of one event; in CloudEvents what is told beside the event has names in lower case."""
    about = {
        "deadLetterReason": due.reason,
        "deliveryAttempts": due.attempts,
        "lastDeliveryOutcome": due.outcome,
        "publishTime": stamp(due.accepted),
        "lastDeliveryAttemptTime": stamp(due.tried),
    }
    if "specversion" in body:
        about = {name.lower(): value for name, value in about.items()}
    return json.dumps([{**body, **about}], indent=2).encode()


def stamp(at: float) -> str:
    """A moment as Event Grid writes it."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
