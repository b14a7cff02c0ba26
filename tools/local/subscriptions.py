"""Which event goes where, and on what terms: STATE/subscriptions.json.

The file is made at the first start with one subscription for each Event Grid function of Signalbox, and is read again
whenever it changes.
It is a JSON list; each entry has

- `name`: 1 to 64 letters, digits, `-` and `_`; no two alike, whatever their case.
- `function`: the function of the host that gets the events; or `endpoint`: the http(s) address of a webhook that gets
  them once it has answered the validation handshake.
- `types`: the event types wanted, without regard to case; none or an empty list: all.
- `subject_begins`, `subject_ends`: what the subject must begin and end with; `case_sensitive` (false): whether the
  case of the subject counts.
- `schema`: `EventGridSchema`, `CloudEventSchemaV1_0` or empty; which handshake an endpoint gets.
  Events in the Event Grid schema are mapped for a subscription in CloudEvents; the other way there is none, as on
  Azure.
  Empty: as published.
- `ttl_minutes` (1440): 1 to 1440; when an event that could not be delivered is given up.
- `max_attempts` (30): 1 to 30; how often it is tried.
- `max_events` (1): 1 to 5000 events in one request; `preferred_kilobytes` (64): 1 to 1024, how large a request should
  be; a single event may be larger.
  A batch is delivered whole or not at all.
- `dead_letter` ("signalbox-dead-letter", where the patrol takes it in): the container that gets what was given up, as
  blobs `SUBSCRIPTION/YEAR/MONTH/DAY/HOUR/guid.json`; empty: it is dropped.

A file that cannot be read so leaves the subscriptions before it in force and says why in the log.
"""

import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from tools.local.blobs import BadName, parts_of
from tools.local.files import read_json, write_json

log = logging.getLogger("grid")
CLOUD, GRID = "CloudEventSchemaV1_0", "EventGridSchema"
_ML = "Microsoft.MachineLearningServices"
_RANGES = {"ttl_minutes": (1, 1440), "max_attempts": (1, 30), "max_events": (1, 5000), "preferred_kilobytes": (1, 1024)}


class BadSubscription(ValueError):
    """An entry of the file that cannot be followed; the message says which and why."""


@dataclass(frozen=True)
class Subscription:
    """One entry of the file; the fields are told above."""

    name: str
    function: str = ""
    types: tuple[str, ...] = ()
    subject_begins: str = ""
    subject_ends: str = ""
    case_sensitive: bool = False
    endpoint: str = ""
    schema: str = ""
    ttl_minutes: int = 1440
    max_attempts: int = 30
    max_events: int = 1
    preferred_kilobytes: int = 64
    dead_letter: str = "signalbox-dead-letter"

    @property
    def target(self) -> str:
        """Where the events go: the name of a function or the address of a webhook."""
        return self.endpoint or self.function

    def wants(self, type_: str, subject: str) -> bool:
        """Whether the event is for this subscription."""
        kept, begins, ends = (
            text if self.case_sensitive else text.lower() for text in (subject, self.subject_begins, self.subject_ends)
        )
        wanted = not self.types or type_.lower() in {one.lower() for one in self.types}
        return wanted and kept.startswith(begins) and kept.endswith(ends)


DEFAULT = (
    Subscription("on_run_ended", "on_run_ended", (f"{_ML}.RunCompleted", f"{_ML}.RunStatusChanged")),
    Subscription("on_model_registered", "on_model_registered", (f"{_ML}.ModelRegistered",)),
    Subscription("on_image_pushed", "on_image_pushed", ("Microsoft.ContainerRegistry.ImagePushed",)),
    Subscription("on_model_deployed", "on_model_deployed", (f"{_ML}.ModelDeployed",)),
    Subscription("on_new_data", "on_new_data", ("Microsoft.Storage.BlobCreated",)),
    Subscription(
        "on_data_drift",
        "on_data_drift",
        (f"{_ML}.DatasetDriftDetected", f"{_ML}.RunStatusChanged", "Signalbox.DataDrifted"),
    ),
)


class Subscriptions:
    """The subscriptions in one JSON file, read again when it changes."""

    def __init__(self, path: Path, without: Sequence[str] = ()) -> None:
        self._path = path
        self._without = frozenset(without)
        self._seen: tuple[int, int] | None = None
        self._known: Sequence[Subscription] = ()
        if not path.exists():
            write_json(path, [_plain(one) for one in DEFAULT])

    def of(self, type_: str, subject: str) -> Sequence[Subscription]:
        """The subscriptions that want an event."""
        return [one for one in self.all() if one.wants(type_, subject) and one.function not in self._without]

    def named(self, name: str) -> Subscription | None:
        """The subscription of that name, if there is one."""
        return next((one for one in self.all() if one.name == name), None)

    def all(self) -> Sequence[Subscription]:
        """What the file says now, or said when it could be read last."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return self._known  # an editor may be replacing the file
        seen = (found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._seen = seen
            try:
                self._known = read_subscriptions(read_json(self._path))
            except ValueError as error:
                log.error("%s: %s; the subscriptions before it stay in force", self._path, error)
        return self._known


def read_subscriptions(raw: Any) -> Sequence[Subscription]:
    """The subscriptions in the content of the file; raises BadSubscription."""
    if not isinstance(raw, list) or not all(isinstance(one, dict) for one in raw):
        raise BadSubscription("it is not a list of subscriptions")
    read = [_subscription(one) for one in raw]
    names = [one.name.lower() for one in read]
    if len(set(names)) < len(names):
        raise BadSubscription("two subscriptions have one name")
    return read


def _subscription(raw: Mapping[str, Any]) -> Subscription:
    name = raw.get("name")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", name):
        raise BadSubscription(f"{name!r} is no name: use 1 to 64 letters, digits, - and _")
    unknown = set(raw) - {one.name for one in fields(Subscription)}
    if unknown:
        raise BadSubscription(f"subscription {name} has unknown fields: {', '.join(sorted(unknown))}")
    values = {**asdict(Subscription(name)), **raw}
    for field, value in values.items():
        _check(name, field, value)
    if bool(values["function"]) == bool(values["endpoint"]):
        raise BadSubscription(f"subscription {name} needs either function or endpoint")
    return Subscription(**{**values, "types": tuple(values["types"])})


def _check(name: str, field: str, value: Any) -> None:
    """Raise BadSubscription for a value that the field cannot have."""
    if field in _RANGES:
        least, most = _RANGES[field]
        if type(value) is not int or not least <= value <= most:
            raise BadSubscription(f"subscription {name}: {field} must be {least} to {most}, not {value!r}")
    elif field == "types":
        if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
            raise BadSubscription(f"subscription {name}: types must be a list of event types, not {value!r}")
    elif type(value) is not (bool if field == "case_sensitive" else str):
        raise BadSubscription(f"subscription {name}: {field} cannot be {value!r}")
    elif field == "schema" and value not in ("", GRID, CLOUD):
        raise BadSubscription(f"subscription {name}: schema must be {GRID} or {CLOUD}, not {value!r}")
    elif field == "endpoint" and value and not re.match(r"https?://\w", value):
        raise BadSubscription(f"subscription {name}: endpoint must be an http or https address, not {value!r}")
    elif field == "dead_letter" and value:
        _check_container(name, value)


def _check_container(name: str, container: str) -> None:
    try:
        parts_of(container, "letter")
    except BadName as error:
        raise BadSubscription(f"subscription {name}: dead_letter: {error}") from error


def _plain(one: Subscription) -> Mapping[str, Any]:
    """An entry of the file, without what is as it is anyway."""
    untouched = Subscription(one.name, one.function)
    kept = {"name", "function", "types"}
    return {key: value for key, value in asdict(one).items() if key in kept or value != getattr(untouched, key)}
