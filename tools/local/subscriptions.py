"""Which event goes to which function."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local.files import read_json, write_json

log = logging.getLogger("grid")
_ML = "Microsoft.MachineLearningServices"


@dataclass(frozen=True)
class Subscription:
    """Events of `types` (empty: all) whose subject begins and ends so go to `function`."""

    name: str
    function: str
    types: tuple[str, ...] = ()
    subject_begins: str = ""
    subject_ends: str = ""

    def wants(self, type_: str, subject: str) -> bool:
        """Whether the event is for this subscription; case does not matter, as on Event Grid."""
        place = subject.lower()
        return (
            (not self.types or type_.lower() in {one.lower() for one in self.types})
            and place.startswith(self.subject_begins.lower())
            and place.endswith(self.subject_ends.lower())
        )


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

    def of(self, type_: str, subject: str) -> Sequence[tuple[str, str]]:
        """The (subscription, function) pairs an event goes to."""
        self._read()
        wanted = [one for one in self._known if one.wants(type_, subject)]
        return [(one.name, one.function) for one in wanted if one.function not in self._without]

    def _read(self) -> None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return  # keep what was known: an editor may be replacing the file
        seen = (found.st_mtime_ns, found.st_size)
        if seen == self._seen:
            return
        self._seen = seen
        try:
            self._known = [_subscription(raw) for raw in read_json(self._path)]
        except (ValueError, KeyError, TypeError) as error:
            log.error("%s is not a list of subscriptions (%r); the ones before stay in force", self._path, error)


def _subscription(raw: Mapping[str, Any]) -> Subscription:
    return Subscription(
        str(raw["name"]),
        str(raw["function"]),
        tuple(str(one) for one in raw.get("types", ())),
        str(raw.get("subject_begins", "")),
        str(raw.get("subject_ends", "")),
    )


def _plain(one: Subscription) -> Mapping[str, Any]:
    return {
        "name": one.name,
        "function": one.function,
        "types": list(one.types),
        "subject_begins": one.subject_begins,
        "subject_ends": one.subject_ends,
    }
