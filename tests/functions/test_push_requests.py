"""What a push, and what only looks like one, gets for an answer."""

import base64
import hashlib
import hmac
import json

import msgspec
import pytest

from functions.events import events
from functions.health import health
from functions.on_push import on_push
from shared import wiring
from tests.functions.conftest import SECRET, App, push_body, signed
from tests.world import commit

NEW_SECRET = b"the secret that comes after it"


def nothing_was_opened(app: App) -> bool:
    return not app.world.orders and app.world.state_of_project().next_number == 1


def test_a_signed_push_opens_a_release_and_orders_its_check(app: App) -> None:
    body = push_body(app.world.commit("a"))
    answer = app.http(on_push, "POST", body, **signed(body))
    (release,) = json.loads(answer.get_body())["releases"]
    assert (answer.status_code, release["number"]) == (202, 1)
    assert [order.step for order in app.world.orders] == ["check"]


@pytest.mark.parametrize("secret", [b"a wrong secret of some length", b""])
def test_a_wrongly_signed_push_is_refused_and_opens_nothing(app: App, secret: bytes) -> None:
    body = push_body(app.world.commit("a"))
    assert app.http(on_push, "POST", body, **signed(body, secret)).status_code == 401
    assert nothing_was_opened(app)


def test_an_unsigned_push_is_refused_and_opens_nothing(app: App) -> None:
    body = push_body(app.world.commit("a"))
    assert app.http(on_push, "POST", body, x_github_event="push").status_code == 401
    assert app.http(on_push, "POST", body).status_code == 401
    assert nothing_was_opened(app)


def test_azure_devops_pushes_with_its_password(app: App) -> None:
    new = app.world.commit("a")
    body = {
        "id": "n-1",
        "eventType": "git.push",
        "resource": {
            "refUpdates": [{"name": "refs/heads/main", "oldObjectId": commit("0"), "newObjectId": new}],
            "repository": {"name": "houses", "remoteUrl": "https://git.example.org/acme/houses"},
            "pushedBy": {"uniqueName": "dee@example.org"},
        },
    }
    basic = "Basic " + base64.b64encode(b"devops:" + SECRET).decode()
    answer = app.http(on_push, "POST", json.dumps(body).encode(), authorization=basic)
    assert len(json.loads(answer.get_body())["releases"]) == 1
    wrong = "Basic " + base64.b64encode(b"devops:guess").decode()
    assert app.http(on_push, "POST", json.dumps(body).encode(), authorization=wrong).status_code == 401


@pytest.mark.parametrize(
    ("changes", "event", "said"),
    [
        ({"ref": "refs/tags/v1"}, "push", "tag"),
        ({"deleted": True, "after": "0" * 40}, "push", "deleted"),
        ({"ref": "refs/heads/feature"}, "push", "is not the branch main"),
        ({"repository": {"full_name": "eve/x", "clone_url": "https://git.example.org/eve/x"}}, "push", "no project"),
        ({"zen": "keep it simple"}, "ping", "ping"),
        ({"action": "opened"}, "pull_request", "pull_request"),
    ],
)
def test_what_opens_nothing_is_answered_and_recorded_with_its_reason(
    app: App, changes: dict[str, object], event: str, said: str
) -> None:
    body = push_body(commit("a"), **changes)
    answer = app.http(on_push, "POST", body, **signed(body, event=event))
    recorded = " ".join(json.loads(answer.get_body())["recorded"])
    assert answer.status_code == 202
    assert said in recorded
    assert nothing_was_opened(app)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b"\xff\xfe", 400),
        (b'{"a":' * 100_000, 400),
        (b'{"ref": NaN}', 400),
        (b'{"ref": ' + b"9" * 6000 + b"}", 400),
        (b"{}", 400),
        (b" " * (6 * 1024 * 1024), 413),
    ],
)
def test_a_signed_body_that_cannot_be_read_is_refused_at_once(app: App, body: bytes, status: int) -> None:
    answer = app.http(on_push, "POST", body, **signed(body))
    assert answer.status_code == status
    assert json.loads(answer.get_body())["error"]
    assert nothing_was_opened(app)


def test_a_chunked_body_which_the_host_hands_over_empty_is_told_what_to_send(app: App) -> None:
    answer = app.http(on_push, "POST", transfer_encoding="chunked", x_github_event="push")
    assert answer.status_code == 411


def test_the_same_push_again_is_the_same_release(app: App) -> None:
    body = push_body(app.world.commit("a"))
    answers = [app.http(on_push, "POST", body, **signed(body)) for _ in range(20)]
    assert len({answer.get_body() for answer in answers}) == 1
    assert app.world.state_of_project().next_number == 2


def test_a_push_to_a_repository_of_several_projects_is_answered_with_every_release_it_opened(app: App) -> None:
    houses = app.world.projects["houses"]
    app.world.projects["rents"] = msgspec.structs.replace(houses, path="rents")
    app.world.projects["others"] = msgspec.structs.replace(houses, path="others", branch="next")
    app.secrets("houses", "rents", "others")
    body = push_body(app.world.commit("a"))
    answer = json.loads(app.http(on_push, "POST", body, **signed(body)).get_body())
    assert [(opened["project"], opened["number"]) for opened in answer["releases"]] == [("houses", 1), ("rents", 1)]
    assert answer["recorded"] == ["refs/heads/main is not the branch next that releases of others come from"]
    assert [(order.step, order.release) for order in app.world.orders] == [
        ("check", opened["release"]) for opened in answer["releases"]
    ]


def rotating(app: App) -> None:
    """Let the project have a new secret, and the one before it."""
    app.world.projects["houses"] = msgspec.structs.replace(
        app.world.projects["houses"], secrets=("HOUSES_NEW", "HOUSES_PUSH"), outside_ci="tests"
    )
    wired = wiring.wired()
    named = (("houses", "HOUSES_NEW", NEW_SECRET), ("houses", "HOUSES_PUSH", SECRET))
    wiring.use(wiring.Wired(wired.control, msgspec.structs.replace(wired.settings, secrets=named), 0))


def test_a_secret_is_changed_without_losing_a_push_and_health_says_while_the_previous_one_is_in_use(app: App) -> None:
    rotating(app)
    for letter, secret in (("a", SECRET), ("b", NEW_SECRET), ("c", SECRET)):
        body = push_body(app.world.commit(letter))
        assert app.http(on_push, "POST", body, **signed(body, secret)).status_code == 202
        told = json.loads(app.http(health, "GET").get_body())
        in_use = f"a previous secret is still in use by github, last at {app.world.now:%Y-%m-%dT%H:%M}"
        used = [in_use] if secret == SECRET else []
        assert (told["previous_secrets"], told["status"]) == (used, "ok")
    rows = json.loads(app.http(events, "GET").get_body())["events"]
    assert [row["secret"] for row in rows if row["source"] == "github"] == ["HOUSES_PUSH", "HOUSES_NEW", "HOUSES_PUSH"]
    assert app.world.state_of_project().next_number == 4
    houses = msgspec.structs.replace(app.world.projects["houses"], secrets=("HOUSES_NEW",))
    app.world.projects["houses"] = houses
    assert json.loads(app.http(health, "GET").get_body())["previous_secrets"] == []


def test_gitlab_and_bitbucket_push_with_their_proofs_and_nobody_else_does(app: App) -> None:
    rotating(app)
    lab = {
        "object_kind": "push",
        "ref": "refs/heads/main",
        "before": commit("0"),
        "after": app.world.commit("a"),
        "project": {"git_http_url": "https://git.example.org/acme/houses.git"},
    }
    moved = {"type": "branch", "name": "main", "target": {"hash": app.world.commit("b")}}
    bucket = {"repository": {"full_name": "acme/houses"}, "push": {"changes": [{"new": moved, "old": None}]}}
    for number, (key, status) in enumerate(((NEW_SECRET, 202), (SECRET, 202), (b"a guess of some length", 401))):
        body = json.dumps(lab | {"after": app.world.commit("ace"[number])}).encode()
        proof = {"x_gitlab_event": "Push Hook", "x_gitlab_token": key.decode()}
        assert app.http(on_push, "POST", body, **proof).status_code == status
        moved["target"] = {"hash": app.world.commit("bdf"[number])}
        body = json.dumps(bucket).encode()
        signature = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        answer = app.http(on_push, "POST", body, x_event_key="repo:push", x_hub_signature=signature)
        assert answer.status_code == status
    assert [one.commit[0] for one in app.world.state_of_project().numbered.values()] == list("abcd")


def test_the_outside_ci_is_heard_over_the_same_address_and_taken_in_again_when_a_person_says_so(app: App) -> None:
    rotating(app)
    run = {"id": 7, "head_sha": commit("a"), "conclusion": "success", "name": "tests"}
    told = {"action": "completed", "workflow_run": run, "repository": {"full_name": "acme/houses"}}
    body = json.dumps(told).encode()
    answer = app.http(on_push, "POST", body, **signed(body, NEW_SECRET, event="workflow_run"))
    assert json.loads(answer.get_body())["recorded"] == ["tests said success of aaaaaaa"]
    assert ("tests", commit("a")) in app.world.state_of_project().ci
    (row,) = json.loads(app.http(events, "GET").get_body())["events"]
    asked = json.dumps({"by": "bo@example.org", "reason": "to be sure"}).encode()
    again = app.http(events, "POST", asked, route={"path": f"{row['id']}/replay"})
    assert json.loads(again.get_body())["recorded"] == ["tests said success of aaaaaaa; it came in before"]
