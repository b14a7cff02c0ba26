"""Azure Storage's events, and those of the local data folder: a blob was written."""

import re

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import BlobHeard, Notice
from shared.sources.bodies import understood
from shared.sources.eventgrid import Event, ignored, not_taken
from shared.sources.texts import hidden_in, in_utc, shown

SOURCE = "storage"
BLOB_CREATED = "Microsoft.Storage.BlobCreated"
# Raised by hierarchical namespaces and SFTP before the content is whole; FlushWithClose and SftpCommit follow.
NOT_WHOLE_YET = frozenset({"createfile", "sftpcreate"})
LONGEST_NAME = 1024
_SUBJECT = re.compile(r"/blobServices/default/containers/([^/]+)/blobs/(.+)", re.DOTALL)


class Blob(Struct):
    """The data of BlobCreated."""

    contentlength: int
    etag: str
    api: str = ""
    sequencer: str = ""


def blob_created(event: Event) -> list[Notice]:
    """Return `BlobHeard` for a blob whose content is whole, else `Ignored` with its reason.

    An empty blob is whole too: it may be the one that says that all the others are there.

    The place comes from the subject alone: Microsoft's own samples name another container in `url`.
    """
    if event.type != BLOB_CREATED:
        return not_taken(event, SOURCE)
    found = _SUBJECT.fullmatch(event.subject)
    if found is None:
        raise NotUnderstood(f"The subject {shown(event.subject, 200)!r} of the event {event.id} names no blob.")
    container, name = found[1], found[2]
    blob = understood(event.data, Blob, f"The event {event.id}")
    if reason := _why_not(container, name, blob):
        return ignored(event, SOURCE, reason)
    etag = blob.etag.removeprefix("W/").strip('"')
    return [BlobHeard(container, name, blob.contentlength, etag, blob.sequencer, in_utc(event.time))]


def _why_not(container: str, name: str, blob: Blob) -> str:
    if blob.api.lower() in NOT_WHOLE_YET:
        return f"{blob.api} comes before the content; the event that ends the writing counts"
    if blob.contentlength < 0:
        return f"a blob of {blob.contentlength} bytes"
    if len(name) > LONGEST_NAME:
        return f"a name of {len(name)} characters, and a blob's has {LONGEST_NAME} at most"
    # A name becomes a path where a job reads it.
    if hidden_in(container + name + blob.etag + blob.sequencer) or not {"", ".", ".."}.isdisjoint(name.split("/")):
        return "its name is no plain path: it has hidden characters, or an empty or dotted part"
    return ""
