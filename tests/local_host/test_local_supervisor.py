"""The whole stack as a person starts it: up, down, and after a power cut."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tools.local.__main__ import main
from tools.local.processes import is_alive
from tools.local.stack import NotStarted, Stack

REPOSITORY = Path(__file__).resolve().parents[2]
Until = Callable[..., Any]
Make = Callable[..., Stack]


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    path = tmp_path / "projects.toml"
    path.write_text("")
    return path


@pytest.fixture
def make(tmp_path: Path, projects: Path, sample: Path) -> Iterator[Make]:
    made: list[Stack] = []

    def make_one(**options: Any) -> Stack:
        notes = {"NOTES": str(tmp_path / "notes.jsonl"), "PYTHONDONTWRITEBYTECODE": "1"}
        made.append(Stack(tmp_path / "state", projects, **{"app": sample, "environment": notes, **options}))
        return made[-1]

    yield make_one
    for one in made:
        one.kill()


def notes(tmp_path: Path, **like: Any) -> list[dict[str, Any]]:
    path = tmp_path / "notes.jsonl"
    found = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [note for note in found if like.items() <= note.items()]


def test_the_stack_comes_up_works_and_goes_down_without_a_trace(make: Make, tmp_path: Path, until: Until) -> None:
    with make() as stack:
        run = json.loads((stack.state / "run.json").read_text())
        assert (run["host_url"], run["grid_url"]) == (stack.host_url, stack.grid_url)
        assert stat.S_IMODE(stack.state.stat().st_mode) == 0o700
        assert httpx.get(f"{stack.host_url}/api/open/special").text == "the exact route"
        assert httpx.get(f"{stack.grid_url}/live/a/b").status_code == 503
        (note,) = until("the first patrol", lambda: notes(tmp_path, function="patrol"))
        assert (note["backend"], note["bytecode"]) == ("local", None)
        pids = list(stack.pids.values())
    assert not (stack.state / "run.json").exists()
    assert not any(is_alive(pid) for pid in pids)


def test_an_event_goes_from_a_put_through_the_topic_to_a_function(make: Make, tmp_path: Path, until: Until) -> None:
    stack = make()
    stack.state.mkdir()
    (stack.state / "subscriptions.json").write_text('[{"name": "s", "function": "on_event"}]')
    with stack:
        key = {"x-functions-key": stack.keys.function}
        httpx.put(f"{stack.grid_url}/data/diabetes/a.csv", content=b"123", headers=key)
        until("the event", lambda: notes(tmp_path, function="on_event", kind="grid"))


def test_the_app_gets_its_settings_and_secrets(make: Make, tmp_path: Path, projects: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(
        "import json, os\nimport azure.functions as func\napp = func.FunctionApp()\n"
        "@app.route(route='env', auth_level=func.AuthLevel.ANONYMOUS)\n"
        "async def env(req: func.HttpRequest) -> func.HttpResponse:\n"
        "    return func.HttpResponse(json.dumps(dict(os.environ)))\n"
    )
    secret = subprocess.run(
        [sys.executable, "-m", "tools.local", "secret", "--state", str(tmp_path / "state"), "DIABETES_HOOK"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    with make(app=app) as stack:
        told = httpx.get(f"{stack.host_url}/api/env").json()
        assert told["SECRET_DIABETES_HOOK"] == secret == stack.keys.secrets["DIABETES_HOOK"]
        assert (told["BACKEND"], told["STATE_DIR"], told["PROJECTS"]) == ("local", str(stack.state), str(projects))
        assert (told["PUBLIC_URL"], told["LIVE_URL"]) == (stack.host_url, f"{stack.grid_url}/live")
        assert told["TOPIC_ENDPOINT"] == f"{stack.grid_url}/topics/signalbox/api/events"
        assert (told["TOPIC_KEY"], told["APPROVAL_KEY"]) == (stack.keys.topic, stack.keys.approvals)


def test_after_kill_9_of_the_supervisor_nothing_is_left_and_the_next_start_goes_on(
    make: Make, tmp_path: Path, until: Until
) -> None:
    first = make()
    first.start()
    pids, keys = first.pids, first.keys
    os.kill(pids["supervisor"], signal.SIGKILL)
    until("the children's end", lambda: not any(is_alive(pid) for pid in pids.values()))
    with make() as again:
        assert again.keys == keys
        assert set(again.pids.values()).isdisjoint(pids.values())
        assert httpx.get(f"{again.host_url}/api/open/special").status_code == 200


def test_a_child_that_dies_is_started_again_and_no_request_is_refused(make: Make, until: Until) -> None:
    with make() as stack:
        before = stack.pids
        os.kill(before["host"], signal.SIGKILL)
        assert httpx.get(f"{stack.host_url}/api/open/special", timeout=30).status_code == 200
        until("the new pid", lambda: stack.pids["host"] not in (None, before["host"]))
        assert stack.pids["grid"] == before["grid"]
        assert "The host ended by itself (signal SIGKILL)" in stack.log


def test_a_second_stack_on_the_same_state_is_refused(make: Make) -> None:
    with make() as stack, pytest.raises(NotStarted, match=f"already runs on .*process {stack.pids['supervisor']}"):
        make().start()


def test_a_port_that_is_taken_is_replaced_and_told(make: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with make(host_port=taken) as stack:
            assert stack.host_url != f"http://127.0.0.1:{taken}"
            assert f"Port {taken} is taken" in stack.log


def test_without_the_patrol_it_neither_runs_at_the_start_nor_by_its_timer(make: Make, tmp_path: Path) -> None:
    with make(patrol=False) as stack:
        master = {"x-functions-key": stack.keys.master}
        shown = httpx.get(f"{stack.host_url}/admin/functions", headers=master).json()
        assert [one["name"] for one in shown if one["isDisabled"]] == ["patrol"]
    assert notes(tmp_path, function="patrol") == []


def test_without_a_function_its_events_go_nowhere_for_this_run_only(make: Make, until: Until) -> None:
    published = {"id": "1", "subject": "s", "eventTime": "2026-11-23T00:00:00Z", "data": {}}
    published["eventType"] = "Microsoft.ContainerRegistry.ImagePushed"
    for without, expected in ((("on_image_pushed",), [None]), ((), [None, "on_image_pushed"])):
        with make(without=without) as stack:
            topic = f"{stack.grid_url}/topics/signalbox"
            headers = {"aeg-sas-key": stack.keys.topic}
            assert httpx.post(f"{topic}/api/events", json=[published], headers=headers).status_code == 200
            rows = httpx.get(f"{topic}/deliveries", headers=headers).json()
            assert [row["subscription"] for row in rows] == expected


def test_an_app_that_is_broken_is_up_and_says_why(make: Make, tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text("raise RuntimeError('the reason')\n")
    with make(app=app) as stack:
        master = {"x-functions-key": stack.keys.master}
        status = httpx.get(f"{stack.host_url}/admin/host/status", headers=master).json()
        assert status["state"] == "Error"
        assert "the reason" in status["errors"][0]
        assert "was not loaded" in stack.log


def test_services_of_the_local_backend_are_resumed_and_stopped(make: Make, tmp_path: Path) -> None:
    app = tmp_path / "app"
    services = app / "shared/backends/local/services.py"
    services.parent.mkdir(parents=True)
    (app / "function_app.py").write_text("import azure.functions as func\napp = func.FunctionApp()\n")
    services.write_text("import sys\nopen(sys.argv[3] + '/orders', 'a').write(sys.argv[1] + '\\n')\n")
    with make(app=app) as stack:
        assert (stack.state / "orders").read_text() == "resume\n"
    assert (stack.state / "orders").read_text() == "resume\nstop\n"


def test_a_projects_file_that_is_not_there_is_named(make: Make, projects: Path) -> None:
    projects.unlink()
    with pytest.raises(NotStarted, match="There is no projects file"):
        make().start()


def test_a_secret_is_made_once_and_a_bad_name_is_refused(tmp_path: Path) -> None:
    def secret(name: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "tools.local", "secret", "--state", str(tmp_path), name]
        return subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    first, second, other = secret("HOOK"), secret("HOOK"), secret("OTHER")
    assert first.stdout == second.stdout != other.stdout
    assert len(first.stdout.strip()) >= 40
    assert secret("no name").returncode == 2


OVERRUNNING = """
import asyncio, os
import azure.functions as func

app = func.FunctionApp()


def note(line):
    with open(os.environ["NOTES"], "a") as file:
        file.write(line + "\\n")


@app.route(route="order", auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
async def order(req: func.HttpRequest, out: func.Out[str]) -> str:
    out.set("slow")
    return ""


@app.queue_trigger(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
async def work(msg: func.QueueMessage) -> None:
    note(f"{msg.get_body().decode()} {msg.dequeue_count} {os.getpid()}")
    if msg.dequeue_count == 1:
        await asyncio.Event().wait()
"""


def test_a_function_that_overruns_ends_its_host_which_starts_again_and_the_message_comes_again(
    make: Make, tmp_path: Path, until: Until
) -> None:
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(OVERRUNNING)
    (app / "host.json").write_text('{"version": "2.0", "functionTimeout": "00:00:01"}')
    with make(app=app) as stack:
        before = stack.pids["host"]
        assert httpx.get(f"{stack.host_url}/api/order").status_code == 200
        path = tmp_path / "notes.jsonl"
        until("the second try", lambda: path.exists() and len(path.read_text().splitlines()) == 2)
        (first, second) = (line.split() for line in path.read_text().splitlines())
        assert (first, second[:2]) == (["slow", "1", str(before)], ["slow", "2"])
        until("the new host", lambda: stack.pids["host"] == int(second[2]))
        assert "function work ran over functionTimeout" in stack.log
        assert "The host ended by itself (exit 70)" in stack.log
        assert httpx.get(f"{stack.host_url}/api/order", timeout=30).status_code == 200


def test_the_waits_of_the_topic_are_scaled_and_events_doubled_when_asked(
    make: Make, tmp_path: Path, until: Until
) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "subscriptions.json").write_text('[{"name": "s", "function": "on_event", "max_attempts": 3}]')
    with make(time_scale=0.001, duplicates=1) as stack:
        topic, headers = f"{stack.grid_url}/topics/signalbox", {"aeg-sas-key": stack.keys.topic}
        event = {
            "id": "1",
            "subject": "s",
            "eventTime": "2026-11-23T00:00:00Z",
            "eventType": "T",
            "data": {"fail": True},
        }
        assert httpx.post(f"{topic}/api/events", json=[event], headers=headers).status_code == 200

        def dead() -> list[Any]:
            rows = httpx.get(f"{topic}/deliveries", headers=headers).json()
            return [row for row in rows if row["id"] == "1" and row["state"] == "dead"]

        until("both deaths", lambda: len(dead()) == 2)
        assert [row["attempts"] for row in dead()] == [3, 3]
        assert len(notes(tmp_path, function="on_event", id="1")) == 6


def test_a_scale_of_nothing_is_refused(projects: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["up", "--projects", str(projects), "--time-scale", "0"])
    assert "0 is not above 0" in capsys.readouterr().err


def test_a_key_of_one_function_is_made_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def key(*names: str) -> str:
        assert main(["key", "--state", str(tmp_path), *names]) == 0
        return capsys.readouterr().out

    assert key("environments", "ci") == key("environments", "ci") != key("releases")
    assert main(["key", "--state", str(tmp_path), "no name"]) == 2
