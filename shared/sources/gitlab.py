"""GitLab's webhooks: a token given word for word proves the sender, one ref in a push."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import Ignored, Notice, Pushed
from shared.sources.bodies import header, read_json, understood
from shared.sources.refs import Commit, is_no_commit, why_not_followed
from shared.sources.signatures import Secret, matching_text
from shared.sources.texts import exact, shown

SOURCE = "gitlab"
SEND = 'Send the "Push events" of a GitLab webhook unchanged, without a custom template.'
PUSHES = ("push", "tag_push")
_HIDDEN = "[REDACTED]"
"""What GitLab writes in place of an e-mail that its owner does not show."""


class Repository(Struct):
    """The repository, which GitLab calls project."""

    git_http_url: str | None = None
    git_ssh_url: str | None = None
    web_url: str | None = None
    path_with_namespace: str | None = None

    def addresses(self) -> tuple[str, ...]:
        """Return every name it goes by."""
        given = (self.git_http_url, self.git_ssh_url, self.web_url, self.path_with_namespace)
        return tuple(exact("project", each) for each in given if each)


class PushedCommit(Struct):
    """One of the newest twenty commits of a push."""

    id: str | None = None
    message: str | None = None


class Push(Struct):
    """The fields of a push that we read."""

    ref: str
    before: Commit
    after: Commit
    project: Repository
    user_email: str | None = None
    user_username: str | None = None
    user_name: str | None = None
    commits: list[PushedCommit] | None = None


class Delivery(Struct):
    """What any event may tell about itself and its repository."""

    object_kind: str | None = None
    event_name: str | None = None
    project: Repository | None = None


def signed_by(headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that equal the token; anything odd is no match, nothing raises."""
    return matching_text(header(headers, "X-Gitlab-Token"), secrets)


def read(headers: Mapping[str, str], body: bytes) -> list[Notice]:
    """Return `Pushed` for a branch that moved, else `Ignored` with its reason; `NotUnderstood` names the field."""
    document = read_json(body)
    delivery = shown(header(headers, "Idempotency-Key") or header(headers, "X-Gitlab-Event-UUID"), 200)
    told = understood(document, Delivery, "The event", SEND)
    kind = told.object_kind or told.event_name or ""
    if kind in PUSHES:
        return [_push(understood(document, Push, "The push", SEND), delivery)]
    event = shown(header(headers, "X-Gitlab-Event") or kind, 100)
    if not event:
        raise NotUnderstood(f"The event says nowhere what it is: the field object_kind is missing. {SEND}")
    addresses = (told.project or Repository()).addresses()
    return [Ignored(SOURCE, event, f"a {event} event; only pushes open releases", delivery, addresses)]


def _push(push: Push, delivery: str) -> Notice:
    addresses = push.project.addresses()
    if not addresses:
        raise NotUnderstood("The push names no repository: send project.git_http_url or project.path_with_namespace.")
    ref = exact("ref", push.ref)
    if reason := why_not_followed(ref, gone=is_no_commit(push.after)):
        return Ignored(SOURCE, ref, reason, delivery, addresses)
    said = next((each.message for each in push.commits or () if each.id == push.after), "")
    return Pushed(SOURCE, addresses, ref, push.before, push.after, _pusher(push), shown(said or ""), delivery)


def _pusher(push: Push) -> str:
    """Prefer the e-mail, which is what approvers are named by, to the names."""
    email = push.user_email if push.user_email != _HIDDEN else ""
    return shown(email or push.user_username or push.user_name or "", 200)
