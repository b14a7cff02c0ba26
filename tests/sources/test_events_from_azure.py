import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from azure.functions.eventgrid import EventGridEventInConverter
from azure.functions.meta import Datum
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotUnderstood
from shared.release.notices import BlobHeard, DriftHeard, Ignored, ImageHeard, ModelHeard, RunHeard, ServiceHeard
from shared.sources.azure_ml import drift_detected, model_deployed, model_registered, run_ended
from shared.sources.container_registry import image_pushed
from shared.sources.eventgrid import Event, normalise
from shared.sources.storage import blob_created
from shared.sources.texts import in_utc

PAYLOADS = Path(__file__).parent / "payloads"
READERS = {
    "run_completed": run_ended,
    "run_failed": run_ended,
    "monitor_breach": drift_detected,
    "dataset_drift": drift_detected,
    "model_registered": model_registered,
    "model_deployed": model_deployed,
    "image_pushed": image_pushed,
    "blob_created": blob_created,
}
RUN = "7c21aa90bb41cc52dd63-train-1"
DIGEST = "sha256:83fc21a8b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f5a4b3c2d1e0"


def payload(name: str) -> dict[str, Any]:
    return json.loads((PAYLOADS / f"{name}.json").read_bytes())


def cloud(document: dict[str, Any], version_key: str = "specversion") -> dict[str, Any]:
    return {
        "id": document["id"],
        "source": document["topic"],
        "type": document["eventType"],
        "subject": document["subject"],
        "time": document["eventTime"],
        "data": document["data"],
        version_key: "1.0",
    }


def triggered(document: dict[str, Any]) -> Any:
    return EventGridEventInConverter.decode(Datum(json.dumps(document), "json"), trigger_metadata={})


def event(name: str, subject: str | None = None, kind: str | None = None, **data: object) -> Event:
    document = payload(name)
    document["data"] |= data
    document["subject"] = document["subject"] if subject is None else subject
    document["eventType"] = kind or document["eventType"]
    return normalise(document)


def recased(value: object, fold: Any) -> object:
    return {fold(key): recased(each, fold) for key, each in value.items()} if isinstance(value, dict) else value


# one event, whatever it came in


@pytest.mark.parametrize("name", READERS)
def test_both_schemas_say_the_same_through_the_library_and_as_they_are(name: str):
    document = payload(name)
    assert type(triggered(document)) is not type(triggered(cloud(document)))
    events = [normalise(each) for each in (document, cloud(document), cloud(document, "specVersion"))]
    events += [normalise(triggered(document)), normalise(triggered(cloud(document)))]
    assert len({READERS[name](each)[0] for each in events}) == 1
    assert {(each.id, each.type, each.subject, each.source) for each in events} == {
        (document["id"], document["eventType"], document["subject"], document["topic"])
    }


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("fold", [str.lower, str.upper, lambda key: key[:1].upper() + key[1:]])
def test_the_case_of_the_keys_does_not_matter(name: str, fold: Any):
    document = payload(name)
    plain = READERS[name](normalise(document))
    assert not isinstance(plain[0], Ignored)
    assert READERS[name](normalise(document | {"data": recased(document["data"], fold)})) == plain


@pytest.mark.parametrize("name", READERS)
def test_fields_nobody_knows_are_ignored_and_null_is_absent(name: str):
    document = payload(name)
    plain = READERS[name](normalise(document))
    document["data"] |= {"newField": {"deep": [1]}, "SERVICETAGS": None, "runProperties": None, "modelTags": None}
    assert READERS[name](normalise(document)) == plain


def test_a_cloud_event_whose_version_is_misspelt_says_what_to_write():
    lost_type = triggered(cloud(payload("run_completed"), "specVersion"))
    assert lost_type.event_type is None
    with pytest.raises(NotUnderstood, match=r"ev-run-completed has no type: .*specversion in lower case"):
        normalise(lost_type)


@pytest.mark.parametrize("strange", [None, "text", 7, [], b"{}"])
def test_what_is_no_event_is_not_understood(strange: object):
    with pytest.raises(NotUnderstood, match="is no event of Event Grid"):
        normalise(strange)


def test_an_event_without_anything_is_not_understood_and_without_data_has_none():
    with pytest.raises(NotUnderstood, match="without an id has no type"):
        normalise({})
    assert normalise({"type": "T", "data": None}).data == {}


@pytest.mark.parametrize("data", ["text", 7, [{"runId": "x"}]])
def test_data_that_is_no_object_is_not_understood(data: object):
    with pytest.raises(NotUnderstood, match="send an object"):
        normalise({"id": "ev", "type": "T", "data": data})


def test_times_are_texts_and_of_two_spellings_the_first_counts():
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    read = normalise({"type": "T", "time": moment, "data": {"RunId": "a", "runId": "b", "Tags": {"X": 1, "x": None}}})
    assert read.time == "2026-03-01T00:00:00+00:00"
    assert read.data == {"runid": "a", "tags": {"x": 1}}


@pytest.mark.parametrize("reader", [run_ended, model_registered, model_deployed, drift_detected, image_pushed])
def test_a_type_that_a_reader_does_not_take_is_ignored_by_name(reader: Any):
    (notice,) = reader(event("blob_created"))
    assert isinstance(notice, Ignored)
    assert notice.reason == "an event of the type Microsoft.Storage.BlobCreated, which is not taken here"
    assert blob_created(event("image_pushed"))[0].reason.startswith("an event of the type Microsoft.ContainerRegistry")


# runs


def test_a_run_that_completed_is_heard():
    assert run_ended(event("run_completed")) == [RunHeard(RUN, "RunCompleted", "Completed")]


@pytest.mark.parametrize(
    ("status", "heard"),
    [("failed", "Failed"), ("Failed", "Failed"), ("Canceled", "Canceled"), ("cancelled", "Canceled")],
)
def test_a_run_that_failed_or_was_cancelled_is_heard_in_one_spelling(status: str, heard: str):
    assert run_ended(event("run_failed", runStatus=status)) == [RunHeard(RUN, "RunStatusChanged", heard)]


@pytest.mark.parametrize("status", ["Queued", "Running", "CancelRequested", "Finalizing"])
def test_a_run_that_goes_on_is_ignored(status: str):
    (notice,) = run_ended(event("run_failed", runStatus=status))
    assert notice == Ignored(
        "azure-ml", f"experiments/diabetes/runs/{RUN}", f"the run {RUN} goes on: {status}", "ev-run-failed"
    )


def test_the_run_of_a_published_pipeline_is_known_by_its_experiment_which_is_named_after_our_job():
    theirs = "5b6c8a1e-1111-4222-8333-944455556666"
    assert run_ended(event("run_completed", runId=theirs, experimentName=RUN)) == [
        RunHeard(RUN, "RunCompleted", "Completed")
    ]
    assert run_ended(event("run_completed", runId=theirs, experimentName="nightly"))[0] == RunHeard(
        theirs, "RunCompleted", "Completed"
    )


def test_a_run_is_named_by_the_subject_when_the_data_does_not():
    assert run_ended(event("run_completed", runId=None))[0].run == RUN
    with pytest.raises(NotUnderstood, match=r"does not name what it is about: .*'runs/x'"):
        run_ended(event("run_completed", subject="runs/x", runId=None))


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"runStatus": None}, "runStatus is empty"),
        ({"runId": 7}, "`runid`"),
        ({"runId": "a\u202eb"}, "runId has a hidden"),
    ],
)
def test_an_odd_field_of_a_run_is_named(data: dict[str, object], field: str):
    with pytest.raises(NotUnderstood, match=field):
        run_ended(event("run_failed", **data))


# models and services


def test_a_registered_model_leads_back_to_its_release():
    assert model_registered(event("model_registered")) == [ModelHeard("diabetes", "20", "7c21aa90bb41cc52dd63")]


def test_a_model_of_others_has_no_release_and_its_version_may_be_a_text():
    heard = model_registered(event("model_registered", ModelVersion="7", ModelProperties=None))
    assert heard == [ModelHeard("diabetes", "7", "")]


def test_a_model_is_named_by_the_subject_when_the_data_does_not():
    bare = event("model_registered", subject="models/a:b:3", ModelName=None, ModelVersion=None)
    assert model_registered(bare) == [ModelHeard("a:b", "3", "7c21aa90bb41cc52dd63")]


def test_a_deployed_service_is_heard_by_its_name_else_by_the_subject():
    expected = [ServiceHeard("7c21aa90bb41cc52dd63-staging")]
    assert model_deployed(event("model_deployed")) == expected
    assert model_deployed(event("model_deployed", ServiceName=None)) == expected
    with pytest.raises(NotUnderstood, match="ev-service does not name"):
        model_deployed(event("model_deployed", subject="", ServiceName=""))


@pytest.mark.parametrize("told", ["ServiceProperties", "ServiceTags"])
def test_a_version_of_an_endpoint_is_heard_by_the_slot_it_carries(told: str):
    slot = "7c21aa90bb41cc52dd63-production"
    deployed = event("model_deployed", ServiceName="diabetes", **{told: {"Slot": slot, "release": slot[:20]}})
    assert model_deployed(deployed) == [ServiceHeard(slot)]


def test_the_letter_before_the_slot_in_the_name_of_a_service_is_not_of_the_slot():
    slot = "7c21aa90bb41cc52dd63-staging"
    assert model_deployed(event("model_deployed", ServiceName=f"r{slot}")) == [ServiceHeard(slot)]
    assert model_deployed(event("model_deployed", ServiceName="risk")) == [ServiceHeard("risk")]


# drift


def test_the_drift_of_a_dataset_monitor_is_named_by_its_window():
    window = "2026-02-01T00:00:00+00:00/2026-02-08T00:00:00+00:00"
    assert drift_detected(event("dataset_drift")) == [DriftHeard("flight-delays", window, "drift coefficient 0.835")]


def test_the_drift_of_a_dataset_monitor_without_times_or_name_is_named_by_its_run_and_id():
    bare = event("dataset_drift", StartTime=None, DataDriftName=None, DriftCoefficient=None)
    assert drift_detected(bare) == [DriftHeard("d-3", "d-3_1590300380", "")]
    half = event("dataset_drift", EndTime=None)
    assert drift_detected(half)[0].window == "d-3_1590300380"
    with pytest.raises(NotUnderstood, match="runId is empty"):
        drift_detected(event("dataset_drift", EndTime=None, RunId=None))
    with pytest.raises(NotUnderstood, match="dataDriftName is empty"):
        drift_detected(event("dataset_drift", DataDriftId=None, DataDriftName=None))


def test_a_breach_that_a_model_monitor_tags_is_drift():
    (notice,) = drift_detected(event("monitor_breach"))
    assert (notice.monitor, notice.window) == ("flight_delays_monitor", "monitor_run_9")
    assert notice.about.startswith("flight_delays_monitor_data_drift has failed")
    assert drift_detected(event("monitor_breach", RunId=None))[0].window == "monitor_run_9"


@pytest.mark.parametrize("tags", [None, {}, {"azureml_modelmonitor_threshold_breached": "all well"}, {"other": [1]}])
def test_a_run_without_a_breach_is_no_drift(tags: object):
    (notice,) = drift_detected(event("monitor_breach", RunTags=tags))
    assert notice.reason == "a run whose tags tell of no drift"


def test_our_own_monitor_names_project_and_window():
    data = {"Project": "flight-delays", "window": "2026-W09", "about": "month: new values\u202e"}
    own = normalise({"id": "ev", "type": "Signalbox.DataDrifted", "data": data})
    assert drift_detected(own) == [DriftHeard("flight-delays", "2026-W09", "month: new values")]
    with pytest.raises(NotUnderstood, match="missing required field `window`"):
        drift_detected(normalise({"type": "Signalbox.DataDrifted", "data": {"project": "x"}}))


# images


@pytest.mark.parametrize(
    "media",
    [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ],
)
def test_an_image_manifest_of_every_kind_is_heard(media: str):
    document = payload("image_pushed")
    document["data"]["target"]["mediaType"] = media
    assert image_pushed(normalise(document)) == [ImageHeard("diabetes", "7c21aa90bb41cc52dd63", DIGEST)]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"},
            "no image manifest but application/vnd.oci.image.layer",
        ),
        ({"mediaType": None}, "no image manifest but no media type"),
        ({"tag": None}, "an image without a tag"),
        ({"tag": ""}, "an image without a tag"),
    ],
)
def test_what_is_no_tagged_image_is_ignored(change: dict[str, object], reason: str):
    document = payload("image_pushed")
    document["data"]["target"] |= change
    assert image_pushed(normalise(document))[0].reason.startswith(reason)


@pytest.mark.parametrize("field", ["repository", "digest"])
def test_an_image_without_a_name_or_digest_is_not_understood(field: str):
    document = payload("image_pushed")
    del document["data"]["target"][field]
    with pytest.raises(NotUnderstood, match=f"missing required field `{field}` - at `target`"):
        image_pushed(normalise(document))


# blobs


def test_a_blob_is_placed_by_the_subject_and_never_by_the_url():
    assert blob_created(event("blob_created")) == [
        BlobHeard(
            "diabetes-data",
            "2026/03/blobs/rows.csv",
            24288,
            "0x8D4BCC2E4835CD0",
            "00000000000004420000000000028963",
            "2026-03-01T09:12:44.037915+00:00",
        )
    ]


def test_an_etag_without_quotes_or_a_weak_one_is_taken_and_a_sequencer_may_be_absent():
    heard = blob_created(event("blob_created", eTag="0x1", sequencer=None))[0]
    assert (heard.etag, heard.sequencer) == ("0x1", "")
    assert blob_created(event("blob_created", eTag='W/"0x1"'))[0].etag == "0x1"


@pytest.mark.parametrize("api", ["PutBlob", "CopyBlob", "FlushWithClose", "SftpCommit", None])
def test_a_write_that_is_whole_counts(api: str | None):
    assert isinstance(blob_created(event("blob_created", api=api))[0], BlobHeard)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"api": "CreateFile"}, "CreateFile comes before the content; the event that ends the writing counts"),
        ({"api": "SftpCreate"}, "SftpCreate comes before the content; the event that ends the writing counts"),
        ({"contentLength": -1}, "a blob of -1 bytes"),
    ],
)
def test_a_write_that_is_not_whole_is_ignored(data: dict[str, object], reason: str):
    assert blob_created(event("blob_created", **data))[0].reason == reason


@pytest.mark.parametrize("api", ["PutBlob", "FlushWithClose"])
def test_an_empty_blob_is_told_as_it_is_because_it_may_announce_others(api: str):
    assert blob_created(event("blob_created", api=api, contentLength=0))[0].size == 0


@pytest.mark.parametrize("name", ["../keys.json", "a/../../b", "a//b", "/etc/x", "./a", "a/", "a\x00b", "a\u202eb"])
def test_a_name_that_is_no_plain_path_is_ignored(name: str):
    (notice,) = blob_created(event("blob_created", subject=f"/blobServices/default/containers/c/blobs/{name}"))
    assert notice.reason.startswith("its name is no plain path")


@pytest.mark.parametrize(
    "given",
    [{"subject": "/blobServices/default/containers/c\ud800/blobs/b"}, {"eTag": "\ud800"}, {"sequencer": "\ud800"}],
)
def test_a_blob_that_cannot_be_written_down_is_ignored_and_does_not_come_for_ever(given: dict[str, Any]):
    (notice,) = blob_created(event("blob_created", **given))
    assert notice.reason.startswith("its name is no plain path")


@pytest.mark.parametrize(
    ("read", "name", "field"),
    [
        (model_registered, "model_registered", "ModelVersion"),
        (image_pushed, "image_pushed", "target"),
        (blob_created, "blob_created", "contentLength"),
        (drift_detected, "dataset_drift", "DriftCoefficient"),
    ],
)
def test_text_that_is_no_unicode_is_not_understood_and_does_not_come_for_ever(read: Any, name: str, field: str):
    with pytest.raises(NotUnderstood):
        read(event(name, **{field: "\ud800"}))


@pytest.mark.parametrize("subject", ["", "containers/c/blobs/b", "/blobServices/default/containers/c/blobs/"])
def test_a_subject_that_names_no_blob_is_not_understood(subject: str):
    with pytest.raises(NotUnderstood, match="names no blob"):
        blob_created(event("blob_created", subject=subject))


@pytest.mark.parametrize("field", ["contentLength", "eTag"])
def test_a_blob_without_a_size_or_an_etag_is_not_understood(field: str):
    with pytest.raises(NotUnderstood, match=f"missing required field `{field.lower()}`"):
        blob_created(event("blob_created", **{field: None}))


values = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.none(), max_size=1) | st.just({"release": []})
keys = st.sampled_from(
    ["runId", "runStatus", "runTags", "ModelVersion", "ModelProperties", "ServiceName", "target", "eTag", "api"]
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(READERS)), st.dictionaries(keys, values), st.text(max_size=20))
def test_whatever_an_event_holds_it_is_notices_or_not_understood(name: str, data: dict[str, object], subject: str):
    with suppress(NotUnderstood):
        assert len(READERS[name](event(name, subject=subject, **data))) == 1


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("2026-03-01T09:12:44Z", "2026-03-01T09:12:44.000000+00:00"),
        ("2026-03-01T10:12:44.5+01:00", "2026-03-01T09:12:44.500000+00:00"),
        ("2026-03-01T09:12:44", ""),
        ("yesterday", ""),
        ("", ""),
        ("0001-01-01T00:00:00+23:59", ""),
    ],
)
def test_the_time_of_a_blob_is_in_utc_or_unknown(said: str, read: str):
    assert in_utc(said) == read


@pytest.mark.parametrize(("length", "taken"), [(1024, True), (1025, False)])
def test_a_name_that_no_blob_can_have_is_ignored(length: int, taken: bool):
    (notice,) = blob_created(event("blob_created", subject=f"/blobServices/default/containers/c/blobs/{'x' * length}"))
    assert isinstance(notice, BlobHeard) is taken
    assert taken or notice.reason == "a name of 1025 characters, and a blob's has 1024 at most"
