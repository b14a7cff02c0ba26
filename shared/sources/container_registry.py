"""Azure Container Registry's events, and those of the local image layout: a manifest was pushed."""

from msgspec import Struct

from shared.release.notices import ImageHeard, Notice
from shared.sources.bodies import understood
from shared.sources.eventgrid import Event, ignored, not_taken
from shared.sources.texts import exact, shown

SOURCE = "container-registry"
IMAGE_PUSHED = "Microsoft.ContainerRegistry.ImagePushed"
# Docker's and OCI's manifests and lists of them; OCI calls its list an index.
MANIFESTS = ("manifest", "image.index")


class Target(Struct):
    """What was pushed."""

    repository: str
    digest: str
    mediatype: str = ""
    tag: str = ""


class Push(Struct):
    """The data of ImagePushed."""

    target: Target


def image_pushed(event: Event) -> list[Notice]:
    """Return `ImageHeard` for a manifest under a tag, else `Ignored`; the event knows no model."""
    if event.type != IMAGE_PUSHED:
        return not_taken(event, SOURCE)
    target = understood(event.data, Push, f"The event {event.id}").target
    if not any(each in target.mediatype.lower() for each in MANIFESTS):
        return ignored(event, SOURCE, f"no image manifest but {shown(target.mediatype, 200) or 'no media type'}")
    if not target.tag:
        return ignored(event, SOURCE, "an image without a tag")
    return [
        ImageHeard(
            exact("target.repository", target.repository),
            exact("target.tag", target.tag),
            exact("target.digest", target.digest),
        )
    ]
