"""Event Grid's events, in both schemas, drive the line through the functions alone."""

from datetime import UTC, datetime

import azure.functions as func
import pytest
from msgspec import structs

from functions.on_data_drift import on_data_drift
from functions.on_image_pushed import on_image_pushed
from functions.on_model_deployed import on_model_deployed
from functions.on_model_registered import on_model_registered
from functions.on_new_data import on_new_data
from functions.on_run_ended import on_run_ended
from functions.on_time_passed import on_time_passed
from shared.errors import Unavailable
from shared.release import line, notices
from tests.functions.conftest import App

ML = "Microsoft.MachineLearningServices"


def eventgrid(kind: str, subject: str, data: dict[str, object]) -> func.EventGridEvent:
    return func.EventGridEvent(
        id="e-1",
        data=data,
        topic="/subscriptions/x",
        subject=subject,
        event_type=kind,
        event_time=datetime(2026, 3, 3, tzinfo=UTC),
        data_version="",
    )


def cloud(kind: str, subject: str, data: dict[str, object]) -> func.CloudEvent:
    return func.CloudEvent(
        id="e-1",
        source="/subscriptions/x",
        type=kind,
        subject=subject,
        data=data,
        specversion="1.0",
        time=datetime(2026, 3, 3, tzinfo=UTC),
    )


def deliver(app: App, notice: notices.Notice, schema: object) -> None:
    """Deliver what the world raised as the platform would write it."""
    make = eventgrid if schema == "eventgrid" else cloud
    match notice:
        case notices.RunHeard(run=run, event=event, status=status):
            data: dict[str, object] = {"runId": run, "runStatus": status, "runTags": None}
            app.event(on_run_ended, make(f"{ML}.{event}", f"experiments/x/runs/{run}", data))
        case notices.ModelHeard(name=name, version=version, release=release):
            data = {"ModelName": name, "ModelVersion": int(version), "ModelProperties": {"release": release}}
            app.event(on_model_registered, make(f"{ML}.ModelRegistered", f"models/{name}:{version}", data))
        case notices.ImageHeard(repository=repository, tag=tag, digest=digest):
            target = {"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest}
            data = {"target": target | {"repository": repository, "tag": tag}}
            kind = "Microsoft.ContainerRegistry.ImagePushed"
            app.event(on_image_pushed, make(kind, f"{repository}:{tag}", data))
        case notices.ServiceHeard(service=service):
            app.event(on_model_deployed, make(f"{ML}.ModelDeployed", f"endpoints/{service}", {"ServiceName": service}))


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
def test_the_events_of_the_platform_drive_a_push_to_production(app: App, schema: str) -> None:
    release = app.world.push("a")
    decided = False
    while app.world.orders or app.world.events:
        while app.world.orders:
            app.world.work(app.world.orders.pop(0))
        while app.world.events:
            deliver(app, app.world.events.pop(0), schema)
        if not decided and line.standing(app.world.state(release)) == "ask" and not app.world.orders:
            app.world.decide(release)
            decided = True
    assert app.world.live() == release


def test_a_blob_is_an_arrival_and_trains_the_last_commit_that_passed(app: App) -> None:
    data = {"api": "PutBlob", "contentLength": 9, "eTag": '"0x1"', "blobType": "BlockBlob", "sequencer": "01"}
    subject = "/blobServices/default/containers/houses/blobs/in/march.csv"
    app.event(on_new_data, eventgrid("Microsoft.Storage.BlobCreated", subject, data))
    (arrival,) = app.world.state_of_project().arrivals.values()
    assert (arrival.name, arrival.etag, arrival.size) == ("in/march.csv", "0x1", 9)


def test_both_kinds_of_drift_want_a_training_and_what_comes_while_one_runs_waits(app: App) -> None:
    app.world.push("a")
    app.world.run()
    old = {"DataDriftName": "houses-monitor", "RunId": "r1", "StartTime": "2026-01-01", "EndTime": "2026-02-01"}
    app.event(on_data_drift, eventgrid(f"{ML}.DatasetDriftDetected", "datadrifts/a/runs/b", old))
    said = "houses-monitor_drift has failed due to one or more features violating metric thresholds"
    new = {"experimentName": "houses-monitor", "runId": "r2", "runStatus": "Failed"}
    new["runTags"] = {"azureml_modelmonitor_threshold_breached": said}  # type: ignore[assignment]
    app.event(on_data_drift, cloud(f"{ML}.RunStatusChanged", "experiments/a/runs/b", new))  # type: ignore[arg-type]
    causes = [numbered.cause for numbered in app.world.state_of_project().numbered.values()]
    assert causes == ["push", "drift"]
    app.world.run()
    causes = [numbered.cause for numbered in app.world.state_of_project().numbered.values()]
    assert causes == ["push", "drift", "drift"]


def test_the_timer_trains_what_was_wanted_once_the_data_were_quiet(app: App) -> None:
    app.world.push("a")
    app.world.run()
    entry = app.world.projects["houses"]
    app.world.projects["houses"] = structs.replace(entry, data=structs.replace(entry.data, quiet_seconds=10))  # type: ignore[type-var]
    app.world.data()
    app.timer(on_time_passed)
    assert [numbered.cause for numbered in app.world.state_of_project().numbered.values()] == ["push"]
    app.world.wait(seconds=10)
    app.timer(on_time_passed)
    assert [numbered.cause for numbered in app.world.state_of_project().numbered.values()] == ["push", "data"]
    assert [order.step for order in app.world.orders] == ["check"]


def test_an_event_without_a_type_is_kept_with_its_reason_and_acknowledged(app: App) -> None:
    event = func.EventGridEvent(id="1", data={}, topic="", subject="", event_type="", event_time=None, data_version="")
    app.event(on_run_ended, event)
    assert "has no type" in app.world.inbox()[0]


def test_what_cannot_be_used_yet_raises_so_that_it_comes_again(app: App) -> None:
    release = app.world.push("a")
    app.world.away.add("repository")
    with pytest.raises(Unavailable):
        app.world.run()
    assert line.standing(app.world.state(release)) == "check"
