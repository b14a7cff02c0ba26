"""The terms of a subscription: how long, how often, how many at once, in which schema, and where the dead go."""

import asyncio
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.backends.local.letters import FileLetters
from shared.release.notices import ModelHeard
from shared.sources.dead_letters import told
from tests.local_host.webhooks import Endpoint
from tools.local.delivery import filled
from tools.local.files import write_json
from tools.local.subscriptions import BadSubscription, Subscription, read_subscriptions
from tools.local.topic_store import Due, Event, TopicStore

Start = Callable[..., Any]
Until = Callable[..., Any]
# A minute of the topic is 60 ms here.
SCALE = "0.001"


class Topic:
    """The grid of this module, with one subscription at a time that leads to one endpoint."""

    def __init__(self, grid: Any, endpoint: Endpoint, until: Until) -> None:
        self.grid, self.endpoint, self.until = grid, endpoint, until
        self.name = f"s{id(endpoint)}"

    def subscribe(self, **terms: Any) -> None:
        entry = {"name": self.name, "endpoint": self.endpoint.url, "types": [self.name], **terms}
        write_json(self.grid.state / "subscriptions.json", [entry])
        self.until("the handshake", lambda: self.endpoint.asked)
        self.until("a delivery", lambda: self.sent("first") and self.rows())
        self.until("that the first one is over", lambda: self.over(1))
        self.endpoint.deliveries.clear()

    def sent(self, *ids: str, data: Any = None, subject: str = "s") -> bool:
        return self.publish([grid_event(self.name, one, data, subject) for one in ids])

    def publish(self, events: list[Any]) -> bool:
        headers = {"aeg-sas-key": self.grid.keys.topic}
        url = f"{self.grid.url}/topics/signalbox/api/events"
        return httpx.post(url, json=events, headers=headers).raise_for_status().status_code == 200

    def rows(self, **like: Any) -> list[dict[str, Any]]:
        return self.grid.deliveries(subscription=self.name, **like)

    def over(self, count: int) -> bool:
        return len([row for row in self.rows() if row["state"] in ("delivered", "dead", "dropped")]) >= count

    def letters(self) -> list[Path]:
        return sorted((self.grid.state / "data/signalbox-dead-letter" / self.name.upper()).rglob("*.json"))


def grid_event(type_: str, id_: str, data: Any = None, subject: str = "s") -> dict[str, Any]:
    return {"id": id_, "eventType": type_, "subject": subject, "eventTime": "2026-11-24T00:00:00Z", "data": data}


@pytest.fixture(scope="module")
def grid(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return start("tools.local.grid", tmp_path_factory.mktemp("grid"), "--time-scale", SCALE)


@pytest.fixture
def topic(grid: Any, until: Until) -> Iterator[Topic]:
    endpoint = Endpoint()
    yield Topic(grid, endpoint, until)
    endpoint.close()


def test_an_event_is_given_up_when_its_time_is_over(topic: Topic) -> None:
    topic.subscribe(ttl_minutes=5)
    topic.endpoint.answers = [500]
    topic.sent("late")
    (row,) = topic.until("the end", lambda: topic.rows(id="late", state="dead"))
    assert 1 < row["attempts"] < 30
    (letter,) = topic.letters()
    (told,) = json.loads(letter.read_text())
    assert (told["id"], told["deadLetterReason"]) == ("late", "TimeToLiveExceeded")
    assert (told["deliveryAttempts"], told["lastDeliveryOutcome"]) == (row["attempts"], "InternalServerError")


def test_an_event_is_tried_as_often_as_its_subscription_says(topic: Topic) -> None:
    topic.subscribe(max_attempts=3)
    topic.endpoint.answers = [503]
    topic.sent("often")
    topic.until("the end", lambda: topic.rows(id="often", state="dead", attempts=3))
    assert [headers["aeg-delivery-count"] for headers, _ in topic.endpoint.deliveries] == ["0", "1", "2"]


def test_a_dead_letter_is_a_blob_that_is_announced_as_any_other(topic: Topic) -> None:
    topic.subscribe(max_attempts=1)
    topic.endpoint.answers = [500]
    topic.sent("dead", data={"a": 1})
    topic.until("the end", lambda: topic.rows(id="dead", state="dead"))
    (letter,) = topic.letters()
    path = letter.relative_to(topic.grid.state / "data").as_posix()
    container, _, name = path.partition("/")
    assert container == "signalbox-dead-letter"
    assert re.fullmatch(topic.name.upper() + r"/\d{4}/[1-9]\d?/[1-9]\d?/(0|[1-9]\d?)/[0-9a-f-]{36}\.json", name)
    answer = httpx.get(f"{topic.grid.url}/data/{path}", headers={"x-functions-key": topic.grid.keys.function})
    (told,) = answer.json()
    assert set(told) - set(grid_event("T", "1")) >= {"deadLetterReason", "publishTime", "lastDeliveryAttemptTime"}
    assert told["data"] == {"a": 1}
    subject = f"/blobServices/default/containers/signalbox-dead-letter/blobs/{name}"
    topic.until("its event", lambda: topic.grid.deliveries(type="Microsoft.Storage.BlobCreated", subject=subject))


def test_the_app_finds_the_letter_and_reads_what_the_event_told(topic: Topic) -> None:
    topic.subscribe(max_attempts=1, types=["Microsoft.MachineLearningServices.ModelRegistered", topic.name])
    topic.endpoint.answers = [500]
    model = {"modelName": "prices", "modelVersion": "3", "modelTags": {}, "modelProperties": {}}
    topic.publish([grid_event("Microsoft.MachineLearningServices.ModelRegistered", "m", model, "models/prices:3")])
    topic.until("the end", lambda: topic.rows(id="m", state="dead"))
    letters = dict(asyncio.run(FileLetters(topic.grid.state).waiting(1000)))
    (found,) = [content for name, content in letters.items() if name.startswith(topic.name.upper())]
    (heard,) = told(found)
    assert isinstance(heard, ModelHeard)


def test_without_a_container_what_is_dead_is_dropped(topic: Topic) -> None:
    topic.subscribe(max_attempts=1, dead_letter="")
    topic.endpoint.answers = [500]
    topic.sent("dropped")
    topic.until("the end", lambda: topic.rows(id="dropped", state="dropped"))
    assert topic.letters() == []


def test_a_dead_cloud_event_is_told_in_lower_case(topic: Topic) -> None:
    topic.subscribe(max_attempts=1)
    topic.endpoint.answers = [400]
    topic.publish([{"specversion": "1.0", "id": "c", "source": "/s", "type": topic.name}])
    topic.until("the end", lambda: topic.rows(id="c", state="dead"))
    (told,) = json.loads(topic.letters()[0].read_text())
    assert (told["deadletterreason"], told["deliveryattempts"]) == ("UndeliverableDueToHttpBadRequest", 1)


def test_a_letter_that_was_not_written_yet_is_written_after_a_restart(
    start: Start, tmp_path: Path, topic: Topic, until: Until
) -> None:
    entry = {"name": "s", "endpoint": topic.endpoint.url, "max_attempts": 1}
    write_json(tmp_path / "subscriptions.json", [entry])
    grid = start("tools.local.grid", tmp_path)
    slow = Topic(grid, topic.endpoint, until)
    until("the handshake", lambda: topic.endpoint.asked)
    topic.endpoint.answers = [500]
    until("a delivery", lambda: slow.sent("1") and grid.deliveries(subscription="s"))
    until("the failure", lambda: grid.deliveries(subscription="s", state="dying"))
    assert not (tmp_path / "data/signalbox-dead-letter").exists()
    grid.process.kill()
    grid.process.wait(10)
    again = start("tools.local.grid", tmp_path)
    until("the letter", lambda: again.deliveries(subscription="s", state="dead"))
    assert list((tmp_path / "data/signalbox-dead-letter/S").rglob("*.json"))


def test_a_letter_that_cannot_be_written_is_tried_for_hours_and_then_dropped(
    start: Start, tmp_path: Path, subscriber: Any, until: Until
) -> None:
    subscriber.answers = [400]
    write_json(tmp_path / "subscriptions.json", [{"name": "s", "function": "f"}])
    (tmp_path / "data").mkdir()
    (tmp_path / "data/signalbox-dead-letter").write_text("in the way")
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url, "--time-scale", "0.00002")
    headers = {"aeg-sas-key": grid.keys.topic}
    httpx.post(f"{grid.url}/topics/signalbox/api/events", json=[grid_event("T", "1")], headers=headers)
    until("the end", lambda: grid.deliveries(id="1", state="dropped"))
    assert grid.said().count("the dead letter of event 1 could not be written") > 1


def test_a_batch_has_as_many_events_as_the_subscription_takes(topic: Topic) -> None:
    topic.subscribe(max_events=3)
    topic.sent(*(str(number) for number in range(7)))
    topic.until("all deliveries", lambda: len(topic.rows(state="delivered")) == 8)
    assert sorted(len(body) for _, body in topic.endpoint.deliveries) == [1, 3, 3]
    assert sorted(one["id"] for _, body in topic.endpoint.deliveries for one in body) == list("0123456")


def test_a_batch_fails_as_a_whole(topic: Topic) -> None:
    topic.subscribe(max_events=5)
    topic.endpoint.answers = [500, 200]
    topic.sent("a", "b", "c")
    topic.until("all deliveries", lambda: len(topic.rows(state="delivered", attempts=2)) == 3)
    assert len(topic.endpoint.deliveries[0][1]) == 3


def test_a_batch_is_not_larger_than_preferred_but_a_single_event_may_be(topic: Topic) -> None:
    topic.subscribe(max_events=100, preferred_kilobytes=1)
    topic.publish([grid_event(topic.name, one, "x" * size) for one, size in (("a", 200), ("b", 200), ("c", 5000))])
    topic.until("all deliveries", lambda: len(topic.rows(state="delivered")) == 4)
    assert sorted([one["id"] for one in body] for _, body in topic.endpoint.deliveries) == [["a", "b"], ["c"]]


def test_a_request_holds_what_it_may_and_no_two_schemas() -> None:
    def due(seq: int, body: str = '{"id": "1"}') -> Due:
        return Due(seq, "s", "f", 0, 0.0, "", 0.0, "1", body)

    terms = Subscription("s", "f", max_events=3)
    assert [one.seq for one in filled(terms, due(1), [due(2), due(3), due(4)])] == [1, 2, 3]
    assert [one.seq for one in filled(terms, due(1), [due(2, '{"specversion": "1.0"}'), due(3)])] == [1, 3]


def test_a_batch_of_cloud_events_says_so(topic: Topic) -> None:
    topic.subscribe(max_events=2, schema="")
    topic.publish([{"specversion": "1.0", "id": one, "source": "/s", "type": topic.name} for one in "ab"])
    topic.until("both deliveries", lambda: len(topic.rows(state="delivered")) == 3)
    ((headers, body),) = topic.endpoint.deliveries
    assert headers["content-type"].startswith("application/cloudevents-batch+json")
    assert [one["id"] for one in body] == ["a", "b"]


def test_events_are_mapped_for_a_subscription_in_cloud_events(topic: Topic) -> None:
    topic.endpoint.allows = {"WebHook-Allowed-Origin": "*"}
    topic.subscribe(schema="CloudEventSchemaV1_0")
    topic.publish([{**grid_event(topic.name, "1", {"a": 1}), "dataVersion": "2.0"}])
    topic.until("the delivery", lambda: topic.rows(id="1", state="delivered"))
    ((headers, body),) = topic.endpoint.deliveries
    assert (headers["content-type"], headers["aeg-metadata-version"]) == (
        "application/cloudevents+json; charset=utf-8", "1.0",
    )  # fmt: skip
    assert body == {
        "specversion": "1.0", "id": "1", "subject": "s", "type": topic.name, "time": "2026-11-24T00:00:00Z",
        "data": {"a": 1}, "dataversion": "2.0", "source": body["source"],
    }  # fmt: skip
    assert body["source"].endswith("/topics/signalbox")


def test_a_webhook_that_is_away_costs_an_attempt(topic: Topic) -> None:
    topic.subscribe(max_attempts=2)
    topic.endpoint.close()
    topic.sent("nobody")
    topic.until("the end", lambda: topic.rows(id="nobody", state="dead", attempts=2, outcome="ConnectionRefused"))


def test_duplicates_are_made_when_they_are_wanted(start: Start, tmp_path: Path, subscriber: Any, until: Until) -> None:
    write_json(tmp_path / "subscriptions.json", [{"name": "s", "function": "f"}])
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url, "--duplicates", "2")
    one = {"aeg-sas-key": grid.keys.topic}
    httpx.post(f"{grid.url}/topics/signalbox/api/events", json=[grid_event("T", "twin")], headers=one)
    until("three deliveries", lambda: len(grid.deliveries(state="delivered")) == 3)
    assert [told[0]["id"] for told in subscriber.events()] == ["twin"] * 3


def test_what_was_accepted_is_kept_with_what_became_of_it(tmp_path: Path) -> None:
    store = TopicStore(tmp_path / "grid.db")
    store.accept([(Event("1", "T", "s", {"id": "1"}), [("s", "f"), ("t", "g")])], 1.0)
    first, second = store.waiting(10)
    assert (first.subscription, second.subscription, first.body) == ("s", "t", {"id": "1"})
    assert store.companions(first, 10, 2.0) == []
    store.end([first], "delivered")
    assert [row["state"] for row in store.shown()] == ["delivered", "waiting"]
    store.close()


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"name": "a b", "function": "f"}, "'a b' is no name"),
        ({"name": "a" * 65, "function": "f"}, "is no name"),
        ({"function": "f"}, "None is no name"),
        ({"name": "s"}, "either function or endpoint"),
        ({"name": "s", "function": "f", "endpoint": "http://h"}, "either function or endpoint"),
        ({"name": "s", "endpoint": "ftp://h"}, "http or https address"),
        ({"name": "s", "function": "f", "schema": "cloud"}, "EventGridSchema or CloudEventSchemaV1_0"),
        ({"name": "s", "function": "f", "ttl_minutes": 0}, "ttl_minutes must be 1 to 1440"),
        ({"name": "s", "function": "f", "ttl_minutes": 1441}, "ttl_minutes must be 1 to 1440"),
        ({"name": "s", "function": "f", "max_attempts": 31}, "max_attempts must be 1 to 30"),
        ({"name": "s", "function": "f", "max_events": 5001}, "max_events must be 1 to 5000"),
        ({"name": "s", "function": "f", "preferred_kilobytes": 1025}, "preferred_kilobytes must be 1 to 1024"),
        ({"name": "s", "function": "f", "max_attempts": True}, "max_attempts must be"),
        ({"name": "s", "function": "f", "types": "T"}, "must be a list of event types"),
        ({"name": "s", "function": "f", "subject_begins": None}, "subject_begins cannot be None"),
        ({"name": "s", "function": "f", "case_sensitive": "no"}, "case_sensitive cannot be 'no'"),
        ({"name": "s", "function": "f", "dead_letter": "../x"}, "dead_letter"),
        ({"name": "s", "function": "f", "typo": 1}, "unknown fields: typo"),
    ],
)
def test_a_subscription_that_cannot_be_followed_is_refused_with_its_reason(entry: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadSubscription, match=reason):
        read_subscriptions([entry])


def test_two_subscriptions_cannot_have_one_name() -> None:
    with pytest.raises(BadSubscription, match="one name"):
        read_subscriptions([{"name": "s", "function": "f"}, {"name": "S", "function": "g"}])
    with pytest.raises(BadSubscription, match="not a list"):
        read_subscriptions({"name": "s"})


def test_a_subscription_has_the_terms_of_event_grid() -> None:
    (read,) = read_subscriptions([{"name": "s", "function": "f"}])
    assert read == Subscription("s", "f")
    assert (read.ttl_minutes, read.max_attempts, read.max_events, read.dead_letter) == (
        1440,
        30,
        1,
        "signalbox-dead-letter",
    )
