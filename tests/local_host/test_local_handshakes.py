"""A webhook gets events once it has said that it wants them, in either schema."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.local_host.webhooks import Endpoint
from tools.local.files import write_json

Start = Callable[..., Any]
Until = Callable[..., Any]
CLOUD = "CloudEventSchemaV1_0"


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    one = Endpoint()
    yield one
    one.close()


@pytest.fixture(scope="module")
def grid(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A grid that asks an endpoint again after 10 ms; the validation address is good for 300 ms."""
    return start("tools.local.grid", tmp_path_factory.mktemp("grid"), "--time-scale", "0.001")


@pytest.fixture(scope="module")
def patient(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A grid that asks an endpoint once in the time of a test."""
    return start("tools.local.grid", tmp_path_factory.mktemp("patient"))


def subscribe(grid: Any, endpoint: Endpoint, **terms: Any) -> str:
    name = f"s{id(endpoint)}"
    entry = {"name": name, "endpoint": endpoint.url, "types": [name], **terms}
    write_json(grid.state / "subscriptions.json", [entry])
    return name


def publish(grid: Any, name: str, id_: str = "1") -> list[dict[str, Any]]:
    """Publish one event; what became of it."""
    event = {"id": id_, "eventType": name, "subject": "s", "eventTime": "2026-11-24T00:00:00Z", "data": {}}
    headers = {"aeg-sas-key": grid.keys.topic}
    httpx.post(f"{grid.url}/topics/signalbox/api/events", json=[event], headers=headers).raise_for_status()
    return [row for row in grid.deliveries(type=name, id=id_) if row["subscription"]]


def test_an_endpoint_that_returns_the_code_gets_events(grid: Any, endpoint: Endpoint, until: Until) -> None:
    name = subscribe(grid, endpoint)
    until("a delivery", lambda: publish(grid, name) and endpoint.deliveries)
    headers, ((asked),) = endpoint.asked[0]
    assert (headers["aeg-event-type"], headers["aeg-subscription-name"]) == ("SubscriptionValidation", name.upper())
    assert asked["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent"
    assert set(asked["data"]) == {"validationCode", "validationUrl"}
    delivered, (event,) = endpoint.deliveries[0]
    assert (delivered["aeg-event-type"], event["id"]) == ("Notification", "1")
    assert "x-functions-key" not in delivered


@pytest.mark.parametrize("validates", ["wrongly", "accepted", "not at all"])
def test_an_endpoint_that_answers_wrongly_gets_none_and_is_asked_again(
    grid: Any, endpoint: Endpoint, until: Until, validates: str
) -> None:
    endpoint.validates = validates
    name = subscribe(grid, endpoint)
    until("three questions", lambda: len(endpoint.asked) >= 3)
    assert publish(grid, name) == []
    endpoint.validates = "yes"
    until("a delivery", lambda: publish(grid, name) and endpoint.deliveries)


def test_an_endpoint_may_open_the_address_instead(patient: Any, endpoint: Endpoint, until: Until) -> None:
    endpoint.validates = "silently"
    name = subscribe(patient, endpoint)
    ((_, (asked,)),) = until("the question", lambda: endpoint.asked)
    assert publish(patient, name) == []
    assert httpx.get(f"{patient.url}/validate?id=another").status_code == 404
    assert httpx.get(asked["data"]["validationUrl"]).status_code == 200
    assert httpx.get(asked["data"]["validationUrl"]).status_code == 404
    until("a delivery", lambda: publish(patient, name) and endpoint.deliveries)
    assert len(endpoint.asked) == 1


def test_an_address_that_is_too_old_validates_nothing(grid: Any, endpoint: Endpoint, until: Until) -> None:
    endpoint.validates = "silently"
    name = subscribe(grid, endpoint)
    until("a second question", lambda: len(endpoint.asked) >= 2)
    _, (first,) = endpoint.asked[0]
    assert httpx.get(first["data"]["validationUrl"]).status_code == 404
    assert publish(grid, name) == []


def test_in_cloud_events_the_endpoint_allows_our_origin(grid: Any, endpoint: Endpoint, until: Until) -> None:
    endpoint.allows = {"WebHook-Allowed-Origin": "eventgrid.azure.net"}
    name = subscribe(grid, endpoint, schema=CLOUD)
    until("a delivery", lambda: publish(grid, name) and endpoint.deliveries)
    assert endpoint.asked[0][0]["webhook-request-origin"] == "eventgrid.azure.net"
    headers, event = endpoint.deliveries[0]
    assert (headers["origin"], event["specversion"]) == ("eventgrid.azure.net", "1.0")


@pytest.mark.parametrize("allowed", [{}, {"WebHook-Allowed-Origin": "example.org"}, {"WebHook-Allowed-Rate": "60"}])
def test_in_cloud_events_the_status_alone_says_nothing(
    grid: Any, endpoint: Endpoint, until: Until, allowed: dict[str, str]
) -> None:
    endpoint.allows = allowed
    name = subscribe(grid, endpoint, schema=CLOUD)
    until("two questions", lambda: len(endpoint.asked) >= 2)
    assert publish(grid, name) == []


def test_an_endpoint_gets_no_more_requests_than_it_allows(patient: Any, endpoint: Endpoint, until: Until) -> None:
    endpoint.allows = {"WebHook-Allowed-Origin": "*", "WebHook-Allowed-Rate": "1"}
    name = subscribe(patient, endpoint, schema=CLOUD)
    until("a delivery", lambda: publish(patient, name) and endpoint.deliveries)
    assert [row["state"] for row in publish(patient, name, "2")] == ["waiting"]
    assert len(endpoint.deliveries) == 1


def test_a_validated_endpoint_is_not_asked_again_after_a_restart(
    start: Start, tmp_path: Path, endpoint: Endpoint, until: Until
) -> None:
    grid = start("tools.local.grid", tmp_path)
    name = subscribe(grid, endpoint)
    until("a delivery", lambda: publish(grid, name) and endpoint.deliveries)
    grid.process.kill()
    grid.process.wait(10)
    again = start("tools.local.grid", tmp_path)
    assert publish(again, name, "2")
    until("a delivery", lambda: len(endpoint.deliveries) == 2)
    assert len(endpoint.asked) == 1
