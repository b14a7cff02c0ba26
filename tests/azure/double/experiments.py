"""Experiments of the run history: names that runs stand under."""

import uuid
from datetime import UTC, datetime
from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route


@area("experiments")
class Experiments:
    """The experiments there are, by name."""

    def __init__(self, azure: Azure) -> None:
        self._made: dict[str, dict[str, Any]] = {}

    def make(self, name: str) -> dict[str, Any]:
        """Return the experiment of this name, made when there is none."""
        now = datetime.now(UTC).isoformat()
        new = {"experimentId": str(uuid.uuid4()), "name": name, "description": "", "createdUtc": now, "tags": {}}
        return self._made.setdefault(name, new)

    def find(self, name: str = "", identity: str = "") -> dict[str, Any] | None:
        """Return the experiment of this name or id."""
        return next(
            (one for one in self._made.values() if name == one["name"] or identity == one["experimentId"]), None
        )

    def all(self) -> list[dict[str, Any]]:
        """Return every experiment."""
        return list(self._made.values())


def _shown(found: dict[str, Any] | None, what: str) -> Answer:
    if found is None:
        return error(404, "UserError", f"Experiment {what} was not found.")
    return Answer(body=found)


@route("POST", "/history/v1.0{ws}/experiments/{name}", shape="ExperimentDto")
def make(azure: Azure, request: Request, name: str) -> Answer:
    """Make an experiment, or show the one there is."""
    return Answer(body=azure.experiments.make(name))


@route("GET", "/history/v1.0{ws}/experiments/{name}", shape="ExperimentDto")
def by_name(azure: Azure, request: Request, name: str) -> Answer:
    """Show the experiment of a name."""
    return _shown(azure.experiments.find(name), name)


@route("GET", "/history/v1.0{ws}/experimentids/{identity}", shape="ExperimentDto")
def by_id(azure: Azure, request: Request, identity: str) -> Answer:
    """Show the experiment of an id."""
    return _shown(azure.experiments.find(identity=identity), identity)


@route("POST", "/history/v1.0{ws}/experiments:query", shape="PaginatedExperimentDto")
def listed(azure: Azure, request: Request) -> Answer:
    """List experiments; `name eq` is the only filter."""
    told = ((request.json() or {}).get("filter") or "").partition("name eq ")[2].strip("'() ")
    found = [each for each in azure.experiments.all() if told in ("", each["name"])]
    return Answer(body={"value": found, "continuationToken": None})
