"""Azure Machine Learning's events: runs, models, services, drift.

Microsoft's own sources disagree on the case of the keys and on whether a version is a number: both are taken.
Only success raises RunCompleted; failures and, today, drift come as RunStatusChanged.
"""

import re

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.ids import release_in
from shared.release.notices import DriftHeard, ModelHeard, Notice, RunHeard, ServiceHeard
from shared.sources.bodies import understood
from shared.sources.eventgrid import Event, ignored, not_taken
from shared.sources.texts import exact, shown

SOURCE = "azure-ml"
TYPES = "Microsoft.MachineLearningServices."
RUN_COMPLETED, RUN_STATUS_CHANGED = TYPES + "RunCompleted", TYPES + "RunStatusChanged"
MODEL_REGISTERED, MODEL_DEPLOYED = TYPES + "ModelRegistered", TYPES + "ModelDeployed"
DATASET_DRIFT_DETECTED, DATA_DRIFTED = TYPES + "DatasetDriftDetected", "Signalbox.DataDrifted"

BREACH_TAG = "azureml_modelmonitor_threshold_breached"
BREACH = "has failed due to one or more features violating metric thresholds"
ENDED = {"completed": "Completed", "failed": "Failed", "canceled": "Canceled", "cancelled": "Canceled"}

_SERVICE = re.compile(r"r[0-9a-f]{20}-[a-z]+")


class Run(Struct):
    """The data of RunCompleted and RunStatusChanged."""

    runid: str | None = None
    experimentname: str | None = None
    runstatus: str | None = None
    runtags: dict[str, object] = {}


class Model(Struct):
    """The data of ModelRegistered."""

    modelname: str | None = None
    modelversion: str | int | None = None
    modelproperties: dict[str, object] = {}


class Service(Struct):
    """The data of ModelDeployed."""

    servicename: str | None = None
    serviceproperties: dict[str, object] = {}
    servicetags: dict[str, object] = {}


class DatasetDrift(Struct):
    """The data of DatasetDriftDetected."""

    datadriftname: str | None = None
    datadriftid: str | None = None
    runid: str | None = None
    driftcoefficient: float | None = None
    starttime: str | None = None
    endtime: str | None = None


class OwnDrift(Struct):
    """The data of the drift event that our own monitor raises."""

    project: str
    window: str
    about: str = ""


def run_ended(event: Event) -> list[Notice]:
    """Return `RunHeard` when a run completed, failed or was cancelled; `Ignored` while it goes on."""
    if event.type not in {RUN_COMPLETED, RUN_STATUS_CHANGED}:
        return not_taken(event, SOURCE)
    run = understood(event.data, Run, f"The event {event.id}")
    name = exact("runId", run.runid or _subject(event, r"experiments/.*/runs/(.+)"))
    if not release_in(name) and release_in(run.experimentname or ""):
        # The service names the run of a published pipeline itself; its experiment is named after our job.
        name = exact("experimentName", run.experimentname or "")
    if event.type == RUN_COMPLETED:
        return [RunHeard(name, "RunCompleted", "Completed")]
    status = exact("runStatus", run.runstatus or "")
    ended = ENDED.get(status.lower())
    if ended is None:
        return ignored(event, SOURCE, f"the run {name} goes on: {status}")
    return [RunHeard(name, "RunStatusChanged", ended)]


def model_registered(event: Event) -> list[Notice]:
    """Return `ModelHeard`, with the release that the version's properties name."""
    if event.type != MODEL_REGISTERED:
        return not_taken(event, SOURCE)
    model = understood(event.data, Model, f"The event {event.id}")
    version = _subject(event, r"models/.+:([^:]+)") if model.modelversion is None else str(model.modelversion)
    return [
        ModelHeard(
            exact("modelName", model.modelname or _subject(event, r"models/(.+):[^:]+")),
            exact("modelVersion", version),
            shown(str(model.modelproperties.get("release", "")), 200),
        )
    ]


def model_deployed(event: Event) -> list[Notice]:
    """Return `ServiceHeard` with the slot of ours, else the name; a deployment that fails raises no event at all.

    A version of an endpoint is told under the name of the endpoint, and a service is called "r" and its slot.
    """
    if event.type != MODEL_DEPLOYED:
        return not_taken(event, SOURCE)
    service = understood(event.data, Service, f"The event {event.id}")
    for told in (service.serviceproperties, service.servicetags):
        if slot := told.get("slot"):
            return [ServiceHeard(exact("slot", str(slot)))]
    name = exact("serviceName", service.servicename or _subject(event, r"endpoints/(.+)"))
    return [ServiceHeard(name[1:] if _SERVICE.fullmatch(name) else name)]


def drift_detected(event: Event) -> list[Notice]:
    """Return `DriftHeard` for a monitor of either generation or our own; `Ignored` for runs that are no breach."""
    if event.type == DATASET_DRIFT_DETECTED:
        return [_dataset_drift(event)]
    if event.type == RUN_STATUS_CHANGED:
        return _monitor_run(event)
    if event.type != DATA_DRIFTED:
        return not_taken(event, SOURCE)
    drift = understood(event.data, OwnDrift, f"The event {event.id}")
    return [DriftHeard(exact("project", drift.project), exact("window", drift.window), shown(drift.about))]


def _dataset_drift(event: Event) -> DriftHeard:
    drift = understood(event.data, DatasetDrift, f"The event {event.id}")
    times = f"{drift.starttime}/{drift.endtime}" if drift.starttime and drift.endtime else ""
    about = "" if drift.driftcoefficient is None else f"drift coefficient {drift.driftcoefficient:.3g}"
    return DriftHeard(
        exact("dataDriftName", drift.datadriftname or drift.datadriftid or ""),
        exact("runId", times or drift.runid or ""),
        about,
    )


def _monitor_run(event: Event) -> list[Notice]:
    run = understood(event.data, Run, f"The event {event.id}")
    breach = str(run.runtags.get(BREACH_TAG, ""))
    if BREACH not in breach:
        return ignored(event, SOURCE, "a run whose tags tell of no drift")
    monitor = exact("experimentName", run.experimentname or "")
    window = exact("runId", run.runid or _subject(event, r"experiments/.*/runs/(.+)"))
    return [DriftHeard(monitor, window, shown(breach))]


def _subject(event: Event, pattern: str) -> str:
    """Return what the subject names when the data leaves it out; `NotUnderstood` when it does not either."""
    found = re.fullmatch(pattern, event.subject)
    if found is None:
        raise NotUnderstood(
            f"The event {event.id} does not name what it is about: "
            f"neither its data nor its subject {shown(event.subject, 200)!r} does."
        )
    return found[1]
