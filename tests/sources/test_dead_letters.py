"""What a dead letter tells: the same as the event would have told, whichever function it was for."""

import json
from pathlib import Path

import pytest

from shared.errors import NotUnderstood
from shared.release.notices import BlobHeard, DriftHeard, Ignored, ImageHeard, ModelHeard, RunHeard, ServiceHeard
from shared.sources.azure_ml import BREACH, BREACH_TAG
from shared.sources.dead_letters import told

PAYLOADS = Path(__file__).parent / "payloads"
WHY = {"deadLetterReason": "MaxDeliveryAttemptsExceeded", "deliveryAttempts": 30, "lastDeliveryOutcome": "NotFound"}

DEEP = b'[{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}]"


def letter(name: str, **changes: object) -> bytes:
    return json.dumps([json.loads((PAYLOADS / f"{name}.json").read_text()) | WHY | changes]).encode()


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("run_completed", [RunHeard]),
        ("run_failed", [RunHeard]),
        ("model_registered", [ModelHeard]),
        ("model_deployed", [ServiceHeard]),
        ("image_pushed", [ImageHeard]),
        ("blob_created", [BlobHeard]),
        ("dataset_drift", [DriftHeard]),
        ("monitor_breach", [RunHeard, DriftHeard]),
    ],
)
def test_a_letter_tells_what_its_event_would_have_told(name: str, kinds: list[type]) -> None:
    assert [type(notice) for notice in told(letter(name))] == kinds


def test_an_event_of_no_use_is_told_once_with_its_reason() -> None:
    (notice,) = told(
        letter("blob_created", eventType="Microsoft.Storage.BlobDeleted", type="Microsoft.Storage.BlobDeleted")
    )
    assert isinstance(notice, Ignored)
    assert "BlobDeleted" in notice.reason


def test_a_letter_of_several_events_tells_all_of_them() -> None:
    both = json.loads(letter("run_completed")) + json.loads(letter("blob_created"))
    assert [type(notice) for notice in told(json.dumps(both).encode())] == [RunHeard, BlobHeard]


def test_what_cannot_be_used_hides_nothing_that_stands_beside_it() -> None:
    beside = json.loads(letter("blob_created", subject="names no blob")) + json.loads(letter("run_completed"))
    assert [type(notice) for notice in told(json.dumps(beside).encode())] == [RunHeard]
    run = {"runId": "r1", "runStatus": "Failed", "runTags": {BREACH_TAG: BREACH}}
    assert [type(notice) for notice in told(letter("run_failed", data=run))] == [RunHeard]


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'[{"id": "1"}]', DEEP, b"[" * 100_000])
def test_what_is_no_letter_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(NotUnderstood):
        told(content)
