"""Events, published by the real client to a topic on loopback."""

import json
import socket
from pathlib import Path

import pytest
from stand_ins import Topic, until

from shared.backends.local.events import (
    Event,
    image_pushed,
    model_deployed,
    model_registered,
    publish,
    publish_detached,
    run_ended,
)

RELEASE = "0123456789abcdef0123"


def test_an_event_reaches_the_topic_in_event_grids_schema_with_the_key(topic: Topic) -> None:
    assert publish(run_ended("diabetes", f"{RELEASE}-train-1", RELEASE, "train", "train", "Completed"))
    (event,) = topic.events
    assert topic.keys == {"key of the topic"}
    assert event["eventType"] == "Microsoft.MachineLearningServices.RunCompleted"
    assert event["subject"] == f"experiments/diabetes/runs/{RELEASE}-train-1"
    assert event["data"]["runId"] == f"{RELEASE}-train-1"
    assert event["data"]["runProperties"] == {"release": RELEASE, "step": "train"}
    assert "runStatus" not in event["data"]
    assert event["id"]
    assert event["eventTime"]


@pytest.mark.parametrize("status", ["Failed", "Canceled"])
def test_a_run_that_did_not_complete_is_a_changed_status(status: str) -> None:
    event = run_ended("diabetes", "run", RELEASE, "train", "train", status)
    assert event.kind == "Microsoft.MachineLearningServices.RunStatusChanged"
    assert event.data["runStatus"] == status


def test_the_other_events_carry_the_release_where_azure_puts_it() -> None:
    registered = model_registered("diabetes", 3, {"release": RELEASE})
    assert (registered.subject, registered.data["ModelVersion"]) == ("models/diabetes:3", 3)
    assert registered.data["ModelProperties"] == {"release": RELEASE}
    pushed = image_pushed("diabetes", RELEASE, "sha256:" + "a" * 64, 900, "application/vnd.oci.image.manifest.v1+json")
    assert pushed.subject == f"diabetes:{RELEASE}"
    assert pushed.data["target"]["tag"] == RELEASE
    deployed = model_deployed(f"{RELEASE}-staging", "diabetes:3", RELEASE)
    assert deployed.subject == f"endpoints/{RELEASE}-staging"
    assert deployed.data["ServiceProperties"] == {"release": RELEASE}


def test_a_topic_that_fails_at_first_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    topic, waited = Topic(500, 503, 429), list[float]()
    monkeypatch.setenv("TOPIC_ENDPOINT", topic.endpoint)
    monkeypatch.setenv("TOPIC_KEY", "k")
    assert publish(Event("A.B", "s", {}), waits=(1, 2, 3, 4), pause=waited.append)
    assert (topic.attempts, waited, len(topic.events)) == (4, [1, 2, 3], 1)
    topic.close()


def test_a_topic_that_is_not_there_is_given_up_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    monkeypatch.setenv("TOPIC_ENDPOINT", f"http://127.0.0.1:{port}/topics/x/api/events")
    monkeypatch.setenv("TOPIC_KEY", "k")
    assert publish(Event("A.B", "the subject", {}), waits=(1, 2), pause=lambda seconds: None) is False
    assert "A.B the subject was not accepted" in capsys.readouterr().out


def test_without_a_topic_there_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TOPIC_ENDPOINT", raising=False)
    assert publish(Event("A.B", "s", {}))
    publish_detached(Event("A.B", "s", {}), tmp_path / "log")
    assert not (tmp_path / "log").exists()


def test_a_detached_publisher_delivers_the_same_event(topic: Topic, tmp_path: Path) -> None:
    event = model_registered("diabetes", 1, {"release": RELEASE})
    publish_detached(event, tmp_path / "log")
    (arrived,) = until(lambda: topic.events)
    assert arrived["subject"] == "models/diabetes:1"
    assert json.dumps(arrived["data"], sort_keys=True) == json.dumps(dict(event.data), sort_keys=True)
