"""Azure DevOps service hooks: nothing is signed, a password proves the sender, several refs in one push."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice, Pushed
from shared.sources.bodies import header, read_json, understood
from shared.sources.refs import Commit, is_no_commit, why_not_followed
from shared.sources.signatures import Secret, matching_password
from shared.sources.texts import exact, shown

SOURCE = "azure-devops"
SEND = 'Send the event "Code pushed" of an Azure DevOps service hook unchanged.'


class Repository(Struct, rename="camel"):
    """The repository as the payload calls it."""

    remote_url: str | None = None
    ssh_url: str | None = None
    url: str | None = None
    name: str | None = None

    def addresses(self) -> tuple[str, ...]:
        """Return every name it goes by."""
        given = (self.remote_url, self.ssh_url, self.url, self.name)
        return tuple(exact("resource.repository", each) for each in given if each)


class RefUpdate(Struct, rename="camel"):
    """One ref that moved."""

    name: str
    old_object_id: Commit
    new_object_id: Commit


class PushedCommit(Struct, rename="camel"):
    """One of the newest commits of a push."""

    commit_id: str | None = None
    comment: str | None = None


class Person(Struct, rename="camel"):
    """Who pushed, as Azure DevOps knows them."""

    unique_name: str | None = None
    display_name: str | None = None


class Resource(Struct, rename="camel"):
    """What the event is about; its details depend on the settings of the hook."""

    repository: Repository | None = None
    ref_updates: list[RefUpdate] | None = None
    commits: list[PushedCommit] | None = None
    pushed_by: Person | None = None


class Delivery(Struct, rename="camel"):
    """The envelope of every event; `resource` is read when the event is one of ours."""

    event_type: str
    id: str | None = None
    subscription_id: str | None = None
    notification_id: str | int | None = None
    resource: dict[str, object] | None = None

    def name(self) -> str:
        """Return what is the same when this delivery is repeated."""
        if self.subscription_id and self.notification_id is not None:
            return shown(f"{self.subscription_id}:{self.notification_id}", 200)
        return shown(self.id or "", 200)


def signed_by(headers: Mapping[str, str], secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that equal the password of the basic authorization; anything odd is no match."""
    return matching_password(header(headers, "Authorization"), secrets)


def read(headers: Mapping[str, str], body: bytes) -> list[Notice]:
    """Return one notice a ref that moved; `NotUnderstood` names the field, or the setting that leaves it out."""
    delivery = understood(read_json(body), Delivery, "The event", SEND)
    event = shown(delivery.event_type, 100)
    if event != "git.push":
        return [Ignored(SOURCE, event, f"a {event} event; only pushes open releases", delivery.name())]
    push = understood(delivery.resource or {}, Resource, "The resource of the push", SEND)
    addresses = push.repository.addresses() if push.repository else ()
    if push.ref_updates is None or not addresses:
        raise NotUnderstood(
            "The push does not say which refs of which repository moved: "
            'in the service hook set "Resource details to send" to All.'
        )
    if not push.ref_updates:
        return [Ignored(SOURCE, event, "a push that moved no ref", delivery.name(), addresses)]
    return [_moved(each, push, addresses, delivery.name()) for each in push.ref_updates]


def _moved(update: RefUpdate, push: Resource, addresses: tuple[str, ...], delivery: str) -> Notice:
    ref = exact("resource.refUpdates.name", update.name)
    if reason := why_not_followed(ref, gone=is_no_commit(update.new_object_id)):
        return Ignored(SOURCE, ref, reason, delivery, addresses)
    return Pushed(
        SOURCE,
        addresses,
        ref,
        before=update.old_object_id,
        after=update.new_object_id,
        by=_pusher(push.pushed_by or Person()),
        message=_message(push, update.new_object_id),
        delivery=delivery,
    )


def _message(push: Resource, commit: str) -> str:
    """Return the message of the ref's own commit; several refs may have moved, so never another one's."""
    return next((shown(each.comment or "") for each in push.commits or () if each.commit_id == commit), "")


def _pusher(person: Person) -> str:
    """Prefer the e-mail, which comes behind the name of its directory: `Windows Live ID\\\\ana@example.org`."""
    name = person.unique_name or person.display_name or ""
    tail = name.rpartition("\\")[2]
    return shown(tail if "@" in tail else name, 200)
