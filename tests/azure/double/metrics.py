"""Metrics that runs log, kept as they were posted; a name has the columns and the kind of its first post."""

from typing import Any

from tests.azure.double.azure import Azure, area
from tests.azure.double.wire import Answer, Request, error, route


@area("metrics")
class Metrics:
    """The metrics there are, by run and name."""

    def __init__(self, azure: Azure) -> None:
        self._kept: dict[str, dict[str, dict[str, Any]]] = {}

    def add(self, run: str, metric: dict[str, Any]) -> None:
        """Keep the values of one metric behind those that it has."""
        new = {"name": metric["name"], "columns": metric["columns"], "value": [], "properties": metric["properties"]}
        self._kept.setdefault(run, {}).setdefault(metric["name"], new)["value"] += metric["value"]

    def of(self, run: str) -> dict[str, dict[str, Any]]:
        """Return the metrics of a run, by name."""
        return self._kept.get(run, {})


@route("POST", "/metric/v2.0{ws}/runs/{run}/batch")
def post(azure: Azure, request: Request, run: str) -> Answer:
    """Take the values of some metrics."""
    for each in request.json()["values"]:
        azure.metrics.add(run, each)
    return Answer(200)


@route("POST", "/metric/v2.0{ws}/runs/{run}/list", shape="PaginatedMetricDefinitionDto")
def listed(azure: Azure, request: Request, run: str) -> Answer:
    """List the metrics of a run."""
    found = azure.metrics.of(run).values()
    shown = [{"metricKey": {"name": each["name"]}, "columns": each["columns"]} for each in found]
    return Answer(body={"value": shown, "continuationToken": None})


@route("POST", "/metric/v2.0{ws}/runs/{run}/full", shape="MetricV2Dto")
def full(azure: Azure, request: Request, run: str) -> Answer:
    """Give all values of one metric."""
    name = request.json()["metricName"]
    if name not in azure.metrics.of(run):
        return error(404, "UserError", f"Metric {name} of run {run} was not found.")
    return Answer(body={"dataContainerId": f"dcid.{run}", **azure.metrics.of(run)[name]})


@route("GET", "/history/v1.0{ws}/experiments/{experiment}/runs/{run}/metricsingest/wait")
def wait(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Say that all metrics are taken in."""
    return Answer(200)


@route("GET", "/history/v1.0{ws}/experimentids/{experiment}/runs/{run}/metricsingest/wait")
def wait_by_id(azure: Azure, request: Request, experiment: str, run: str) -> Answer:
    """Say that all metrics are taken in."""
    return Answer(200)
