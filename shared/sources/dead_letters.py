"""Events that Event Grid gave up: what they told is not lost, it is read from their letters."""

import msgspec

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice
from shared.sources import azure_ml, container_registry, storage
from shared.sources.eventgrid import normalise

READERS = (
    azure_ml.run_ended,
    azure_ml.model_registered,
    azure_ml.model_deployed,
    azure_ml.drift_detected,
    container_registry.image_pushed,
    storage.blob_created,
)


def told(letter: bytes) -> list[Notice]:
    """Return what the events of a letter tell; `NotUnderstood` when it is no letter or none of them is of use.

    A subscription's name says nothing about its function on Azure, so the type of each event decides.
    """
    try:
        events = msgspec.json.decode(letter, type=list[dict[str, object]])
    # The last is what an event says that is nested too deep: it would be met again at every look of the patrol.
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise NotUnderstood(f"the letter is no JSON list of events ({error})") from error
    notices: list[Notice] = []
    refused: list[NotUnderstood] = []
    for event in events:
        notices += _told(event, refused)
    if refused and not notices:
        raise refused[0]
    return notices


def _told(raw: dict[str, object], refused: list[NotUnderstood]) -> list[Notice]:
    """Return what readers make of an event; what one cannot use hides nothing from another."""
    try:
        event = normalise(raw)
    except NotUnderstood as error:
        refused.append(error)
        return []
    notices: list[Notice] = []
    for read in READERS:
        try:
            notices += read(event)
        except NotUnderstood as error:
            refused.append(error)
    used: list[Notice] = [notice for notice in notices if not isinstance(notice, Ignored)]
    return used or ([] if refused else notices[:1])
