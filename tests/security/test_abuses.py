"""Abuses of `docs/security.md` that no other test shows."""

import ast
import json
from pathlib import Path

import azure.functions as func
import msgspec
import pytest

from functions.approve import approve
from functions.on_push import on_push
from functions.on_run_ended import on_run_ended
from functions.pages import pages
from functions.releases import releases
from shared import wiring
from shared.release import facts, gates, notices
from tests.functions.conftest import SECRET, App, push_body, signed
from tests.security.listening import Listener
from tests.world import World

HOUSE = Path(__file__).resolve().parents[2]
STARTS = {"subprocess", "pty", "os.system", "os.popen", "os.execv", "os.spawnv", "asyncio.create_subprocess_shell"}
MAY_START = {"shared/backends", "shared/jobs"}


def test_both_secrets_of_a_project_count_while_one_replaces_the_other(app: App) -> None:
    wired = wiring.wired()
    both = (("houses", "HOUSES_NEW", b"the new secret of houses"), ("houses", "HOUSES_PUSH", SECRET))
    wiring.use(wiring.Wired(wired.control, msgspec.structs.replace(wired.settings, secrets=both), 0))
    for number, (_, _, secret) in enumerate(both):
        body = push_body(app.world.commit("ab"[number]))
        assert app.http(on_push, "POST", body, **signed(body, secret)).status_code == 202
    body = push_body(app.world.commit("c"))
    assert app.http(on_push, "POST", body, **signed(body, b"a secret that was replaced")).status_code == 401


def test_no_program_is_started_with_what_came_in() -> None:
    starting, shells = set(), []
    for path in [*HOUSE.glob("shared/**/*.py"), *HOUSE.glob("functions/*.py"), HOUSE / "function_app.py"]:
        text, name = path.read_text(), path.relative_to(HOUSE).as_posix()
        for node in ast.walk(ast.parse(text)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            said = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if STARTS & {*names, said, getattr(node, "module", None) or ""}:
                starting.add("/".join(name.split("/")[:2]))
            shells += [name for each in getattr(node, "keywords", []) if each.arg == "shell"]
    assert starting <= MAY_START
    assert shells == []


@pytest.mark.parametrize(
    "commit", ["--upload-pack=touch canary", "-u", "ext::sh -c canary", "HEAD", "A" * 40, "a" * 39, "a" * 40 + "\n"]
)
def test_a_commit_that_is_an_option_is_not_understood(app: App, commit: str) -> None:
    body = push_body(commit)
    assert app.http(on_push, "POST", body, **signed(body)).status_code == 400
    assert app.world.state_of_project().next_number == 1


def test_the_address_of_a_validation_is_never_opened(app: App, listener: Listener) -> None:
    address = f"http://127.0.0.1:{listener.port}/validate?code=1"
    kind, data = "Microsoft.EventGrid.SubscriptionValidationEvent", {"validationCode": "1", "validationUrl": address}
    event = func.EventGridEvent(
        id="1",
        data=data,
        topic="/subscriptions/x",
        subject="",
        event_type=kind,
        event_time=wiring.now(),
        data_version="1",
    )
    app.event(on_run_ended, event)
    assert (listener.came, app.world.orders) == (0, [])
    assert "which is not taken here" in app.world.inbox()[0]


def test_a_script_that_praises_itself_does_not_pass_the_gate() -> None:
    world = World()
    world.results["train"]["labels"] = {"verdict": "better", "rmse": 0.0, "r2": 1.0}
    world.results["evaluate"].update(verdict="not better", champion=3.0, gain=-0.5, low=-0.9, high=-0.1)
    release = world.push("a")
    world.run()
    assert (world.ended(release), world.live()) == ("kept", "")


@pytest.mark.parametrize("verdict", ["", "nan", "BETTER", "not better", "inconclusive"])
def test_a_verdict_that_nobody_knows_passes_no_gate(verdict: str) -> None:
    opened = facts.ReleaseOpened("r", "houses", 1, "a" * 40, "d", (), "", "push", "dee", "", ("check",), "p")
    judged = facts.Evaluated(1, "job", verdict, "rmse", 20, 3.5)  # type: ignore[arg-type]
    assert gates.gate(opened, judged) is not None


def test_an_image_that_an_event_names_is_not_what_goes_live() -> None:
    world = World(slow={"images"}, silent={"ImagePushed"})
    release = world.push("a")
    world.run()
    world.take_in(notices.ImageHeard("houses", release, "sha256:" + "e" * 64))
    world.run()
    assert "package" not in {step for step, _ in world.state(release).outcomes}
    world.end_image(f"houses:{release}")
    world.patrol()
    world.run()
    world.decide(release)
    world.run()
    assert world.live() == release
    (live,) = (fact for fact in world.facts("environment/houses/production") if isinstance(fact, facts.LiveDecided))
    assert live.image == world.images[f"houses:{release}"].digest


def test_every_answer_forbids_frames_caches_and_referrers(app: App) -> None:
    release = app.world.push("a")
    app.world.run()
    page = {"accept": "text/html"}
    answers = [
        app.http(approve, "GET", route={"release": release}, authorization=f"Bearer {app.token(release)}", **page),
        app.http(approve, "GET", params={"token": "made up"}, route={"release": release}, **page),
        app.http(on_push, "POST", b"{}"),
        app.http(releases, "GET", route={"path": ""}),
    ]
    assert [answer.status_code for answer in answers] == [200, 401, 401, 200]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert {"frame-ancestors 'none'", "default-src 'none'"} <= {part.strip() for part in policy.split(";")}
        assert "script-src" not in policy
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert json.loads(answers[3].get_body())["releases"]


@pytest.mark.parametrize("token", ["made up", "a\r\nSet-Cookie: b=c", "a; Domain=example.org", "é"])
def test_a_token_that_proves_nobody_is_kept_by_no_browser(app: App, token: str) -> None:
    release = app.world.push("a")
    app.world.run()
    proof, page = {"authorization": f"Bearer {app.token(release)}"}, {"accept": "text/html"}
    for function, route in ((pages, {"path": ""}), (approve, {"release": release})):
        answer = app.http(function, "GET", params={"token": token}, route=route, **proof, **page)
        assert (answer.status_code, "Set-Cookie" in answer.headers) == (303, False)
        assert "token" not in answer.headers["Location"]
