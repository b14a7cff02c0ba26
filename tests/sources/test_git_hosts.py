"""What every git host may send: one table of payloads, each with the proof its host gives and what is read from it."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotTrusted, NotUnderstood
from shared.release.addresses import same_repository
from shared.release.notices import BuildHeard, Ignored, Notice, Pushed
from shared.sources.push import proofs, read_push
from shared.sources.signatures import Secret
from shared.sources.texts import link

PAYLOADS = Path(__file__).parent / "payloads"
OLD, NEW, ZEROS = "1f0c7a7d4b0e9b7e0d1a8f1c7b9a3f4e5d6c7b8a", "3f2c9d1e8a7b6c5d4e3f2a1b0c9d8e7f6a5b4c3d", "0" * 40
NEW_LONG, ZEROS_LONG = "ab" * 32, "0" * 64
CURRENT = Secret("diabetes", "DIABETES_HOOK", b"a long random text")
PREVIOUS = Secret("diabetes", "DIABETES_HOOK_OLD", b"the one before it")
STRANGER = Secret("flight-delays", "DELAYS_HOOK", b"of another project")
SECRETS = [CURRENT, PREVIOUS, STRANGER, Secret("unset", "UNSET", b"")]
Headers = dict[str, str]
Proof = Callable[[bytes, bytes], Headers]


def mac(key: bytes, body: bytes) -> str:
    return "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()


def github(event: str) -> Proof:
    return lambda key, body: {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": "d-1",
        "X-Hub-Signature-256": mac(key, body),
        "Content-Type": "application/json",
    }


def form(event: str) -> Proof:
    return lambda key, body: github(event)(key, body) | {"Content-Type": "application/x-www-form-urlencoded"}


def gitlab(event: str) -> Proof:
    return lambda key, body: {
        "X-Gitlab-Event": event,
        "X-Gitlab-Token": key.decode(),
        "X-Gitlab-Event-UUID": "event-1",
        "Idempotency-Key": "d-1",
    }


def bitbucket(event: str) -> Proof:
    return lambda key, body: {"X-Event-Key": event, "X-Request-UUID": "d-1", "X-Hub-Signature": mac(key, body)}


def password(key: bytes, body: bytes) -> Headers:
    return {"Authorization": "Basic " + base64.b64encode(b"hook:" + key).decode()}


def plain(key: bytes, body: bytes) -> Headers:
    return {"X-Signalbox-Secret": key.decode()}


def changed(document: Any, changes: dict[str, Any]) -> Any:
    """Return a payload with values at dotted paths changed; a number is a place in a list, `...` takes it away."""
    copy = json.loads(json.dumps(document))
    for path, value in changes.items():
        *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
        at = copy
        for step in way:
            at = at[step]
        if value is ...:
            del at[last]
        else:
            at[last] = value
    return copy


def payload(name: str, changes: dict[str, Any] | None = None) -> bytes:
    document = changed(json.loads((PAYLOADS / f"{name}.json").read_bytes()), changes or {})
    return json.dumps(document).encode()


def in_form(name: str) -> bytes:
    return urlencode({"payload": payload(name).decode()}).encode()


def heard(notice: Notice) -> str:
    """Return in one line what was read: what moved to where, what was built, or why nothing is to be done."""
    match notice:
        case Pushed():
            return f"{notice.ref} {notice.before[:2]}>{notice.after[:2]} by {notice.by}"
        case BuildHeard():
            return f"{notice.name} {notice.verdict} {notice.commit[:2]} {notice.run}/{notice.attempt}"
        case Ignored():
            return notice.reason
    raise AssertionError(notice)


# Cyrillic a, a ligature, full width, a trailing dot: names that a person takes for main.
LIKE_MAIN = ("refs/heads/m\u0430in", "refs/heads/\uff4d\uff41\uff49\uff4e", "refs/heads/main.", "refs/heads/Main")
MOVED, MADE = "refs/heads/main 1f>3f by dee@example.org", "refs/heads/main 00>3f by dee@example.org"
LAB_MOVED = MOVED
BUCKET = ["refs/heads/main 1f>3f by dee", "refs/heads/forest 00>4a by dee", "the branch old was deleted"]
BUCKET_TAG = "the tag v2 moved; only branches open releases"
ONE = "push.changes"
FIRST = {"type": "branch", "name": "main", "target": {"hash": NEW}}
AZURE = "resource.refUpdates"
SET = 'in the service hook set "Resource details to send" to All'

Row = tuple[str, Proof, bytes, list[str]]
ROWS: list[Row] = [
    # GitHub, pushes
    ("github", github("push"), payload("github.push"), [MOVED]),
    ("github in a form", form("push"), in_form("github.push"), [MOVED]),
    ("github, a branch made", github("push"), payload("github.push", {"before": ZEROS}), [MADE]),
    (
        "github, null heads",
        github("push"),
        payload("github.push", {"head_commit": None, "base_ref": None, "commits": []}),
        [MOVED],
    ),
    (
        "github, a deletion",
        github("push"),
        payload("github.push", {"after": ZEROS, "deleted": True}),
        ["the branch main was deleted"],
    ),
    (
        "github, said to be deleted",
        github("push"),
        payload("github.push", {"deleted": True}),
        ["the branch main was deleted"],
    ),
    ("github, zeros alone", github("push"), payload("github.push", {"after": ZEROS}), ["the branch main was deleted"]),
    ("github, a tag deleted", github("push"), payload("github.tag_deleted"), ["the tag v1 was deleted"]),
    (
        "github, a tag",
        github("push"),
        payload("github.push", {"ref": "refs/tags/main"}),
        ["the tag main moved; only branches open releases"],
    ),
    (
        "github, the head of a pull request",
        github("push"),
        payload("github.push", {"ref": "refs/pull/7/head"}),
        ["the ref refs/pull/7/head moved; only branches open releases"],
    ),
    (
        "github, another branch",
        github("push"),
        payload("github.push", {"ref": "refs/heads/main/x"}),
        ["refs/heads/main/x 1f>3f by dee@example.org"],
    ),
    *(
        (f"github, {ref!a}", github("push"), payload("github.push", {"ref": ref}), [f"{ref} 1f>3f by dee@example.org"])
        for ref in LIKE_MAIN
    ),
    (
        "github, sha-256",
        github("push"),
        payload("github.push", {"before": ZEROS_LONG, "after": NEW_LONG}),
        ["refs/heads/main 00>ab by dee@example.org"],
    ),
    (
        "github, a deploy key",
        github("push"),
        payload("github.push", {"pusher": {"name": "deploy key"}, "sender": None}),
        ["refs/heads/main 1f>3f by deploy key"],
    ),
    (
        "github, unknown fields",
        github("push"),
        payload("github.push", {"enterprise": {"id": 1}, "compare": None}),
        [MOVED],
    ),
    # GitHub, everything else
    ("github, a ping", github("ping"), payload("github.ping"), ["a ping"]),
    ("github, a ping of an organisation", github("ping"), b'{"zen": "Less.", "hook_id": 1}', ["a ping"]),
    (
        "github, a fork's pull request",
        github("pull_request"),
        b'{"action": "opened", "repository": {"full_name": "heronworks/diabetes"}}',
        ["a pull_request event; only pushes open releases"],
    ),
    ("github, a release", github("release"), b"{}", ["a release event; only pushes open releases"]),
    ("github, a fork", github("fork"), b"{}", ["a fork event; only pushes open releases"]),
    # GitHub, the outside CI
    ("github, green", github("workflow_run"), payload("github.workflow_run"), ["tests success 3f 9001/2"]),
    ("github, green in a form", form("workflow_run"), in_form("github.workflow_run"), ["tests success 3f 9001/2"]),
    *(
        (
            f"github, {word}",
            github("workflow_run"),
            payload("github.workflow_run", {"workflow_run.conclusion": word}),
            ["tests failure 3f 9001/2"],
        )
        for word in ("failure", "timed_out", "startup_failure")
    ),
    *(
        (
            f"github, {word}",
            github("workflow_run"),
            payload("github.workflow_run", {"workflow_run.conclusion": word}),
            [f"the workflow tests ended as {word or 'nothing'}, which says nothing of the commit"],
        )
        for word in ("cancelled", "skipped", "neutral", "action_required", "stale", None)
    ),
    (
        "github, a run of a fork",
        github("workflow_run"),
        payload("github.workflow_run", {"workflow_run.head_repository.full_name": "eve/diabetes"}),
        ["the workflow tests ran for a fork; only runs of the repository itself count"],
    ),
    (
        "github, a run of a pull request",
        github("workflow_run"),
        payload("github.workflow_run", {"workflow_run.event": "pull_request_target"}),
        ["the workflow tests ran for a pull request; only runs of a commit itself count"],
    ),
    (
        "github, a run that begins",
        github("workflow_run"),
        payload("github.workflow_run", {"action": "requested"}),
        ["the workflow tests is requested; only its end counts"],
    ),
    (
        "github, a run without its workflow",
        github("workflow_run"),
        payload("github.workflow_run", {"workflow": None, "workflow_run.head_repository": None}),
        ["tests success 3f 9001/2"],
    ),
    # GitLab
    ("gitlab", gitlab("Push Hook"), payload("gitlab.push"), [LAB_MOVED]),
    ("gitlab, a system hook", gitlab("System Hook"), payload("gitlab.push", {"object_kind": ...}), [LAB_MOVED]),
    ("gitlab, a branch made", gitlab("Push Hook"), payload("gitlab.push", {"before": ZEROS}), [MADE]),
    (
        "gitlab, a deletion",
        gitlab("Push Hook"),
        payload("gitlab.push", {"after": ZEROS, "checkout_sha": None, "commits": []}),
        ["the branch main was deleted"],
    ),
    (
        "gitlab, a tag",
        gitlab("Tag Push Hook"),
        payload("gitlab.push", {"object_kind": "tag_push", "ref": "refs/tags/v1"}),
        ["the tag v1 moved; only branches open releases"],
    ),
    (
        "gitlab, a tag deleted",
        gitlab("Tag Push Hook"),
        payload("gitlab.push", {"object_kind": "tag_push", "ref": "refs/tags/v1", "after": ZEROS}),
        ["the tag v1 was deleted"],
    ),
    (
        "gitlab, null heads",
        gitlab("Push Hook"),
        payload("gitlab.push", {"checkout_sha": None, "commits": None}),
        [LAB_MOVED],
    ),
    (
        "gitlab, an e-mail that is not shown",
        gitlab("Push Hook"),
        payload("gitlab.push", {"user_email": "[REDACTED]"}),
        ["refs/heads/main 1f>3f by dee"],
    ),
    (
        "gitlab, an empty e-mail",
        gitlab("Push Hook"),
        payload("gitlab.push", {"user_email": "", "user_username": None}),
        ["refs/heads/main 1f>3f by Dee"],
    ),
    (
        "gitlab, a merge request of a fork",
        gitlab("Merge Request Hook"),
        payload("gitlab.push", {"object_kind": "merge_request", "ref": 7}),
        ["a Merge Request Hook event; only pushes open releases"],
    ),
    (
        "gitlab, a pipeline",
        gitlab("Pipeline Hook"),
        b'{"object_kind": "pipeline"}',
        ["a Pipeline Hook event; only pushes open releases"],
    ),
    (
        "gitlab, an event of the group",
        gitlab("Subgroup Hook"),
        b'{"event_name": "subgroup_create"}',
        ["a Subgroup Hook event; only pushes open releases"],
    ),
    *(
        (
            f"gitlab, {ref!a}",
            gitlab("Push Hook"),
            payload("gitlab.push", {"ref": ref}),
            [f"{ref} 1f>3f by dee@example.org"],
        )
        for ref in LIKE_MAIN
    ),
    # Bitbucket Cloud
    ("bitbucket, four refs", bitbucket("repo:push"), payload("bitbucket.push"), [*BUCKET, BUCKET_TAG]),
    (
        "bitbucket, a branch made",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: [{"new": FIRST, "old": None, "created": True}]}),
        ["refs/heads/main 00>3f by dee"],
    ),
    (
        "bitbucket, a deletion",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: [{"new": None, "old": FIRST, "closed": True}]}),
        ["the branch main was deleted"],
    ),
    (
        "bitbucket, a tag deleted",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: [{"new": None, "old": FIRST | {"type": "tag"}}]}),
        ["the tag main was deleted"],
    ),
    (
        "bitbucket, another kind of ref",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: [{"new": FIRST | {"type": "bookmark"}}]}),
        ["the ref refs/bookmark/main moved; only branches open releases"],
    ),
    (
        "bitbucket, a branch called as a ref",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: [{"new": FIRST | {"name": "refs/heads/main"}}]}),
        ["refs/heads/refs/heads/main 00>3f by dee"],
    ),
    (
        "bitbucket, nobody named",
        bitbucket("repo:push"),
        payload("bitbucket.push", {"actor": None, ONE: [{"new": FIRST}]}),
        ["refs/heads/main 00>3f by "],
    ),
    (
        "bitbucket, nothing moved",
        bitbucket("repo:push"),
        payload("bitbucket.push", {ONE: []}),
        ["a push that moved no ref"],
    ),
    (
        "bitbucket, a pull request of a fork",
        bitbucket("pullrequest:created"),
        payload("bitbucket.push"),
        ["a pullrequest:created event; only pushes open releases"],
    ),
    (
        "bitbucket, a fork",
        bitbucket("repo:fork"),
        b'{"fork": {"full_name": "eve/diabetes"}}',
        ["a repo:fork event; only pushes open releases"],
    ),
    (
        "bitbucket server",
        bitbucket("repo:refs_changed"),
        b'{"repository": {"slug": "diabetes"}}',
        ["a repo:refs_changed event; only pushes open releases"],
    ),
    # Azure DevOps
    (
        "azure devops, four refs",
        password,
        payload("azure_devops.push"),
        [
            MOVED,
            "refs/heads/forest 00>4a by dee@example.org",
            "the branch old was deleted",
            "the tag v2 moved; only branches open releases",
        ],
    ),
    (
        "azure devops, by a header",
        plain,
        payload("azure_devops.push", {AZURE: [{"name": "refs/heads/main", "oldObjectId": ZEROS, "newObjectId": NEW}]}),
        [MADE],
    ),
    (
        "azure devops, without details",
        password,
        payload("azure_devops.push", {AZURE: ..., "resource.commits": ...}),
        [f"a push that does not say which refs moved, so the patrol looks at the branch; {SET}"],
    ),
    ("azure devops, nothing moved", password, payload("azure_devops.push", {AZURE: []}), ["a push that moved no ref"]),
    (
        "azure devops, a pull request",
        password,
        payload("azure_devops.push", {"eventType": "git.pullrequest.merged", "resource": {"sourceRefName": "x"}}),
        ["a git.pullrequest.merged event; only pushes open releases"],
    ),
    ("azure devops, green", password, payload("azure_devops.build"), ["tests success 3f 77/1"]),
    *(
        (
            f"azure devops, {word}",
            password,
            payload("azure_devops.build", {"resource.result": word}),
            ["tests failure 3f 77/1"],
        )
        for word in ("failed", "partiallySucceeded")
    ),
    (
        "azure devops, canceled",
        password,
        payload("azure_devops.build", {"resource.result": "canceled"}),
        ["the pipeline tests ended as canceled, which says nothing of the commit"],
    ),
    (
        "azure devops, no word",
        password,
        payload("azure_devops.build", {"resource.result": None, "resource.status": None}),
        ["the pipeline tests ended as nothing, which says nothing of the commit"],
    ),
    (
        "azure devops, a build of a pull request",
        password,
        payload("azure_devops.build", {"resource.sourceBranch": "refs/pull/12/merge"}),
        ["the pipeline tests ran for a pull request; only builds of a commit itself count"],
    ),
    (
        "azure devops, a build of no git",
        password,
        payload("azure_devops.build", {"resource.sourceVersion": "C123"}),
        ["the pipeline tests built no commit of git"],
    ),
    (
        "azure devops, a build of zeros",
        password,
        payload("azure_devops.build", {"resource.sourceVersion": ZEROS}),
        ["the pipeline tests built no commit of git"],
    ),
    (
        "azure devops, a build without details",
        password,
        payload("azure_devops.build", {"resource": {"id": 77}}),
        [f"a build that does not say what it is of; {SET}"],
    ),
    (
        "azure devops, the older build",
        password,
        payload(
            "azure_devops.build",
            {
                "resource": {
                    "id": 2,
                    "status": "succeeded",
                    "sourceGetVersion": f"LG:refs/heads/main:{NEW}",
                    "definition": {"name": "tests"},
                    "url": "https://dev.azure.com/heronworks/_apis/build/Builds/2",
                }
            },
        ),
        ["tests success 3f 2/1"],
    ),
]


@pytest.mark.parametrize(("proof", "body", "said"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_a_git_host_sends_is_proved_by_either_secret_and_read(proof: Proof, body: bytes, said: list[str]):
    for secret in (CURRENT, PREVIOUS):
        trusted, notices = read_push(proof(secret.value, body), body, SECRETS)
        assert trusted == [secret]
        assert [heard(notice) for notice in notices] == said
    for key in (b"a guess", b"", CURRENT.value + b".", CURRENT.value[:-1]):
        forged = proof(key, body)
        with pytest.raises(NotTrusted):
            read_push(forged, body if key else body + b" ", SECRETS)


def test_the_table_is_long_enough_and_of_every_host():
    assert len(ROWS) >= 60
    assert {
        notice.source for row in ROWS for notice in read_push(row[1](CURRENT.value, row[2]), row[2], SECRETS)[1]
    } == {
        "github",
        "gitlab",
        "bitbucket",
        "azure-devops",
    }


def read(name: str, proof: Proof, changes: dict[str, Any] | None = None) -> list[Any]:
    body = payload(name, changes)
    return read_push(proof(CURRENT.value, body), body, SECRETS)[1]


def test_a_push_of_gitlab_is_read_whole():
    assert read("gitlab.push", gitlab("Push Hook")) == [
        Pushed(
            source="gitlab",
            addresses=(
                "https://gitlab.example.org/heronworks/diabetes.git",
                "git@gitlab.example.org:heronworks/diabetes.git",
                "https://gitlab.example.org/heronworks/diabetes",
                "heronworks/diabetes",
            ),
            ref="refs/heads/main",
            before=OLD,
            after=NEW,
            by="dee@example.org",
            message="Ridge, alpha 0.1",
            delivery="d-1",
        )
    ]


def test_a_gitlab_without_idempotency_keys_names_its_event():
    def older(key: bytes, body: bytes) -> Headers:
        return {name: value for name, value in gitlab("Push Hook")(key, body).items() if name != "Idempotency-Key"}

    assert read("gitlab.push", older)[0].delivery == "event-1"


def test_a_push_of_bitbucket_is_read_whole():
    assert read("bitbucket.push", bitbucket("repo:push"))[0] == Pushed(
        source="bitbucket",
        addresses=("https://bitbucket.org/heronworks/diabetes", "heronworks/diabetes"),
        ref="refs/heads/main",
        before=OLD,
        after=NEW,
        by="dee",
        message="Ridge, alpha 0.1",
        delivery="d-1",
    )


def test_a_build_is_read_whole():
    assert read("github.workflow_run", github("workflow_run")) == [
        BuildHeard(
            source="github",
            addresses=("https://github.com/heronworks/diabetes.git", "heronworks/diabetes"),
            name="tests",
            commit=NEW,
            verdict="success",
            said="success",
            link="https://github.com/heronworks/diabetes/actions/runs/9001",
            run=9001,
            attempt=2,
            delivery="d-1",
        )
    ]
    (built,) = read("azure_devops.build", password, {"resource.result": "partiallySucceeded"})
    assert built.addresses == ("https://dev.azure.com/heronworks/Air%20Traffic/_git/flight-delays",)
    assert same_repository(built.addresses[0], "https://dev.azure.com/heronworks/Air Traffic/_git/flight-delays")
    assert (built.verdict, built.said) == ("failure", "partiallySucceeded")
    assert built.link == "https://dev.azure.com/heronworks/Air%20Traffic/_build/results?buildId=77"


def test_a_build_of_a_repository_elsewhere_names_none_and_links_to_what_it_has():
    (built,) = read(
        "azure_devops.build", password, {"resource.repository.url": None, "resource._links": {"web": {"href": 7}}}
    )
    assert (built.addresses, built.link) == ((), "https://dev.azure.com/heronworks/_apis/build/Builds/77")


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://ci.example.org/runs/1", "https://ci.example.org/runs/1"),
        ("javascript:alert(1)", ""),
        ("https://ci.example.org/\u202e1", ""),
        ("https://ci.example.org/ and more", ""),
        ("https://" + "a" * 1024, ""),
        ("", ""),
    ],
)
def test_only_an_address_of_the_web_is_a_link(address: str, shown: str):
    assert link(address) == shown


@pytest.mark.parametrize(
    ("name", "proof", "changes", "said"),
    [
        ("gitlab.push", gitlab("Push Hook"), {"ref": "refs/heads/ma\u202ein"}, "field ref has a hidden"),
        ("gitlab.push", gitlab("Push Hook"), {"after": "HEAD"}, "`after`"),
        ("gitlab.push", gitlab("Push Hook"), {"after": ...}, "missing required field `after`"),
        ("gitlab.push", gitlab("Push Hook"), {"project": {}}, "project.git_http_url or project.path_with_namespace"),
        ("gitlab.push", gitlab(""), {"object_kind": ..., "event_name": ...}, "object_kind is missing"),
        ("bitbucket.push", bitbucket("repo:push"), {"repository": {}}, "send repository.full_name"),
        ("bitbucket.push", bitbucket("repo:push"), {ONE: [{"new": None}]}, "neither what is new nor what was old"),
        ("bitbucket.push", bitbucket("repo:push"), {ONE: [{"old": FIRST}]}, "missing required field `new`"),
        ("bitbucket.push", bitbucket("repo:push"), {f"{ONE}.0.new.target.hash": NEW[:12]}, "`push.changes"),
        (
            "bitbucket.push",
            bitbucket("repo:push"),
            {f"{ONE}.0.new.name": "ma\u2066in"},
            "push.changes.name has a hidden",
        ),
        ("github.workflow_run", github("workflow_run"), {"workflow_run.head_sha": "main"}, "`workflow_run.head_sha`"),
        (
            "github.workflow_run",
            github("workflow_run"),
            {"workflow": None, "workflow_run.name": ""},
            "workflow.name is empty",
        ),
        ("azure_devops.build", password, {"resource.definition.name": "te\u200bsts"}, "definition.name has a hidden"),
        ("azure_devops.push", password, {"resource": {"pushId": 14}}, 'set "Resource details to send" to All'),
    ],
)
def test_what_is_odd_is_named(name: str, proof: Proof, changes: dict[str, Any], said: str):
    with pytest.raises(NotUnderstood, match=said):
        read(name, proof, changes)


def test_a_sender_speaks_for_a_project_with_the_first_of_its_secrets_that_fits():
    twin = Secret("diabetes", "DIABETES_TWIN", CURRENT.value)
    body = payload("github.push")
    trusted, _ = read_push(github("push")(CURRENT.value, body), body, [*SECRETS, twin])
    assert proofs(trusted) == {"diabetes": "DIABETES_HOOK"}
    assert proofs([PREVIOUS, STRANGER]) == {"diabetes": "DIABETES_HOOK_OLD", "flight-delays": "DELAYS_HOOK"}


@pytest.mark.parametrize("name", ["X-Gitlab-Token", "X-Signalbox-Secret", "X-Hub-Signature"])
@pytest.mark.parametrize("value", ["", "\u00e9", "\ud800", "\x00", "sha256=", "sha256=" + "0" * 64])
def test_an_odd_proof_is_no_match_and_never_an_error(name: str, value: str):
    with pytest.raises(NotTrusted):
        read_push({"X-Event-Key": "repo:push"} if "Hub" in name else {} | {name: value}, b"{}", SECRETS)


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from([ZEROS, NEW])
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
PLACES: dict[str, tuple[Proof, list[str]]] = {
    "github.push": (
        github("push"),
        ["ref", "before", "after", "repository", "repository.clone_url", "deleted", "pusher"],
    ),
    "github.workflow_run": (
        github("workflow_run"),
        ["action", "workflow", "workflow_run", "workflow_run.head_sha", "workflow_run.conclusion", "workflow_run.id"],
    ),
    "gitlab.push": (
        gitlab("Push Hook"),
        ["object_kind", "ref", "after", "project", "commits", "commits.0.id", "user_email"],
    ),
    "bitbucket.push": (
        bitbucket("repo:push"),
        ["actor", "repository", "push", ONE, f"{ONE}.0", f"{ONE}.0.new", f"{ONE}.1.old", f"{ONE}.0.new.target"],
    ),
    "azure_devops.push": (password, ["eventType", "resource", AZURE, f"{AZURE}.0.name", "resource.commits", "id"]),
    "azure_devops.build": (
        plain,
        ["resource", "resource._links", "resource.definition", "resource.sourceVersion", "resource.repository"],
    ),
}


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(list(PLACES)), st.data(), anything, st.text(max_size=20))
def test_whatever_comes_is_a_notice_or_an_error_of_ours_and_what_is_right_is_always_read(
    name: str, data: st.DataObject, odd: object, guess: str
):
    proof, places = PLACES[name]
    body = payload(name)
    right = proof(CURRENT.value, body)
    # What is right is accepted each time: a reader that refuses everything would pass the rest.
    assert any(isinstance(notice, Pushed | BuildHeard) for notice in read_push(right, body, SECRETS)[1])
    with suppress(NotUnderstood):
        assert all(isinstance(each, Notice) for each in read(name, proof, {data.draw(st.sampled_from(places)): odd}))
    for header in right:
        with suppress(NotTrusted, NotUnderstood):
            read_push(right | {header: guess}, body, SECRETS)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([github("push"), gitlab("Push Hook"), bitbucket("repo:push"), password]), st.binary(max_size=60))
def test_whatever_bytes_come_signed_they_are_not_understood_or_a_notice(proof: Proof, body: bytes):
    body = body or b"{}"
    with suppress(NotUnderstood):
        assert read_push(proof(CURRENT.value, body), body, SECRETS)[1]
