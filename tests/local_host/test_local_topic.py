"""The topic: Microsoft's own client publishes, a subscriber is told at least once."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.core.messaging import CloudEvent
from azure.eventgrid import EventGridEvent, EventGridPublisherClient

from tools.local.delivery import SCHEDULE
from tools.local.files import write_json
from tools.local.subscriptions import Subscription, Subscriptions

Start = Callable[..., Any]
Until = Callable[..., Any]
EVERYTHING = [{"name": "all-events", "function": "on_event"}]
RUN_COMPLETED = "Microsoft.MachineLearningServices.RunCompleted"


@pytest.fixture
def grid(start: Start, tmp_path: Path, subscriber: Any) -> Iterator[Any]:
    """A grid whose one subscription leads to `subscriber`; a retry after 10 s comes after 10 ms."""
    write_json(tmp_path / "subscriptions.json", EVERYTHING)
    one = start("tools.local.grid", tmp_path, "--host", subscriber.url, "--time-scale", "0.001")
    yield one
    one.process.kill()


@pytest.fixture(scope="module")
def refusing(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A grid for what does not get further than its endpoint."""
    return start("tools.local.grid", tmp_path_factory.mktemp("grid"))


def client(grid: Any, key: str = "") -> EventGridPublisherClient:
    credential = AzureKeyCredential(key or grid.keys.topic)
    return EventGridPublisherClient(f"{grid.url}/topics/signalbox/api/events", credential)


def event(id_: str = "1", type_: str = RUN_COMPLETED, subject: str = "experiments/e/runs/r") -> EventGridEvent:
    return EventGridEvent(subject=subject, event_type=type_, data={"n": id_}, data_version="1.0", id=id_)


def test_an_event_in_the_event_grid_schema_is_delivered(grid: Any, subscriber: Any, until: Until) -> None:
    client(grid).send(event("one"), retry_total=0)
    until("the delivery", lambda: grid.deliveries(state="delivered"))
    ((path, headers, body),) = subscriber.requests
    assert path == "/runtime/webhooks/EventGrid?functionName=on_event"
    assert headers["x-functions-key"] == grid.keys.system
    assert headers["aeg-event-type"] == "Notification"
    assert headers["aeg-subscription-name"] == "ALL-EVENTS"
    assert headers["aeg-delivery-count"] == "0"
    (told,) = json.loads(body)
    assert (told["id"], told["eventType"], told["data"]) == ("one", RUN_COMPLETED, {"n": "one"})
    assert told["topic"].endswith("/topics/signalbox")
    assert told["metadataVersion"] == "1"


def test_a_cloud_event_is_delivered_as_one_object(grid: Any, subscriber: Any, until: Until) -> None:
    client(grid).send([CloudEvent(source="/s", type=RUN_COMPLETED, data={"n": 1}, id="c1")], retry_total=0)
    until("the delivery", lambda: grid.deliveries(state="delivered"))
    ((_, headers, body),) = subscriber.requests
    told = json.loads(body)
    assert (told["id"], told["specversion"], told["data"]) == ("c1", "1.0", {"n": 1})
    assert headers["content-type"].startswith("application/cloudevents+json")


def test_every_event_of_a_batch_is_delivered_by_itself(grid: Any, subscriber: Any, until: Until) -> None:
    client(grid).send([event(str(number)) for number in range(25)], retry_total=0)
    until("all deliveries", lambda: len(grid.deliveries(state="delivered")) == 25)
    assert sorted(int(told[0]["id"]) for told in subscriber.events()) == list(range(25))


def test_a_wrong_key_is_refused(refusing: Any) -> None:
    with pytest.raises(ClientAuthenticationError):
        client(refusing, "not the key").send(event(), retry_total=0)
    assert httpx.get(f"{refusing.url}/topics/signalbox/deliveries").status_code == 401
    assert refusing.deliveries() == []


@pytest.mark.parametrize("missing", ["id", "subject", "eventType", "eventTime"])
def test_an_event_without_what_it_needs_is_refused(refusing: Any, missing: str) -> None:
    whole = {"id": "1", "subject": "s", "eventType": "T", "eventTime": datetime.now(UTC).isoformat(), "data": {}}
    del whole[missing]
    with pytest.raises(HttpResponseError, match=missing) as refused:
        client(refusing).send([{**whole, "id": "2"} if missing != "id" else whole], retry_total=0)
    assert refused.value.status_code == 400
    assert refusing.deliveries() == []


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), (b"[1]", 400), (b"[" * 100_000, 400), (b'["' + b"x" * 1024 * 1024 + b'"]', 413)],
)
def test_a_body_that_is_no_batch_is_refused(refusing: Any, body: bytes, status: int) -> None:
    headers = {"aeg-sas-key": refusing.keys.topic}
    answer = httpx.post(f"{refusing.url}/topics/signalbox/api/events", content=body, headers=headers)
    assert answer.status_code == status


def test_a_delivery_that_fails_is_made_again(grid: Any, subscriber: Any, until: Until) -> None:
    subscriber.answers = [500, 404, 503, 202]
    client(grid).send(event(), retry_total=0)
    (row,) = until("the delivery", lambda: grid.deliveries(state="delivered"))
    assert (row["attempts"], row["outcome"]) == (4, "Accepted")
    assert [headers["aeg-delivery-count"] for _, headers, _ in subscriber.requests] == ["0", "1", "2", "3"]


def test_the_waits_are_the_documented_ones() -> None:
    minute, hour = 60, 3600
    assert SCHEDULE[:5] == (10, 30, minute, 5 * minute, 10 * minute)
    assert SCHEDULE[5:] == (30 * minute, hour, 3 * hour, 6 * hour, 12 * hour)


@pytest.mark.parametrize(
    ("status", "outcome"), [(400, "BadRequest"), (401, "Unauthorized"), (403, "Forbidden"), (413, "")]
)
def test_some_answers_end_a_delivery_at_once(
    grid: Any, subscriber: Any, until: Until, status: int, outcome: str
) -> None:
    # The letter is a blob too, and its own event must be taken.
    subscriber.answers = [status, 202]
    client(grid).send(event("lost"), retry_total=0)
    (row,) = until("the end", lambda: grid.deliveries(state="dead", id="lost"))
    assert (row["attempts"], [told[0]["id"] for told in subscriber.events()].count("lost")) == (1, 1)
    (letter,) = (grid.state / "data/signalbox-dead-letter/ALL-EVENTS").rglob("*.json")
    (told,) = json.loads(letter.read_text())
    assert (told["id"], told["deliveryAttempts"]) == ("lost", 1)
    assert told["deadLetterReason"].startswith("UndeliverableDueToHttp")
    assert outcome in told["lastDeliveryOutcome"]


def test_a_day_holds_eleven_attempts() -> None:
    begins = [sum(SCHEDULE[:tried]) for tried in range(len(SCHEDULE) + 1)]
    assert [at < 24 * 3600 for at in begins] == [True] * 11
    assert begins[-1] + SCHEDULE[-1] > 24 * 3600


def test_a_host_that_is_away_costs_no_attempt(
    start: Start, tmp_path: Path, subscriber: Any, subscriber_at: Callable[[int], Any], until: Until
) -> None:
    port = int(subscriber.url.rpartition(":")[2])
    subscriber.close()
    write_json(tmp_path / "subscriptions.json", EVERYTHING)
    grid = start("tools.local.grid", tmp_path, "--host", f"http://127.0.0.1:{port}")
    client(grid).send(event(), retry_total=0)
    until("the first try", lambda: grid.deliveries(outcome="host is away", attempts=0))
    subscriber_at(port)
    (row,) = until("the delivery", lambda: grid.deliveries(state="delivered"))
    assert row["attempts"] == 1


def test_what_was_acknowledged_is_delivered_after_a_crash(
    start: Start, tmp_path: Path, subscriber: Any, until: Until
) -> None:
    write_json(tmp_path / "subscriptions.json", EVERYTHING)
    subscriber.answers = [500]
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url, "--time-scale", "1000")
    client(grid).send(event("survivor"), retry_total=0)
    until("the failed try", lambda: grid.deliveries(attempts=1))
    grid.process.kill()
    grid.process.wait(10)
    subscriber.answers = [202]
    again = start("tools.local.grid", tmp_path, "--host", subscriber.url)
    (row,) = until("the delivery, though its wait was not over", lambda: again.deliveries(state="delivered"))
    assert (row["id"], row["attempts"]) == ("survivor", 2)


def test_subscriptions_are_read_again_when_they_change(grid: Any, subscriber: Any, until: Until) -> None:
    client(grid).send(event("before"), retry_total=0)
    wanted = [{"name": "images", "function": "on_image", "types": ["Microsoft.ContainerRegistry.ImagePushed"]}]
    write_json(grid.state / "subscriptions.json", wanted)
    client(grid).send(event("not-wanted"), retry_total=0)
    client(grid).send(event("wanted", "Microsoft.ContainerRegistry.ImagePushed"), retry_total=0)
    until("both deliveries", lambda: len(grid.deliveries(state="delivered")) == 2)
    assert {told[0]["id"] for told in subscriber.events()} == {"before", "wanted"}
    assert grid.deliveries(id="not-wanted", subscription=None)


@pytest.mark.parametrize(
    ("subscription", "wanted"),
    [
        (Subscription("s", "f"), True),
        (Subscription("s", "f", ("T",)), True),
        (Subscription("s", "f", ("t", "u")), True),
        (Subscription("s", "f", ("U",)), False),
        (Subscription("s", "f", subject_begins="/BLOB", subject_ends=".CSV"), True),
        (Subscription("s", "f", subject_ends=".json"), False),
        (Subscription("s", "f", subject_begins="/data"), False),
        (Subscription("s", "f", subject_begins="/blobs", subject_ends=".csv", case_sensitive=True), True),
        (Subscription("s", "f", subject_begins="/Blobs", case_sensitive=True), False),
        (Subscription("s", "f", subject_ends=".CSV", case_sensitive=True), False),
        (Subscription("s", "f", ("t",), case_sensitive=True), True),
    ],
)
def test_a_subscription_wants_its_types_and_subjects(subscription: Subscription, wanted: bool) -> None:
    assert subscription.wants("T", "/blobs/a.csv") is wanted


@pytest.mark.parametrize(
    ("type_", "functions"),
    [
        (RUN_COMPLETED, ["on_run_ended"]),
        ("Microsoft.MachineLearningServices.RunStatusChanged", ["on_run_ended", "on_data_drift"]),
        ("Microsoft.MachineLearningServices.ModelRegistered", ["on_model_registered"]),
        ("Microsoft.ContainerRegistry.ImagePushed", ["on_image_pushed"]),
        ("Microsoft.MachineLearningServices.ModelDeployed", ["on_model_deployed"]),
        ("Microsoft.Storage.BlobCreated", ["on_new_data"]),
        ("Microsoft.MachineLearningServices.DatasetDriftDetected", ["on_data_drift"]),
        ("Signalbox.DataDrifted", ["on_data_drift"]),
        ("Somebody.Else", []),
    ],
)
def test_the_default_subscriptions_lead_each_event_to_its_function(
    tmp_path: Path, type_: str, functions: list[str]
) -> None:
    subscriptions = Subscriptions(tmp_path / "subscriptions.json")
    assert [one.function for one in subscriptions.of(type_, "s")] == functions
    without = Subscriptions(tmp_path / "subscriptions.json", without=functions)
    assert without.of(type_, "s") == []


def test_a_broken_subscriptions_file_leaves_the_ones_before_in_force(tmp_path: Path) -> None:
    subscriptions = Subscriptions(tmp_path / "subscriptions.json")
    before = subscriptions.of(RUN_COMPLETED, "s")
    (tmp_path / "subscriptions.json").write_text('[{"name": "no function"}]')
    assert subscriptions.of(RUN_COMPLETED, "s") == before != []
