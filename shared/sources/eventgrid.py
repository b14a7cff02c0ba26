"""One event of Event Grid, whatever schema it came in and however its sender spells the fields."""

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice
from shared.sources.texts import shown


class Event(Struct, frozen=True):
    """An event of either schema; `source` is the topic of an Event Grid event.

    The keys of `data` and of the objects in it are in lower case, and what was null is absent.
    """

    id: str
    type: str
    subject: str
    source: str
    time: str
    data: dict[str, object]


def normalise(event: object) -> Event:
    """Return the event that a trigger hands over, or a mapping in either schema; `NotUnderstood` without a type.

    The Functions library hands over a CloudEvent whenever the body has `specversion`, whatever the trigger declares.
    """
    fields = _folded(event, 0) if isinstance(event, Mapping) else _attributes(event)
    kind, data = _first(fields, "type", "eventtype", "event_type"), fields.get("data", {})
    name = _first(fields, "id")
    if not kind:
        raise NotUnderstood(
            f"The event {name or 'without an id'} has no type: "
            "write eventType, or for CloudEvents specversion in lower case beside type, and send it again."
        )
    if not isinstance(data, Mapping):
        raise NotUnderstood(f"The data of the event {name} is a {type(data).__name__}; send an object.")
    return Event(
        id=shown(name, 200),
        type=shown(kind, 200),
        subject=_first(fields, "subject"),
        source=shown(_first(fields, "source", "topic"), 1000),
        time=shown(_first(fields, "time", "eventtime", "event_time"), 100),
        data=_folded(data, 1),
    )


def ignored(event: Event, source: str, reason: str) -> list[Notice]:
    """Return the one notice of an event that is understood and of no use."""
    return [Ignored(source, shown(event.subject, 1000), shown(reason), event.id)]


def not_taken(event: Event, source: str) -> list[Notice]:
    """Return the one notice of an event of a type that is subscribed to by mistake."""
    return ignored(event, source, f"an event of the type {event.type}, which is not taken here")


def _attributes(event: object) -> dict[str, object]:
    get_json = getattr(event, "get_json", None)
    if not callable(get_json):
        raise NotUnderstood(f"A {type(event).__name__} is no event of Event Grid.")
    names = ("id", "type", "event_type", "subject", "source", "topic", "time", "event_time")
    found = {name: getattr(event, name, None) for name in names} | {"data": get_json()}
    return {name: value for name, value in found.items() if value is not None}


def _first(fields: Mapping[str, object], *names: str) -> str:
    value = next((fields[name] for name in names if name in fields), "")
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _folded(fields: Mapping[object, object], deeper: int) -> dict[str, object]:
    """Fold keys to lower case, `deeper` levels down too; of two spellings the first counts."""
    folded: dict[str, object] = {}
    for key, value in fields.items():
        if value is not None:
            inner = _folded(value, deeper - 1) if deeper and isinstance(value, Mapping) else value
            folded.setdefault(str(key).lower(), inner)
    return folded
