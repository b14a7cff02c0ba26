"""Azure DevOps service hooks: nothing is signed, a password or a header proves the sender, several refs in one push."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, field

from shared.errors import NotUnderstood
from shared.release.notices import BuildHeard, Ignored, Notice, Pushed
from shared.sources.bodies import header, read_json, understood
from shared.sources.refs import Commit, is_commit, is_no_commit, why_not_followed
from shared.sources.signatures import Secret, matching_password, matching_text
from shared.sources.texts import exact, link, shown

SOURCE = "azure-devops"
SEND = 'Send the event "Code pushed" of an Azure DevOps service hook unchanged.'

SET = 'in the service hook set "Resource details to send" to All'
PROOF = "X-Signalbox-Secret"
"""The header to set in a service hook that gives no password."""
VERDICTS: dict[str, Literal["success", "failure"]] = {
    "succeeded": "success",
    "failed": "failure",
    "partiallySucceeded": "failure",
}
"""What the result of a build says of the commit; one that was canceled says nothing."""


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


class Definition(Struct):
    """The pipeline of a build."""

    name: str | None = None


class Build(Struct, rename="camel"):
    """A build that came to its end, in both versions of the resource."""

    id: int | None = None
    definition: Definition | None = None
    status: str | None = None
    result: str | None = None
    source_branch: str | None = None
    source_version: str | None = None
    source_get_version: str | None = None
    repository: Repository | None = None
    url: str | None = None
    links: dict[str, Any] | None = field(default=None, name="_links")

    def commit(self) -> str:
        """Return what was built; the older version of the resource writes it behind its branch."""
        return self.source_version or (self.source_get_version or "").rpartition(":")[2]

    def addresses(self) -> tuple[str, ...]:
        """Return the address of a repository in Azure DevOps; a build of another host names none that is compared."""
        url = self.repository.url if self.repository else None
        return (exact("resource.repository.url", url),) if url and "/_git/" in url else ()

    def link(self) -> str:
        """Return the page of the build for people."""
        web = (self.links or {}).get("web")
        page = web.get("href") if isinstance(web, dict) else None
        return link(page if isinstance(page, str) else self.url or "")


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


def signed_by(headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that equal the header, or the password of the basic authorization; anything odd is none."""
    if given := header(headers, PROOF):
        return matching_text(given, secrets)
    return matching_password(header(headers, "Authorization"), secrets)


def read(headers: Mapping[str, str], body: bytes) -> list[Notice]:
    """Return one notice a ref that moved; `NotUnderstood` names the field, or the setting that leaves it out."""
    delivery = understood(read_json(body), Delivery, "The event", SEND)
    event = shown(delivery.event_type, 100)
    if event == "build.complete":
        return [_build(understood(delivery.resource or {}, Build, "The resource of the build", SEND), delivery.name())]
    if event != "git.push":
        return [Ignored(SOURCE, event, f"a {event} event; only pushes open releases", delivery.name())]
    push = understood(delivery.resource or {}, Resource, "The resource of the push", SEND)
    addresses = push.repository.addresses() if push.repository else ()
    if not addresses:
        raise NotUnderstood(f"The push does not say which refs of which repository moved: {SET}.")
    if push.ref_updates is None:
        reason = f"a push that does not say which refs moved, so the patrol looks at the branch; {SET}"
        return [Ignored(SOURCE, event, reason, delivery.name(), addresses)]
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


def _build(build: Build, delivery: str) -> Notice:
    given = (build.definition or Definition()).name
    if build.id is None or not given:
        reason = f"a build that does not say what it is of; {SET}"
        return Ignored(SOURCE, "build.complete", reason, delivery, build.addresses())
    name = exact("resource.definition.name", given)
    said, commit = shown(build.result or build.status or "", 100), build.commit()
    reason = ""
    if (build.source_branch or "").startswith("refs/pull/"):
        # It was built from a merge that nobody made yet.
        reason = f"the pipeline {name} ran for a pull request; only builds of a commit itself count"
    elif said not in VERDICTS:
        reason = f"the pipeline {name} ended as {said or 'nothing'}, which says nothing of the commit"
    elif not is_commit(commit):
        reason = f"the pipeline {name} built no commit of git"
    if reason:
        return Ignored(SOURCE, f"build.complete {name}", reason, delivery, build.addresses())
    verdict = VERDICTS[said]
    # An id is a new one each time a pipeline runs.
    return BuildHeard(SOURCE, build.addresses(), name, commit, verdict, said, build.link(), build.id, 1, delivery)


def _message(push: Resource, commit: str) -> str:
    """Return the message of the ref's own commit; several refs may have moved, so never another one's."""
    return next((shown(each.comment or "") for each in push.commits or () if each.commit_id == commit), "")


def _pusher(person: Person) -> str:
    """Prefer the e-mail, which comes behind the name of its directory: `Windows Live ID\\\\ana@example.org`."""
    name = person.unique_name or person.display_name or ""
    tail = name.rpartition("\\")[2]
    return shown(tail if "@" in tail else name, 200)
