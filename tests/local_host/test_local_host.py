"""The host as a real process: keys, bodies, answers, webhooks, the admin endpoints."""

import json
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local.keys import make_function_key

Start = Callable[..., Any]
Until = Callable[..., Any]


@pytest.fixture(scope="module")
def host(start: Start, sample: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return start(
        "tools.local.host",
        tmp_path_factory.mktemp("host"),
        *("--app", str(sample)),
        **{"AzureWebJobs.off.Disabled": "true"},
    )


@pytest.fixture
def web(host: Any) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=host.url) as client:
        yield client


def test_a_function_gets_its_request_as_the_real_host_gives_it(web: httpx.Client) -> None:
    told = web.post(
        "/API/open/a%20b/7?x=1&x=2&empty=&y=%20z", content=b"body", headers=[("X-Mixed", "B"), ("X-MIXED", "A")]
    ).json()
    assert told["route"] == {"name": "a b", "count": "7"}
    assert told["params"] == {"x": "1,2", "y": " z"}
    assert told["url"] == f"{web.base_url}/API/open/a%20b/7?x=1&x=2&empty=&y=%20z"
    assert (told["method"], told["body"], told["function"]) == ("POST", "body", "echo")
    assert told["headers"]["x-mixed"] == "B,A"
    assert all(name == name.lower() for name in told["headers"])


def test_the_answer_keeps_status_type_and_headers(web: httpx.Client) -> None:
    answer = web.get("/api/open/ana")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.headers["x-seen"] == "yes"


def test_the_more_exact_route_wins_though_it_was_declared_later(web: httpx.Client) -> None:
    assert web.get("/api/open/special").text == "the exact route"


def test_a_sync_function_and_a_rest_parameter(web: httpx.Client) -> None:
    answer = web.get("/api/files/a/b%20c")
    assert (answer.status_code, answer.text) == (203, "a/b c")


def test_a_wrong_method_or_constraint_is_not_found(web: httpx.Client) -> None:
    assert web.delete("/api/open/ana").status_code == 404
    assert web.get("/api/open/ana/seven").status_code == 404
    assert web.get("/open/ana").status_code == 404


def test_a_body_without_a_length_arrives_empty(web: httpx.Client) -> None:
    told = web.post("/api/open/ana", content=iter([b"chunk", b"ed"])).json()
    assert told["body"] == ""
    assert told["headers"]["transfer-encoding"] == "chunked"


def test_a_body_over_the_limit_is_refused_before_it_is_sent(host: Any) -> None:
    port = int(host.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as wire:
        length = 100 * 1024 * 1024 + 1
        wire.sendall(f"POST /api/open/ana HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n".encode())
        assert wire.recv(64).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/open/special", "", 200),
        ("/api/keyed", "", 401),
        ("/api/keyed", "wrong", 401),
        ("/api/keyed", "kéy", 401),
        ("/api/keyed", "system", 401),
        ("/api/keyed", "topic", 401),
        ("/api/keyed", "function", 200),
        ("/api/keyed", "master", 200),
        ("/api/for-admins", "function", 401),
        ("/api/for-admins", "master", 200),
        ("/admin/host/status", "function", 401),
        ("/admin/host/status", "system", 401),
        ("/admin/host/status", "master", 200),
        ("/admin/functions", "", 401),
        ("/admin/host/ping", "", 200),
        ("/runtime/webhooks/EventGrid?functionName=on_event", "function", 401),
    ],
)
def test_each_key_opens_what_it_is_for(host: Any, web: httpx.Client, path: str, key: str, status: int) -> None:
    keys = host.keys
    offered = getattr(keys, key, key) if key else ""
    mark = "&" if "?" in path else "?"
    headers = {"x-functions-key": offered.encode("latin-1")}
    assert web.get(path, headers=headers).status_code == status
    assert web.get(f"{path}{mark}code={offered}").status_code == status


def test_a_key_of_one_function_opens_that_function_alone(start: Start, sample: Path, tmp_path: Path) -> None:
    key = make_function_key(tmp_path, "Keyed", "ci")
    assert make_function_key(tmp_path, "Keyed", "ci") == key != make_function_key(tmp_path, "for-admins", "ci")
    host = start("tools.local.host", tmp_path, "--app", str(sample))
    with httpx.Client(base_url=host.url, headers={"x-functions-key": key}) as web:
        assert web.get("/api/keyed").status_code == 200
        assert web.post("/api/order", json=[]).status_code == 202
        for path in ("/api/for-admins", "/admin/host/status", "/runtime/webhooks/EventGrid?functionName=on_event"):
            assert web.get(path).status_code == 401
    other = make_function_key(tmp_path, "for-admins", "ci")
    assert httpx.get(f"{host.url}/api/keyed?code={other}").status_code == 401


@pytest.mark.parametrize(
    ("returned", "status", "kind", "content"),
    [
        ("hello", 200, "text/plain; charset=utf-8", "hello"),
        ('{"a": 1}', 200, "text/plain; charset=utf-8", '{"a": 1}'),
        ('{"body": "b", "statusCode": 418, "headers": {"X-A": "1"}}', 418, "text/plain; charset=utf-8", "b"),
        ('{"Body": {"a": 1}, "status": "201"}', 201, "application/json", '{"a":1}'),
    ],
)
def test_a_text_that_looks_like_an_answer_is_taken_for_one(
    web: httpx.Client, returned: str, status: int, kind: str, content: str
) -> None:
    answer = web.post("/api/text", content=returned)
    assert (answer.status_code, answer.headers["content-type"], answer.text) == (status, kind, content)
    assert ("x-a" in answer.headers) == ("X-A" in returned)


def test_an_http_function_that_returns_nothing_failed(web: httpx.Client) -> None:
    assert web.get("/api/nothing").status_code == 500


def test_requests_beyond_the_limit_are_told_to_come_later(
    start: Start, sample: Path, tmp_path: Path, until: Until
) -> None:
    app = shutil.copytree(sample, tmp_path / "app")
    limits = {"maxConcurrentRequests": 1, "maxOutstandingRequests": 2}
    (app / "host.json").write_text(json.dumps({"version": "2.0", "extensions": {"http": limits}}))
    host = start("tools.local.host", tmp_path / "state", "--app", str(app))
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(httpx.get, f"{host.url}/api/waits", timeout=30) for _ in range(3)]
        refused = next(as_completed(asked)).result()
        until("the one that may run", lambda: host.notes(function="waits"))
        assert (refused.status_code, len(host.notes(function="waits"))) == (429, 1)
        master = {"x-functions-key": host.keys.master}
        assert httpx.post(f"{host.url}/admin/functions/goes", json={}, headers=master).status_code == 202
        assert sorted(one.result().status_code for one in asked) == [200, 200, 429]
    assert httpx.get(f"{host.url}/api/open/special").status_code == 200


def test_a_function_that_raises_answers_500_without_a_word(web: httpx.Client) -> None:
    answer = web.get("/api/fails?code=secret")
    assert (answer.status_code, answer.content) == (500, b"")


def test_a_disabled_function_is_not_there(host: Any, web: httpx.Client) -> None:
    assert web.get("/api/off").status_code == 404
    shown = web.get("/admin/functions", headers={"x-functions-key": host.keys.master}).json()
    assert [one["name"] for one in shown if one["isDisabled"]] == ["off"]


def test_queue_messages_of_one_call_arrive_and_a_bad_one_ends_in_the_poison_queue(
    host: Any, web: httpx.Client, until: Until
) -> None:
    assert web.post("/api/order", json=["a", "bad", "c"]).status_code == 202
    until("the poisoned message", lambda: host.notes(function="undertaker", body="bad", dequeue=1))
    assert [note["dequeue"] for note in host.notes(function="worker", body="bad")] == [1, 2, 3]
    assert len(host.notes(function="worker", body="a")) == len(host.notes(function="worker", body="c")) == 1


def test_a_function_that_fails_sends_no_message(host: Any, web: httpx.Client, until: Until) -> None:
    web.get("/api/fails")
    web.post("/api/order", json=["after the failure"])
    until("the later message", lambda: host.notes(function="worker", body="after the failure"))
    assert host.notes(function="worker", body="never seen") == []


def test_a_message_over_the_limit_of_a_storage_queue_fails_the_call(web: httpx.Client) -> None:
    assert web.post("/api/order", json=["x" * (48 * 1024 + 1)]).status_code == 500


def test_a_timer_that_runs_on_startup_ran(host: Any, until: Until) -> None:
    until("the start-up run", lambda: host.notes(function="yearly", past_due=False))


def test_a_function_is_started_by_hand(host: Any, web: httpx.Client, until: Until) -> None:
    master = {"x-functions-key": host.keys.master}
    assert web.post("/admin/functions/patrol", json={"input": None}, headers=master).status_code == 202
    assert web.post("/admin/functions/Worker", json={"input": "by hand"}, headers=master).status_code == 202
    until("both runs", lambda: host.notes(function="patrol") and host.notes(function="worker", body="by hand"))
    assert web.post("/admin/functions/nobody", json={}, headers=master).status_code == 404
    assert web.post("/admin/functions/echo", json={}, headers=master).status_code == 400
    assert web.post("/admin/functions/patrol", content=b"{", headers=master).status_code == 400


def deliver(host: Any, web: httpx.Client, body: Any, kind: str = "Notification", function: str = "on_event") -> Any:
    headers = {"aeg-event-type": kind, "x-functions-key": host.keys.system}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return web.post(f"/runtime/webhooks/EventGrid?functionName={function}", content=content, headers=headers)


def grid_event(id_: str, **data: Any) -> dict[str, Any]:
    return {"id": id_, "subject": "s", "eventType": "T", "eventTime": "2026-11-23T14:45:00Z", "data": data}


def test_the_webhook_answers_the_handshake(host: Any, web: httpx.Client) -> None:
    event = {**grid_event("1", validationCode="512d38b6"), "eventType": "Microsoft.EventGrid.SubscriptionValidation"}
    answer = deliver(host, web, [event], "SubscriptionValidation")
    assert (answer.status_code, answer.json()) == (200, {"validationResponse": "512d38b6"})


@pytest.mark.parametrize(("asked", "rate"), [({}, None), ({"WebHook-Request-Rate": "120"}, "*")])
def test_the_webhook_answers_the_handshake_of_cloud_events(
    host: Any, web: httpx.Client, asked: dict[str, str], rate: str | None
) -> None:
    url = f"/runtime/webhooks/EventGrid?functionName=on_event&code={host.keys.system}"
    answer = web.options(url, headers={"WebHook-Request-Origin": "eventgrid.azure.net", **asked})
    assert (answer.status_code, answer.headers["webhook-allowed-origin"]) == (200, "eventgrid.azure.net")
    assert answer.headers.get("webhook-allowed-rate") == rate


def test_the_webhook_hands_over_every_event_of_a_batch(host: Any, web: httpx.Client) -> None:
    assert deliver(host, web, [grid_event("batch-1"), grid_event("batch-2")]).status_code == 202
    assert {note["id"] for note in host.notes(function="on_event", kind="grid")} >= {"batch-1", "batch-2"}


def test_one_failing_event_fails_the_whole_batch(host: Any, web: httpx.Client) -> None:
    answer = deliver(host, web, [grid_event("fine"), grid_event("not-fine", fail=True)])
    assert answer.status_code == 500
    assert "cannot be handled" in answer.text
    assert host.notes(function="on_event", id="fine")


def test_a_single_cloud_event_is_handed_over_as_one(host: Any, web: httpx.Client) -> None:
    event = {"specversion": "1.0", "id": "cloud-1", "source": "/s", "type": "T", "data": {"a": 1}}
    assert deliver(host, web, event).status_code == 202
    assert host.notes(function="on_event", id="cloud-1", kind="cloud")[0]["data"] == {"a": 1}


def test_the_system_key_may_come_in_the_address(host: Any, web: httpx.Client) -> None:
    url = f"/runtime/webhooks/eventgrid?functionName=ON_EVENT&code={host.keys.system}"
    answer = web.post(url, json=[grid_event("by-code")], headers={"aeg-event-type": "Notification"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "kind", "function", "status"),
    [
        ([], "Notification", "on_nobody", 404),
        ([], "Notification", "echo", 404),
        ([], "", "on_event", 400),
        (b"{", "Notification", "on_event", 400),
        (b"[" * 100_000, "Notification", "on_event", 400),
        (["text"], "Notification", "on_event", 400),
        ([grid_event("1")], "SubscriptionValidation", "on_event", 400),
        ([], "Unsubscribe", "on_event", 202),
    ],
)
def test_the_webhook_refuses_what_is_not_a_delivery(
    host: Any, web: httpx.Client, body: Any, kind: str, function: str, status: int
) -> None:
    assert deliver(host, web, body, kind, function).status_code == status


def test_the_keys_are_for_their_owner_only(host: Any) -> None:
    assert stat.S_IMODE((host.state / "keys.json").stat().st_mode) == 0o600


def test_a_failure_is_one_line_without_the_key(start: Start, sample: Path, tmp_path: Path) -> None:
    host = start("tools.local.host", tmp_path, "--app", str(sample))
    httpx.get(f"{host.url}/api/fails?code=sesame")
    lines = [line for line in host.said().splitlines() if "function fails failed" in line]
    assert len(lines) == 1
    assert "ValueError" in lines[0]
    assert "sesame" not in lines[0]


def test_an_app_that_cannot_be_imported_is_told_by_the_status(start: Start, tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app/function_app.py").write_text("import nothing_of_that_name\n")
    host = start("tools.local.host", tmp_path / "state", "--app", str(tmp_path / "app"))
    status = host.status()
    assert status["state"] == "Error"
    assert "No module named 'nothing_of_that_name'" in status["errors"][0]
    assert httpx.get(f"{host.url}/api/anything").status_code == 503


def test_a_message_whose_host_died_comes_again_at_once(
    start: Start, sample: Path, tmp_path: Path, until: Until
) -> None:
    host = start("tools.local.host", tmp_path, "--app", str(sample))
    with suppress(httpx.HTTPError):  # the host dies before or after it answered
        httpx.post(f"{host.url}/api/order", json=["hang once"])
    assert host.process.wait(10) == -9
    again = start("tools.local.host", tmp_path, "--app", str(sample))
    until("the second try", lambda: again.notes(function="worker", body="hang once", dequeue=2))


def test_a_second_host_on_the_same_state_is_refused(start: Start, sample: Path, tmp_path: Path) -> None:
    start("tools.local.host", tmp_path, "--app", str(sample))
    with pytest.raises(AssertionError, match="Another host works on"):
        start("tools.local.host", tmp_path, "--app", str(sample))
