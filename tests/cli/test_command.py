"""The `signalbox` command over real HTTP, to a stack that answers as the app does."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from shared.release.config import read_projects
from shared.release.tokens import verify, verify_pass
from tests.cli import stand_in
from tools.cli import rows
from tools.cli.app import main
from tools.cli.projects import projects_file
from tools.cli.reach import command

HOUSE = Path(__file__).resolve().parents[2]
SETTINGS = [
    "LIVE_URL is missing: the base address",
    "SECRET_PRICES is missing: the push secret of project prices",
    "SECRET_ACME_READ is missing: the repository of prices is read with it (user:token, or a token)",
    "projects.toml, line 2: approvers is missing",
]


OPENED = {"release": "r", "alias": "calm-ibis", "project": "prices", "number": 4}
GOVERNED = {"changed": True, "live": "calm-ibis", "version": 3, "held": "why"}


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[stand_in.StandIn]:
    with stand_in.standing_in(tmp_path / "state") as up:
        yield up


RULES = {"digest": "sha256:" + "1" * 64, "approvers": ["ana"], "quorum": 1, "required": {}, "delegations": []}
RULES |= {"self_approval": False, "roles": None}
LOOSE = {
    "digest": "sha256:" + "2" * 64,
    "self_approval": True,
    "roles": {"operator": ["ops"], "admin": [], "viewer": []},
}
LOOSE |= {"required": {"risk": ["cy"]}, "delegations": [{"from": "ana", "to": "dee", "until": "2026-12-31"}]}
POLICY = {"project": "prices", "in_force": RULES, "written": RULES | LOOSE, "waits": True, "agreed": ["bo"]}
POLICY |= {"weaker": ["whoever made a change may approve it"], "may_accept": ["ana", "bo"]}


class Said:
    """What a run of the command printed, and how it exited."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def signalbox(stack: stand_in.StandIn, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.setattr("tools.cli.app.console.width", 200)

    def run(*arguments: str, stdin: str = "") -> Said:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        monkeypatch.setenv("SIGNALBOX_STATE", str(stack.state))
        monkeypatch.setattr(sys, "argv", ["signalbox", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capfd.readouterr())

    return run


def test_status_shows_one_row_a_project_and_the_next_command(stack: stand_in.StandIn, signalbox: Any) -> None:
    live = {"release": "r", "alias": "calm-ibis", "version": 3, "number": 3, "since": "2026-01-01T00:00:00+00:00"}
    waiting = [
        {"release": "w", "alias": "quick-otter", "approvers": ["ana@x", "bo@x"], "missing": ["ana@x"], "quorum": 2}
    ]
    tried = {"release": "w", "alias": "quick-otter", "version": 4}
    held = {"by": "bo@x", "reason": "rollback after v4", "at": "2026-01-02T09:12:00"}
    production = {"project": "flights", "environment": "production", "live": live, "held": held, "waiting": waiting}
    staging = {"project": "flights", "environment": "staging", "live": tried, "held": None, "waiting": []}
    stack.answer(
        "GET", "environments", {"environments": [{"project": "flights", **one} for one in (staging, production)]}
    )
    stack.answer("GET", "releases", {"releases": [stand_in.view()]})
    said = signalbox("status")
    assert said.code == 0
    row = next(line for line in said.out.splitlines() if "flights" in line)
    assert "v3 calm-ibis (" in row
    assert "v4 quick-otter  " in row
    assert "HELD production" in row
    assert "quick-otter: ana@, 1 of 2" in said.out
    assert "show quiet-heron" in said.out.splitlines()[-1]


def test_status_of_an_empty_stack_says_what_to_do(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "environments", {"environments": []})
    stack.answer("GET", "releases", {"releases": []})
    said = signalbox("status")
    assert "No project has a release yet." in said.out
    assert "git push" in said.out


def test_status_names_who_cannot_be_told(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "environments", {"environments": []})
    stack.answer("GET", "releases", {"releases": []})
    stack.answer("GET", "health", {"untold": {"TEAM_SLACK": "the service answered 404"}})
    assert "TEAM_SLACK hears nothing: the service answered 404" in signalbox("status").out


def test_show_tells_every_step_with_its_seconds(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    said = signalbox("show", "quiet-heron")
    assert [step for step in stand_in.STEPS if f"  {step} " not in said.out] == []
    assert "1.2 s" in said.out
    assert "a decision of ana" in said.out
    assert "approve quiet-heron" in said.out


def test_show_says_what_nobody_knows_of_a_model_that_others_registered(stack: stand_in.StandIn, signalbox: Any) -> None:
    trained = {"commit": "unknown", "data": "unknown", "note": "it may have seen the rows"}
    stack.answer("GET", "releases/quiet-heron", stand_in.view(trained=trained))
    told = signalbox("show", "quiet-heron").out
    assert "scored with commit 3f2c9d1" in told
    assert "it may have seen the rows" in told


def test_a_digest_is_whole_on_a_narrow_terminal(
    stack: stand_in.StandIn, signalbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = "sha256:" + "a" * 64
    stack.answer("GET", "releases/quiet-heron", stand_in.view(digests={"model": model}, reason="because " * 30))
    monkeypatch.setattr("tools.cli.app.console.width", 60)
    lines = signalbox("show", "quiet-heron").out.splitlines()
    assert f"  model      {model}" in lines
    assert "  reason     " + "because " * 30 in lines


def test_a_number_of_a_project_is_a_name_too(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/diabetes%231", stand_in.view())
    assert signalbox("show", "diabetes#1").code == 0


def test_json_is_the_answer_and_nothing_else(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    assert json.loads(signalbox("show", "quiet-heron", "--json").out) == stand_in.view()


def test_evidence_is_printed_byte_for_byte(stack: stand_in.StandIn, signalbox: Any) -> None:
    sealed = '{"model":"ä","n":1}'.encode()
    stack.answer("GET", "releases/quiet-heron/evidence", sealed)
    assert signalbox("show", "quiet-heron", "--evidence").out.encode() == sealed


def test_approve_reads_the_newest_mail_and_names_the_sealed_evidence(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    stack.answer("POST", f"approvals/{stand_in.RELEASE}", {"message": "ana@example.org approved."})
    stack.mail("1-older", "ana@example.org", "sb1.older")
    stack.mail("2-ours", "ana@example.org", "sb1.ours-_.mac")
    stack.mail("3-other", "ana@example.org", "sb1.other", release="f" * 20)
    said = signalbox("approve", "quiet-heron", "--reason", "better")
    assert said.code == 0
    assert "ana@example.org approved." in said.out
    posted = stack.asked[-1]
    assert posted.bearer == "Bearer sb1.ours-_.mac"
    assert json.loads(posted.body) == {"decision": "approve", "reason": "better", "evidence": "sha256:ee"}


def test_reject_says_reject(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    stack.answer("POST", f"approvals/{stand_in.RELEASE}", {"message": "rejected"})
    stack.mail("1", "ana@example.org", "T")
    assert signalbox("reject", "quiet-heron", "--reason", "worse for the old").code == 0
    assert json.loads(stack.asked[-1].body)["decision"] == "reject"


def test_with_two_approvers_one_must_say_who_one_is(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    stack.answer("POST", f"approvals/{stand_in.RELEASE}", {"message": "ok"})
    stack.mail("1", "ana@example.org", "A")
    stack.mail("2", "bo@example.org", "B")
    said = signalbox("approve", "quiet-heron", "--reason", "better")
    assert said.code == 1
    assert "--as" in said.err
    assert signalbox("approve", "quiet-heron", "--reason", "better", "--as", "ana@example.org").code == 0
    assert stack.asked[-1].bearer == "Bearer A"


def test_an_approver_whose_address_is_part_of_another_is_told_apart(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    stack.answer("POST", f"approvals/{stand_in.RELEASE}", {"message": "ok"})
    stack.mail("1", "ana@example.org", "A")
    stack.mail("2", "diana@example.org", "D")
    assert signalbox("approve", "quiet-heron", "--reason", "better", "--as", "ana@example.org").code == 0
    assert stack.asked[-1].bearer == "Bearer A"
    said = signalbox("approve", "quiet-heron", "--reason", "better", "--as", "ana")
    assert (said.code, "ana@example.org or diana@example.org" in said.err) == (1, True)


def test_nobody_can_answer_what_nobody_was_asked(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron", stand_in.view())
    said = signalbox("approve", "quiet-heron", "--reason", "better")
    assert said.code == 1
    assert "Nobody was asked" in said.err


def test_what_the_app_refuses_is_told_in_its_own_words(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/heron", {"error": "heron may be quiet-heron or loud-heron."}, status=409)
    said = signalbox("show", "heron")
    assert (said.code, said.err) == (1, "heron may be quiet-heron or loud-heron.\n")
    assert json.loads(signalbox("show", "heron", "--json").out) == {"error": said.err.strip()}


def test_logs_are_printed_as_they_are(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answer("GET", "releases/quiet-heron/log", b"[bold]line[/bold]\n")
    assert signalbox("logs", "quiet-heron", "train").out == "[bold]line[/bold]\n"
    assert stack.asked[-1].path.endswith("?step=train")


def test_data_goes_where_the_operator_says(stack: stand_in.StandIn, signalbox: Any, tmp_path: Path) -> None:
    (stack.state / "projects.toml").write_text('[projects.flights]\ndata = { container = "lake", prefix = "raw/" }\n')
    file = tmp_path / "a b.csv"
    file.write_text("x\n1\n")
    stack.answers["PUT /data/lake/raw/a%20b.csv"] = (201, {"name": "raw/a b.csv", "size": 4, "etag": "e"})
    said = signalbox("data", "put", "flights", str(file))
    assert said.code == 0
    assert (stack.asked[-1].body, stack.asked[-1].key) == (b"x\n1\n", "F")
    assert signalbox("data", "put", "trains", str(file)).code == 1


def test_a_folder_of_data_keeps_the_paths_within_it(stack: stand_in.StandIn, signalbox: Any, tmp_path: Path) -> None:
    (stack.state / "projects.toml").write_text('[projects.flights]\ndata = { container = "lake" }\n')
    for name in ("2023/a.csv", "2024/a.csv", ".cache/a.csv"):
        (tmp_path / "in" / name).parent.mkdir(parents=True)
        (tmp_path / "in" / name).write_text("x\n1\n")
        stack.answers[f"PUT /data/lake/{name}"] = (201, {"name": name, "size": 4, "etag": "e"})
    assert signalbox("data", "put", "flights", str(tmp_path / "in")).code == 0
    assert [one.path for one in stack.asked] == ["/data/lake/2023/a.csv", "/data/lake/2024/a.csv"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("2023/a.csv", "2024/a.csv"), "would both become a.csv: give the folder above both"),
        (("empty.csv",), "empty.csv is empty"),
        (("nothing",), "nothing holds no files"),
    ],
)
def test_data_that_would_be_lost_is_refused_before_anything_is_sent(
    stack: stand_in.StandIn, signalbox: Any, tmp_path: Path, given: tuple[str, ...], said: str
) -> None:
    (stack.state / "projects.toml").write_text('[projects.flights]\ndata = { container = "lake" }\n')
    for name in ("2023", "2024", "nothing"):
        (tmp_path / name).mkdir()
    for name, text in (("2023/a.csv", "x\n1\n"), ("2024/a.csv", "x\n2\n"), ("empty.csv", "")):
        (tmp_path / name).write_text(text)
    refused = signalbox("data", "put", "flights", *(str(tmp_path / name) for name in given))
    assert (refused.code, stack.asked) == (1, [])
    assert said in refused.err


def test_what_a_commit_or_a_program_says_cannot_steer_the_terminal(stack: stand_in.StandIn, signalbox: Any) -> None:
    view = stand_in.view(message="\x1b[31mred\x07\x9b2J " + "x" * 500, reason="said \x1b]0;title\x07")
    view["steps"][0] |= {"sentence": "\x1b[2Jgone"}
    stack.answer("GET", "releases/quiet-heron", view)
    out = signalbox("show", "quiet-heron").out
    assert not [char for char in out if not char.isprintable() and char != "\n"]
    assert max(len(line) for line in out.splitlines() if "quiet-heron" in line) < 200


def test_what_is_kept_is_as_green_as_what_passed_and_what_failed_is_red() -> None:
    view = stand_in.view(state="kept", standing=None)
    view["steps"][2] |= {"state": "stopped", "word": "kept"}
    view["steps"][3] |= {"state": "stopped", "word": "cancelled"}
    view["steps"][4] |= {"state": "failed", "word": "failed"}
    words: Any = list(rows.steps(view).columns[1].cells)
    assert [word.style for word in words[1:5]] == ["green", "green", "yellow", "red"]


def test_a_release_that_has_ended_asks_nobody_any_more(stack: stand_in.StandIn, signalbox: Any) -> None:
    kept = stand_in.view(state="kept", standing=None, reason="not better")
    stack.answer("GET", "releases/quiet-heron", kept)
    said = signalbox("approve", "quiet-heron", "--reason", "please")
    assert said.code == 1
    assert said.err.strip() == "Nobody was asked about quiet-heron: it is kept, not better."


def test_the_command_is_named_as_it_can_be_called_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(HOUSE)
    assert command() == ".venv/bin/signalbox"
    monkeypatch.chdir(tmp_path)
    assert command() == str(HOUSE / ".venv/bin/signalbox")


def test_data_goes_where_the_file_of_the_stack_that_is_up_says(
    stack: stand_in.StandIn, signalbox: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROJECTS", raising=False)
    listed, run = tmp_path / "mine.toml", json.loads((stack.state / "run.json").read_text())
    listed.write_text('[projects.flights]\ndata = { container = "lake" }\n')
    (stack.state / "run.json").write_text(json.dumps({**run, "projects": str(listed)}))
    file = tmp_path / "a.csv"
    file.write_text("x\n1\n")
    stack.answers["PUT /data/lake/a.csv"] = (201, {"name": "a.csv", "size": 4, "etag": "e"})
    assert signalbox("data", "put", "flights", str(file)).code == 0


def test_the_stack_runs_the_app_of_this_checkout_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signalbox: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    started: list[list[str]] = []

    def instead(path: str, arguments: list[str]) -> None:
        started.append(arguments)
        raise SystemExit(0)

    monkeypatch.setattr(os, "execv", instead)
    signalbox("up", "--state", str(tmp_path / "new"))
    assert (Path(started[0][started[0].index("--app") + 1]) / "function_app.py").is_file()


def test_a_step_that_has_no_log_is_not_sent_to_one(stack: stand_in.StandIn, signalbox: Any) -> None:
    view = stand_in.view(state="failed", standing=None)
    view["steps"][5] |= {"state": "failed", "log": ""}
    stack.answer("GET", "releases/quiet-heron", view)
    assert "logs quiet-heron" not in signalbox("show", "quiet-heron").out
    view["steps"][5] |= {"log": f"{stand_in.RELEASE}-package-1"}
    assert "logs quiet-heron package" in signalbox("show", "quiet-heron").out


def test_a_secret_is_made_once_and_printed_again(stack: stand_in.StandIn, signalbox: Any) -> None:
    first, again = (json.loads(signalbox("secret", "PRICES_WEBHOOK", "--json").out) for _ in range(2))
    assert first == again
    assert json.loads((stack.state / "keys.json").read_text())["secrets"] == {"PRICES_WEBHOOK": first["value"]}
    assert signalbox("secret", "no-name").code == 2


def test_a_token_that_a_git_host_gave_is_kept_and_not_shown(stack: stand_in.StandIn, signalbox: Any) -> None:
    for given in ("robot:hunter2\n", "robot:hunter3\n"):
        said = signalbox("secret", "ACME_READ", "--read", stdin=given)
        assert (said.code, "hunter" in said.out + said.err) == (0, False)
        assert json.loads((stack.state / "keys.json").read_text())["secrets"] == {"ACME_READ": given.strip()}
    assert signalbox("secret", "ACME_READ", "--read", stdin=" ").code == 1


def test_a_first_start_makes_an_operator_file_without_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made = projects_file(tmp_path / "state", None)
    assert read_projects(made.read_text()).projects == {}
    assert str(made) in capfd.readouterr().err
    Path("projects.toml").write_text("[projects]\n")
    assert projects_file(tmp_path / "other", None) == Path("projects.toml")
    with pytest.raises(typer.BadParameter, match="is not there"):
        projects_file(tmp_path, tmp_path / "absent.toml")


def test_a_stack_that_is_down_is_exit_code_3_and_how_to_start_it(stack: stand_in.StandIn, signalbox: Any) -> None:
    (stack.state / "run.json").unlink()
    said = signalbox("status")
    assert said.code == 3
    assert f"up --state {stack.state}" in said.err


def test_a_wrong_use_is_exit_code_2(signalbox: Any) -> None:
    assert signalbox("show").code == 2


def test_the_doctor_finds_what_is_wrong_with_a_stack(stack: stand_in.StandIn, signalbox: Any) -> None:
    stack.answers["GET /admin/host/status"] = (200, {"state": "Running"})
    used = "a previous secret is still in use by github, last at 2026-03-03T09:00"
    told = {"functions": ["on_push"], "failed": {"patrol": "no croniter"}, "settings": ["projects.toml cannot be read"]}
    stack.answer("GET", "environments", {"error": "; ".join(SETTINGS)}, 500)
    stack.answer("GET", "health", told | {"untold": {"MAIL": "away"}, "previous_secrets": [used]})
    (stack.state / "subscriptions.json").write_text('[{"name": "a", "function": "on_gone", "types": []}]')
    stack.state.chmod(0o755)
    said = signalbox("doctor")
    assert said.code == 1
    assert "missing is missing" not in said.out
    assert ["secret PRICES " in said.out, "mend projects.toml" in said.out] == [True, True]
    assert "secret ACME_READ --read < FILE" in said.out
    for wrong in (
        "chmod 700",
        "patrol did not load: no croniter",
        "MAIL hears nothing: away",
        f"{used}: give its webhook the first secret of the project",
        "LIVE_URL is missing: the base",
        "on_gone: no such function",
    ):
        assert wrong in said.out


def test_the_doctor_asks_the_storage_of_a_stack_that_has_its_own(stack: stand_in.StandIn, signalbox: Any) -> None:
    with socket.socket() as taken:
        # Nobody listens at a port that is only taken.
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/account"
        for url, said in ((f"{stack.url}/account", "Azurite answers"), (nobody, "Azurite does not answer")):
            run = {"host_url": stack.url, "grid_url": stack.url, "pids": {}, "storage_url": url}
            (stack.state / "run.json").write_text(json.dumps(run))
            assert f"{said} at {url}" in signalbox("doctor").out


def test_the_doctor_notices_a_run_that_was_killed(stack: stand_in.StandIn, signalbox: Any) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = {"host_url": stack.url, "grid_url": stack.url, "pids": {"host": gone.pid}}
    (stack.state / "run.json").write_text(json.dumps(run))
    said = signalbox("doctor")
    assert said.code == 1
    assert "stale" in said.out


def test_the_command_of_this_checkout_runs_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "tree/.venv/bin").mkdir(parents=True)
    for name in ("tools", "shared"):
        (tmp_path / "tree" / name).symlink_to(HOUSE / name)
    (tmp_path / "tree/.venv/bin/python").symlink_to(sys.executable)
    script = tmp_path / "tree/.venv/bin/signalbox"
    script.write_text((HOUSE / "tools/signalbox.sh").read_text())
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(filter(None, sys.path))}
    ran = subprocess.run(["sh", script, "--help"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "approve" in ran.stdout


PEOPLE = [
    (("cancel", "quiet-heron"), "releases/quiet-heron/cancel", {}, {"alias": "quiet-heron"}, "is cancelled"),
    (("resume", "quiet-heron"), "releases/quiet-heron/resume", {}, {"alias": "quiet-heron", "step": "train"}, "train"),
    (("rerun", "prices#3"), "releases/prices%233/rerun", {}, {"releases": [OPENED]}, "calm-ibis is prices#4"),
    (("open", "prices"), "releases", {"project": "prices"}, {"releases": [OPENED]}, "calm-ibis is prices#4"),
    (("hold", "prices"), "environments/prices/production", {"action": "hold"}, GOVERNED, 'v3 calm-ibis, held: "why"'),
    (("lift", "prices"), "environments/prices/production", {"action": "lift"}, GOVERNED, "v3 calm-ibis"),
    (
        ("rollback", "prices", "--to", "v3"),
        "environments/prices/production",
        {"action": "rollback", "to": "v3"},
        GOVERNED | {"changed": False},
        "it was so already",
    ),
]


@pytest.mark.parametrize(
    ("command_line", "path", "fields", "answer", "said"), PEOPLE, ids=[one[0][0] for one in PEOPLE]
)
def test_what_people_change_is_asked_with_who_and_why(
    stack: stand_in.StandIn, signalbox: Any, command_line: Any, path: str, fields: Any, answer: Any, said: str
) -> None:
    stack.answer("POST", path, answer, 202)
    ran = signalbox(*command_line, "--reason", "why", "--by", "bo@example.org")
    assert (ran.code, said in ran.out, ran.out.count("Next: ")) == (0, True, 1), ran.err
    assert json.loads(stack.asked[-1].body) == {"by": "bo@example.org", "reason": "why", **fields}


def test_every_release_on_demand_has_a_key_of_its_own_unless_one_is_given(
    stack: stand_in.StandIn, signalbox: Any
) -> None:
    stack.answer("POST", "releases", {"releases": [OPENED]}, 202)
    for more in ((), (), ("--key", "june")):
        signalbox("open", "prices", "--reason", "audit", *more)
    keys = [asked.headers["Idempotency-Key"] for asked in stack.asked]
    assert (len(set(keys)), keys[2]) == (3, "june")


def test_events_tell_what_came_in_and_why_nothing_was_trained(stack: stand_in.StandIn, signalbox: Any) -> None:
    row = {"at": "2026-01-02T09:12:00.000+00:00", "project": "prices", "source": "data", "became": "waiting"}
    row |= {"subject": "lake/may.csv", "reason": "it waits for 10 s of quiet", "release": "", "delivery": ""}
    stack.answer("GET", "events/prices", {"events": [row, row | {"project": "", "became": "refused"}]})
    ran = signalbox("events", "prices")
    assert "2026-01-02 09:12:00  prices  data  waiting" in ran.out
    assert "lake/may.csv: it waits for 10 s of quiet" in ran.out
    assert "-  data  refused" in ran.out
    stack.answer("GET", "events/", {"events": []})
    assert "Nothing has come in yet" in signalbox("events").out


def signed(stack: stand_in.StandIn) -> bytes:
    """Give the stack a key that signs passes, as one that was started has it."""
    keys = json.loads((stack.state / "keys.json").read_text()) | {"approvals": "a key that signs passes"}
    (stack.state / "keys.json").write_text(json.dumps(keys))
    return b"a key that signs passes"


def test_a_pass_says_who_somebody_is_until_it_expires(stack: stand_in.StandIn, signalbox: Any) -> None:
    assert "holds no key that signs passes" in signalbox("login", "ana@example.org").err
    key = signed(stack)
    said = signalbox("login", "ana@example.org", "--hours", "2")
    held = verify_pass(key, said.out.strip(), 0)
    assert held.person == "ana@example.org"
    assert abs(held.expires - time.time() - 7200) < 600
    assert "whoever holds this is ana@example.org" in said.err
    for nobody in ("", " ", "\u200b"):
        refused = signalbox("login", nobody)
        assert (refused.code, refused.out) == (1, "")
        assert "A pass names a person" in refused.err


def test_whoever_asks_is_proven_by_the_state_folder(stack: stand_in.StandIn, signalbox: Any) -> None:
    key = signed(stack)
    stack.answer("POST", "environments/prices/production", GOVERNED)
    assert signalbox("hold", "prices", "--reason", "wait", "--by", "bo@example.org").code == 0
    assert verify_pass(key, stack.asked[-1].bearer.removeprefix("Bearer "), 0).person == "bo@example.org"


def test_a_changed_policy_is_shown_with_what_is_weaker_and_accepted_by_name(
    stack: stand_in.StandIn, signalbox: Any
) -> None:
    key = signed(stack)
    stack.answer("GET", "policies/prices", POLICY)
    stack.answer("POST", "policies/prices", {"message": "This policy is in force."})
    shown = signalbox("policy", "show", "prices").out
    for line in (
        "in projects.toml: sha256:222222222222…",
        "weaker: whoever made a change may approve it",
        "waits for two of ana, bo",
        "agreed: bo",
        "of @risk one: cy",
        "dee for ana until 2026-12-31",
        "operator: ops",
        "Next: ",
    ):
        assert line in shown
    assert "This policy is in force." in signalbox("policy", "accept", "prices", "--reason", "r", "--by", "ana").out
    assert json.loads(stack.asked[-1].body) == {"digest": LOOSE["digest"], "by": "ana", "reason": "r"}
    assert verify_pass(key, stack.asked[-1].bearer.removeprefix("Bearer "), 0).person == "ana"


def test_an_emergency_is_bound_to_the_evidence_and_shown_in_red(stack: stand_in.StandIn, signalbox: Any) -> None:
    key = signed(stack)
    broken = {"by": "cy", "reason": "the shop is down", "state": "waits", "confirmed_by": "", "until": "04 Mar 2026"}
    stack.answer("GET", f"releases/{stand_in.RELEASE}", stand_in.view(glass=broken))
    stack.answer("POST", f"approvals/{stand_in.RELEASE}", {"message": "It goes into production now."})
    shown = signalbox("show", stand_in.RELEASE).out
    assert "GLASS BROKEN by cy" in shown
    assert "the shop is down: waits, 04 Mar 2026" in shown
    for command_, decision in (("emergency", "break-glass"), ("confirm", "confirm")):
        assert signalbox(command_, stand_in.RELEASE, "--reason", "now", "--by", "cy").code == 0
        assert json.loads(stack.asked[-1].body)["decision"] == decision
        grant = verify(key, stack.asked[-1].bearer.removeprefix("Bearer "), 0)
        assert (grant.release, grant.approver, grant.evidence) == (stand_in.RELEASE, "cy", "sha256:ee")
    stack.answer("GET", f"releases/{stand_in.RELEASE}", stand_in.view(digests={"evidence": ""}))
    assert "has no sealed evidence yet" in signalbox("emergency", stand_in.RELEASE, "--reason", "now").err
    row = {"project": "prices", "environment": "production", "live": None, "held": None, "waiting": []}
    stack.answer("GET", "environments", {"environments": [row | {"pending": "", "rules_wait": True, "glass": ["r1"]}]})
    stack.answer("GET", "releases", {"releases": []})
    status = signalbox("status").out
    assert "GLASS BROKEN: r1" in status
    assert "its approval policy changed" in status
