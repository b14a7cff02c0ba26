"""Events that Event Grid gave up: what they told is not lost, it is read from their letters."""

import msgspec

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice
from shared.sources import azure_ml, container_registry, storage
from shared.sources.eventgrid import Event, normalise

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
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"the letter is no JSON list of events ({error})") from error
    return [notice for event in events for notice in _told(normalise(event))]


def _told(event: Event) -> list[Notice]:
    notices = [notice for read in READERS for notice in read(event)]
    used: list[Notice] = [notice for notice in notices if not isinstance(notice, Ignored)]
    return used or notices[:1]
