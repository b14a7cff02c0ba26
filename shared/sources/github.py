"""GitHub's webhooks, and what speaks like them: a signature over the raw bytes, one ref in a push."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from shared.errors import NotUnderstood
from shared.release.notices import BuildHeard, Ignored, Notice, Pushed
from shared.sources.bodies import header, read_form, read_json, understood
from shared.sources.refs import Commit, is_no_commit, why_not_followed
from shared.sources.signatures import Secret, matching_hmac
from shared.sources.texts import exact, link, shown

SOURCE = "github"
SEND = 'Send the payload of a GitHub "push" event unchanged.'


SEND_RUNS = 'Send the payload of a GitHub "workflow_run" event unchanged.'
VERDICTS: dict[str, Literal["success", "failure"]] = {
    "success": "success",
    "failure": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
}
"""What a conclusion says of the commit; one that was cancelled or skipped says nothing."""


class Repository(Struct):
    """The repository as the payload calls it."""

    clone_url: str | None = None
    ssh_url: str | None = None
    git_url: str | None = None
    html_url: str | None = None
    full_name: str | None = None

    def addresses(self) -> tuple[str, ...]:
        """Return every name it goes by."""
        given = (self.clone_url, self.ssh_url, self.git_url, self.html_url, self.full_name)
        return tuple(exact("repository", each) for each in given if each)


class Person(Struct):
    """A pusher or a sender."""

    email: str | None = None
    login: str | None = None
    name: str | None = None


class HeadCommit(Struct):
    """The newest commit of a push."""

    message: str | None = None


class Push(Struct):
    """The fields of a push event that we read."""

    ref: str
    before: Commit
    after: Commit
    repository: Repository
    deleted: bool | None = None
    head_commit: HeadCommit | None = None
    pusher: Person | None = None
    sender: Person | None = None


class Run(Struct):
    """One run of a workflow that came to its end."""

    head_sha: Commit
    id: int
    run_attempt: int = 1
    event: str | None = None
    name: str | None = None
    conclusion: str | None = None
    html_url: str | None = None
    head_repository: Repository | None = None


class Workflow(Struct):
    """The workflow of a run."""

    name: str | None = None


class WorkflowRun(Struct):
    """The fields of a workflow_run event that we read."""

    action: str
    workflow_run: Run
    repository: Repository
    workflow: Workflow | None = None


class Delivery(Struct):
    """What any event may tell about its repository."""

    repository: Repository | None = None


def signed_by(headers: Mapping[str, str], body: bytes, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that signed these bytes; anything odd is no match, nothing raises."""
    return matching_hmac(header(headers, "X-Hub-Signature-256"), body, secrets)


def read(headers: Mapping[str, str], body: bytes) -> list[Notice]:
    """Return `Pushed` for a branch that moved, else `Ignored` with its reason; `NotUnderstood` names the field."""
    event = shown(header(headers, "X-GitHub-Event"), 100)
    delivery = shown(header(headers, "X-GitHub-Delivery"), 200)
    if not event:
        raise NotUnderstood("The header X-GitHub-Event is missing; it must name the event, for example push.")
    document = _document(headers, body)
    if event == "push":
        return [_push(understood(document, Push, "The push", SEND), delivery)]
    if event == "workflow_run":
        return [_run(understood(document, WorkflowRun, "The run", SEND_RUNS), delivery)]
    repository = understood(document, Delivery, f"The event {event}", SEND).repository or Repository()
    reason = "a ping" if event == "ping" else f"a {event} event; only pushes open releases"
    return [Ignored(SOURCE, event, reason, delivery, repository.addresses())]


def _document(headers: Mapping[str, str], body: bytes) -> dict[str, object]:
    if not header(headers, "Content-Type").lower().startswith("application/x-www-form-urlencoded"):
        return read_json(body)
    payload = read_form(body).get("payload")
    if not isinstance(payload, str):
        raise NotUnderstood("The form has no field payload; choose the content type application/json for the webhook.")
    return read_json(payload.encode("utf-8", "surrogatepass"))


def _push(push: Push, delivery: str) -> Notice:
    addresses = push.repository.addresses()
    if not addresses:
        raise NotUnderstood("The push names no repository: send repository.clone_url or repository.full_name.")
    ref = exact("ref", push.ref)
    if reason := why_not_followed(ref, gone=bool(push.deleted) or is_no_commit(push.after)):
        return Ignored(SOURCE, ref, reason, delivery, addresses)
    message = push.head_commit.message if push.head_commit else None
    return Pushed(SOURCE, addresses, ref, push.before, push.after, _pusher(push), shown(message or ""), delivery)


def _run(told: WorkflowRun, delivery: str) -> Notice:
    run, addresses = told.workflow_run, told.repository.addresses()
    name = exact("workflow.name", (told.workflow and told.workflow.name) or run.name or "")
    said = shown(run.conclusion or "", 100)
    if reason := _says_nothing(told, name, said):
        return Ignored(SOURCE, f"workflow_run {name}", reason, delivery, addresses)
    return BuildHeard(
        source=SOURCE,
        addresses=addresses,
        name=name,
        commit=run.head_sha,
        verdict=VERDICTS[said],
        said=said,
        link=link(run.html_url or ""),
        run=run.id,
        attempt=run.run_attempt,
        delivery=delivery,
    )


def _says_nothing(told: WorkflowRun, name: str, said: str) -> str:
    """Return why a run says nothing of a commit of ours; empty when it does."""
    run = told.workflow_run
    theirs = run.head_repository.full_name if run.head_repository else told.repository.full_name
    if told.action != "completed":
        return f"the workflow {name} is {shown(told.action, 100)}; only its end counts"
    if theirs != told.repository.full_name:
        return f"the workflow {name} ran for a fork; only runs of the repository itself count"
    if (run.event or "").startswith("pull_request"):
        # It ran on a merge that nobody made yet, not on the commit that it names.
        return f"the workflow {name} ran for a pull request; only runs of a commit itself count"
    if said not in VERDICTS:
        return f"the workflow {name} ended as {said or 'nothing'}, which says nothing of the commit"
    return ""


def _pusher(push: Push) -> str:
    """Prefer the e-mail, which is what approvers are named by, to the names."""
    pusher, sender = push.pusher or Person(), push.sender or Person()
    return shown(pusher.email or sender.email or sender.login or pusher.login or pusher.name or "", 200)
