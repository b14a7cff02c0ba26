"""What approvers, engineers and programs get over HTTP."""

import json

from azure.functions.http import HttpResponseConverter
from msgspec.structs import replace

from functions.approve import approve
from functions.environments import environments
from functions.events import events
from functions.health import health
from functions.on_push import on_push
from functions.on_step_due import on_step_due
from functions.releases import releases
from shared import wiring
from shared.backends.memory import MemoryCheckpoints, MemoryLedger
from shared.control import Control
from shared.errors import Unavailable
from shared.release import line, notices
from shared.release.config import Tell
from tests.functions.conftest import SECRET, App


def asked(app: App) -> str:
    release = app.world.push("a")
    app.world.run()
    return release


def live(app: App) -> str:
    release = asked(app)
    app.world.decide(release)
    app.world.run()
    return release


def read(answer: object) -> dict[str, object]:
    return json.loads(answer.get_body())  # type: ignore[attr-defined,no-any-return]


def test_looking_at_what_is_asked_decides_nothing_however_often(app: App) -> None:
    release = asked(app)
    before = app.world.ledger_bytes(f"release/{release}")
    for _ in range(20):
        answer = app.http(approve, "GET", params={"token": app.token(release)}, route={"release": release})
        assert answer.status_code == 200
    assert app.world.ledger_bytes(f"release/{release}") == before


def test_the_page_asks_one_question_and_shows_what_is_approved(app: App) -> None:
    release = asked(app)
    answer = app.browse(approve, {"release": release}, app.token(release))
    page = answer.get_body().decode()
    evidence = app.world.state(release).asked[1].evidence
    assert "Put houses v1 into production, where nothing serves yet?" in page
    assert evidence in page
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert "script" not in page


def test_a_page_and_a_log_name_their_charset_once(app: App) -> None:
    release = asked(app)
    page = app.browse(approve, {"release": release}, app.token(release))
    log = app.http(releases, "GET", route={"path": f"{release}/log"}, params={"step": "train"})
    sent = [HttpResponseConverter.encode(one, expected_type=None).value["headers"] for one in (page, log)]
    assert [one["content-type"].value for one in sent] == ["text/html; charset=utf-8", "text/plain; charset=utf-8"]


def test_what_a_commit_says_is_text_on_the_page_and_nothing_else(app: App) -> None:
    app.world.results["certify"]["claims"] = [
        {"name": "x", "verdict": "warning", "sentence": "<script>alert(1)</script>"}
    ]
    release = asked(app)
    answer = app.browse(approve, {"release": release}, app.token(release))
    page = answer.get_body().decode()
    assert "<script>" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_person_approves_by_form_and_a_program_by_json(app: App) -> None:
    release = asked(app)
    token = app.token(release)
    form = f"token={token}&decision=approve&reason=looks+good".encode()
    kind = "application/x-www-form-urlencoded"
    page = app.http(approve, "POST", form, route={"release": release}, content_type=kind, accept="text/html")
    assert "Approved. It goes into production now." in page.get_body().decode()
    body = json.dumps({"decision": "approve", "reason": "looks good"}).encode()
    bearer = {"authorization": f"Bearer {token}", "content_type": "application/json"}
    again = app.http(approve, "POST", body, route={"release": release}, **bearer)
    assert again.status_code == 200
    app.world.run()
    assert app.world.live() == release
    other = json.dumps({"decision": "reject", "reason": "no"}).encode()
    assert app.http(approve, "POST", other, route={"release": release}, **bearer).status_code == 409


def test_a_token_of_nobody_or_of_another_release_decides_nothing(app: App) -> None:
    release = asked(app)
    body = json.dumps({"decision": "approve", "reason": ""}).encode()
    assert app.http(approve, "POST", body, route={"release": release}).status_code == 401
    forged = {"authorization": f"Bearer {app.token(release)[:-2]}xx"}
    assert app.http(approve, "POST", body, route={"release": release}, **forged).status_code == 401
    theirs = {"authorization": f"Bearer {app.token(release)}"}
    assert app.http(approve, "POST", body, route={"release": "f" * 20}, **theirs).status_code == 403
    assert line.standing(app.world.state(release)) == "ask"


def test_a_browser_that_is_refused_shows_a_page_and_a_program_gets_json(app: App) -> None:
    release = asked(app)
    form = f"token={app.token(release)}&decision=reject".encode()
    kind = "application/x-www-form-urlencoded"
    page = app.http(approve, "POST", form, route={"release": release}, content_type=kind, accept="text/html")
    assert (page.status_code, page.mimetype) == (400, "text/html")
    assert "A rejection needs a reason" in page.get_body().decode()
    plain = app.http(approve, "POST", form, route={"release": release}, content_type=kind)
    assert "A rejection needs a reason" in str(read(plain)["error"])


def test_a_release_is_found_by_id_alias_number_and_version(app: App) -> None:
    release = live(app)
    alias = str(read(app.http(releases, "GET", route={"path": release}))["alias"])
    for name in (alias, "houses#1", "houses@v1"):
        found = read(app.http(releases, "GET", route={"path": name}))
        assert (found["release"], found["state"], found["version"]) == (release, "live", 1)
    assert app.http(releases, "GET", route={"path": "nobody-there"}).status_code == 404


def test_every_view_of_a_release_is_derived_from_its_facts(app: App) -> None:
    release = live(app)
    told = read(app.http(releases, "GET", route={"path": f"{release}/timeline"}))["timeline"]
    assert "opened as #1 by push" in told[0]["sentence"]  # type: ignore[index]
    assert "ended as live" in told[-1]["sentence"]  # type: ignore[index]
    evidence = app.http(releases, "GET", route={"path": f"{release}/evidence"}).get_body()
    from shared.release.ids import sha256

    assert sha256(evidence) == app.world.state(release).asked[1].evidence
    log = app.http(releases, "GET", route={"path": f"{release}/log"}, params={"step": "check"})
    assert log.get_body() == f"log of {release}-check-1".encode()
    assert app.http(releases, "GET", route={"path": f"{release}/nonsense"}).status_code == 404
    listed = read(app.http(releases, "GET"))["releases"]
    assert [each["release"] for each in listed] == [release]  # type: ignore[union-attr,index]
    assert app.http(releases, "GET", params={"project": "boats"}).status_code == 404


def test_a_release_on_demand_needs_a_key_and_the_same_key_is_the_same_release(app: App) -> None:
    body = json.dumps({"project": "houses", "reason": "yearly audit", "by": "ana@example.org"}).encode()
    assert app.http(releases, "POST", body).status_code == 400
    assert app.http(releases, "POST", body, idempotency_key="k1").status_code == 409
    live(app)
    answers = [read(app.http(releases, "POST", body, idempotency_key="k1")) for _ in range(2)]
    assert answers[0]["releases"] == answers[1]["releases"]
    assert app.world.state_of_project().next_number == 3


def test_cancelling_over_http_ends_the_release(app: App) -> None:
    release = asked(app)
    body = json.dumps({"by": "dee@example.org", "reason": "wrong branch"}).encode()
    assert app.http(releases, "POST", body, route={"path": f"{release}/cancel"}).status_code == 200
    assert app.world.ended(release) == "cancelled"
    assert app.http(releases, "POST", body, route={"path": f"{release}/dance"}).status_code == 404


def test_environments_say_what_is_live_and_who_is_asked(app: App) -> None:
    release = live(app)
    _staging, production = read(app.http(environments, "GET"))["environments"]  # type: ignore[misc]
    assert production["live"]["release"] == release
    assert production["live"]["seen"]
    body = json.dumps({"action": "hold", "by": "bo@example.org", "reason": "audit"}).encode()
    assert app.http(environments, "POST", body, route={"path": "houses/production"}).status_code == 200
    held = read(app.http(environments, "GET", route={"path": "houses"}))["environments"][1]["held"]  # type: ignore[index]
    assert (held["by"], held["reason"]) == ("bo@example.org (claimed)", "audit")
    assert app.http(environments, "POST", body, route={"path": "boats/production"}).status_code == 404
    back = json.dumps({"action": "rollback", "by": "bo@example.org", "reason": "slow"}).encode()
    refused = app.http(environments, "POST", back, route={"path": "houses/production"})
    assert refused.status_code == 409
    assert "no older release was ever live in production of houses" in str(read(refused)["error"])


def test_health_says_what_loaded(app: App) -> None:
    assert read(app.http(health, "GET"))["status"] == "ok"


def test_health_names_who_cannot_be_told_until_something_arrives_there(app: App) -> None:
    world = app.world
    world.projects["houses"] = replace(world.projects["houses"], tell=Tell(to=("TEAM",)))
    world.refusing["TEAM"] = "the service behind SECRET_TEAM answered 404"
    world.push("a")
    world.run()
    told = read(app.http(health, "GET"))
    assert (told["status"], told["untold"]) == ("amber", {"TEAM": "the service behind SECRET_TEAM answered 404"})
    world.refusing.clear()
    world.push("b")
    world.run()
    told = read(app.http(health, "GET"))
    assert (told["status"], told["untold"]) == ("ok", {})


def test_the_queue_function_names_its_attempt_by_message_and_dequeue_count(app: App) -> None:
    import asyncio

    import azure.functions as func

    from tests.functions.conftest import Orders

    release = app.world.push("a")
    message = func.QueueMessage(id="m7", body=app.world.orders.pop().text().encode())
    asyncio.run(on_step_due._function.get_user_function()(message, Orders()))  # type: ignore[attr-defined]
    assert app.world.state(release).attempts[f"{release}-check-1"] == {"m7:None"}


def test_resuming_over_http_is_refused_while_nothing_is_parked(app: App) -> None:
    release = asked(app)
    body = json.dumps({"by": "dee@example.org", "reason": "try again"}).encode()
    refused = app.http(releases, "POST", body, route={"path": f"{release}/resume"})
    assert refused.status_code == 409
    assert "it is not parked" in str(read(refused)["error"])


def test_a_rerun_over_http_is_a_new_release_of_what_did_not_come_through(app: App) -> None:
    app.world.failing["train"] = "the disk was full"
    failed = app.world.push("a")
    app.world.run()
    body = json.dumps({"by": "bo@example.org", "reason": "there is room again"}).encode()
    answer = app.http(releases, "POST", body, route={"path": f"{failed}/rerun"})
    (new,) = read(answer)["releases"]  # type: ignore[misc]
    assert (answer.status_code, new["number"]) == (202, 2)
    assert app.world.orders
    refused = app.http(releases, "POST", body, route={"path": f"{new['release']}/rerun"})
    assert (refused.status_code, "still open" in str(read(refused)["error"])) == (409, True)


def test_what_data_want_is_shown_with_why_it_waits(app: App) -> None:
    app.world.data()
    _staging, production = read(app.http(environments, "GET"))["environments"]  # type: ignore[misc]
    said = "data arrived: houses/in/january.csv (100 bytes); no commit has come in yet, so it waits for a push"
    assert production["pending"] == said
    live(app)
    _staging, production = read(app.http(environments, "GET"))["environments"]  # type: ignore[misc]
    assert production["pending"] == ""


def test_what_came_in_is_told_with_what_became_of_it_newest_first(app: App) -> None:
    app.world.data()
    app.world.wait(seconds=1)
    app.world.take_in(notices.DriftHeard("a-stranger", "w1", "psi 9"))
    rows = read(app.http(events, "GET"))["events"]
    assert [(row["project"], row["source"], row["became"]) for row in rows] == [  # type: ignore[union-attr,index]
        ("", "drift", "refused"),
        ("houses", "data", "waits"),
        ("houses", "governor", "waits"),
    ]
    own = read(app.http(events, "GET", route={"path": "houses"}, params={"limit": "1"}))["events"]
    assert [row["source"] for row in own] == ["data"]  # type: ignore[union-attr,index]
    assert app.http(events, "GET", route={"path": "boats"}).status_code == 404
    for wrong in ("0", "-1", "many", "10001"):
        assert app.http(events, "GET", params={"limit": wrong}).status_code == 400


def test_an_event_is_replayed_by_a_person_with_a_reason(app: App) -> None:
    app.world.take_in(notices.DriftHeard("a-stranger", "w1", "psi 9"))
    asked = json.dumps({"by": "bo@example.org", "reason": "it has a name now"}).encode()
    answer = app.http(events, "POST", asked, route={"path": "-:1/replay"})
    assert (answer.status_code, read(answer)["releases"]) == (202, [])
    assert app.http(events, "POST", asked, route={"path": "-:9/replay"}).status_code == 404
    assert app.http(events, "POST", asked, route={"path": "-:1/forget"}).status_code == 404
    assert app.http(events, "POST", b'{"by": "bo"}', route={"path": "-:1/replay"}).status_code == 400
    said = [row["reason"] for row in read(app.http(events, "GET"))["events"] if row["source"] == "person"]  # type: ignore[union-attr,index]
    assert said == ["-:1 again: it has a name now"]


def test_health_says_when_each_source_was_heard_and_is_amber_while_one_is_silent(app: App) -> None:
    app.world.projects["houses"] = replace(app.world.projects["houses"], expect={"data": 24.0})
    told = read(app.http(health, "GET"))
    assert (told["status"], told["silent"]) == ("amber", ["data was never heard, expected every 24 h"])
    app.world.data()
    told = read(app.http(health, "GET"))
    assert (told["status"], told["silent"], list(told["sources"])) == ("ok", [], ["data"])  # type: ignore[call-overload]


def test_health_says_what_makes_the_ledger_prove_itself(app: App) -> None:
    assert read(app.http(health, "GET"))["proof"] == {"signed": False, "checkpoints": False}
    outside = replace(app.world.control.outside, sign=lambda message: "", checkpoints=MemoryCheckpoints())
    control = Control.over(outside, event_seconds=1.0, branch_minutes=3.0)
    wiring.use(wiring.Wired(control, app.world.settings(SECRET), 0))
    assert read(app.http(health, "GET"))["proof"] == {"signed": True, "checkpoints": True}


def test_health_says_that_the_ledger_cannot_be_asked(app: App) -> None:
    class Away(MemoryLedger):
        async def read(self, stream: str, start: int = 0) -> bytes:
            raise Unavailable("the storage account is away")

    control = Control.over(replace(app.world.control.outside, ledger=Away()), event_seconds=1.0, branch_minutes=3.0)
    wiring.use(wiring.Wired(control, app.world.settings(SECRET), 0))
    told = read(app.http(health, "GET"))
    assert (told["status"], told["settings"]) == ("degraded", [])
    assert told["ledger"] == "the storage account is away"


def test_health_says_that_a_push_proved_no_sender_and_the_ledger_keeps_nothing_of_it(app: App) -> None:
    answer = app.http(on_push, "POST", b"{}", x_github_event="push", x_hub_signature_256="sha256=00")
    assert answer.status_code == 401
    (reason,) = read(app.http(health, "GET"))["turned_away"]  # type: ignore[misc]
    assert "X-Hub-Signature-256" in reason
    assert not app.world.ledger_bytes("inbox")
