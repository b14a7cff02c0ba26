"""Bitbucket Cloud's webhooks: a signature over the raw bytes, several branches and tags in one push."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice, Pushed
from shared.sources.bodies import header, read_json, understood
from shared.sources.refs import NO_COMMIT, Commit, why_not_followed
from shared.sources.signatures import Secret, matching_hmac
from shared.sources.texts import exact, shown

SOURCE = "bitbucket"
SEND = 'Send the event "Repository push" of a Bitbucket Cloud webhook unchanged.'
_FOLDERS = {"branch": "refs/heads/", "tag": "refs/tags/"}


class Link(Struct):
    """An address under which a person finds something."""

    href: str | None = None


class Links(Struct):
    """The addresses of something; `self` of the API is none that a repository is configured by."""

    html: Link | None = None


class Repository(Struct):
    """The repository as the payload calls it."""

    full_name: str | None = None
    links: Links | None = None

    def addresses(self) -> tuple[str, ...]:
        """Return every name it goes by."""
        html = self.links.html.href if self.links and self.links.html else None
        return tuple(exact("repository", each) for each in (html, self.full_name) if each)


class Target(Struct):
    """The commit at which a ref stands."""

    hash: Commit
    message: str | None = None


class Ref(Struct):
    """A branch or a tag, before or after it moved."""

    type: str
    name: str
    target: Target

    def path(self) -> str:
        """Return the whole name that git has for it."""
        return exact("push.changes.name", _FOLDERS.get(self.type, f"refs/{self.type}/") + self.name)


class Change(Struct):
    """One ref that moved: `old` is null when it was made, `new` when it was deleted."""

    new: Ref | None
    old: Ref | None = None


class Changes(Struct):
    """All that one push moved."""

    changes: list[Change]


class Person(Struct):
    """Who pushed: Bitbucket tells no e-mail."""

    nickname: str | None = None
    display_name: str | None = None


class Push(Struct):
    """The fields of a push that we read."""

    repository: Repository
    push: Changes
    actor: Person | None = None


class Delivery(Struct):
    """What any event may tell about its repository."""

    repository: Repository | None = None


def signed_by(headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that signed these bytes; anything odd is no match, nothing raises."""
    return matching_hmac(header(headers, "X-Hub-Signature"), body, secrets)


def read(headers: Mapping[str, str], body: bytes) -> list[Notice]:
    """Return one notice a ref that moved; `NotUnderstood` names the field."""
    event = shown(header(headers, "X-Event-Key"), 100)
    # It is the same at each attempt of one delivery.
    delivery = shown(header(headers, "X-Request-UUID"), 200)
    document = read_json(body)
    if event != "repo:push":
        told = understood(document, Delivery, f"The event {event}", SEND).repository or Repository()
        return [Ignored(SOURCE, event, f"a {event} event; only pushes open releases", delivery, told.addresses())]
    push = understood(document, Push, "The push", SEND)
    addresses = push.repository.addresses()
    if not addresses:
        raise NotUnderstood("The push names no repository: send repository.full_name.")
    moved = [_moved(each, push, addresses, delivery) for each in push.push.changes]
    return moved or [Ignored(SOURCE, event, "a push that moved no ref", delivery, addresses)]


def _moved(change: Change, push: Push, addresses: tuple[str, ...], delivery: str) -> Notice:
    named = change.new or change.old
    if named is None:
        raise NotUnderstood(f"A change of the push says neither what is new nor what was old. {SEND}")
    ref = named.path()
    reason = why_not_followed(ref, gone=change.new is None)
    if change.new is None or reason:
        return Ignored(SOURCE, ref, reason, delivery, addresses)
    return Pushed(
        source=SOURCE,
        addresses=addresses,
        ref=ref,
        before=change.old.target.hash if change.old else NO_COMMIT,
        after=change.new.target.hash,
        by=_pusher(push.actor or Person()),
        message=shown(change.new.target.message or ""),
        delivery=delivery,
    )


def _pusher(person: Person) -> str:
    return shown(person.nickname or person.display_name or "", 200)
