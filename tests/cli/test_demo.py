"""What the demo prepares and sends; the whole story is told by `make demo` itself."""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shared.release.config import read_projects
from shared.sources.push import read_push
from shared.sources.signatures import Secret
from tests.cli import stand_in
from tools.cli.mail import questions
from tools.cli.reach import reach
from tools.demo import __main__, answer, months, place, predict, story
from tools.demo.place import Given, Place, Trouble
from tools.demo.story import Story
from tools.demo.watch import Watch
from tools.local.keys import read_keys

TOML = '[data]\ntarget = "price"\n[evaluate]\nmetric = "rmse"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "House Prices_2"
    folder.mkdir()
    (folder / "signalbox.toml").write_text(TOML)
    (folder / "train.py").write_text("ALPHA = 0.5\n")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "2024").mkdir(parents=True)
    (folder / "2024/a.csv").write_text("rooms,town,price\n3,Ulm,10.5\n,Bonn,11\n")
    return folder


def prepared(state: Path, project: Path, data: Path) -> Place:
    (made,) = place.prepare(state, Given(project, data))
    return made


def test_a_project_nobody_knew_is_prepared_with_its_operator_file(tmp_path: Path, project: Path, data: Path) -> None:
    made = prepared(tmp_path / "state", project, data)
    listed = read_projects(made.projects_file.read_text()).projects
    assert list(listed) == [made.project] == ["house-prices-2"]
    assert listed[made.project].repository == (tmp_path / "state/git/house-prices-2.git").as_uri()
    assert place.git("log", "-1", "--format=%ae %s", at=made.working) == "dee@example.org Ridge, alpha 0.5"


def test_both_examples_are_prepared_for_one_operator(tmp_path: Path) -> None:
    made = place.prepare(tmp_path / "state", place.PATIENTS, place.months(full=False))
    listed = read_projects(made[0].projects_file.read_text()).projects
    assert list(listed) == [at.project for at in made] == ["diabetes", "flight-delays"]
    assert [listed[name].holdout.by for name in listed] == ["hash", "newest"]
    assert [listed[name].policy.min_gain for name in listed] == [0.0, 0.01]
    assert [file.name for file in months.coming(made[1])] == ["2013-04.csv", "2013-05.csv", "2013-06.csv"]
    tenth = sum(predict.rows_in(file) or 0 for file in made[1].files)
    assert tenth == round(327_346 / 10)


def test_a_git_project_keeps_its_commit(tmp_path: Path, project: Path, data: Path) -> None:
    place.git("init", "--quiet", ".", at=project)
    made = place.commit(project, "By its own author")
    assert place.head(prepared(tmp_path / "state", project, data).working) == made


def test_a_push_without_a_stack_is_said_to_be_undelivered(tmp_path: Path, project: Path, data: Path) -> None:
    made = prepared(tmp_path / "state", project, data)
    assert "webhook not delivered: no stack is up" in place.push(made.working)


def test_the_hook_sends_what_the_app_believes(tmp_path: Path, project: Path, data: Path) -> None:
    state = tmp_path / "state"
    made = prepared(state, project, data)
    secret = read_keys(state).secrets[place.SECRET]
    with stand_in.standing_in(tmp_path / "other") as stack:
        (state / "run.json").write_text(json.dumps({"host_url": stack.url}))
        stack.answer("POST", "push", {"releases": [{"alias": "quiet-heron", "number": 1}], "recorded": []}, status=202)
        said = place.push(made.working)
    assert said == "webhook -> release quiet-heron #1"
    sent = stack.asked[-1]
    trusted, notices = read_push(sent.headers, sent.body, [Secret("house-prices-2", "WEBHOOK", secret.encode())])
    assert [one.project for one in trusted] == ["house-prices-2"]
    pushed: Any = notices[0]
    assert (pushed.after, pushed.ref) == (place.head(made.working), "refs/heads/main")


def test_a_deleted_branch_is_told_as_github_tells_it(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("post_push", Path(place.__file__).with_name("post_push.py"))
    assert spec is not None
    assert spec.loader is not None
    hook = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hook)
    body = hook.payload("file:///x/y.git", "a" * 40, "0" * 40, "refs/heads/gone")
    assert (body["deleted"], body["head_commit"]) == (True, None)


def test_a_folder_that_is_no_demo_is_never_emptied(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(Trouble, match="STATE=dir"):
        place.clear(tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_built_environments_outlive_a_demo(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text("{}")
    (tmp_path / "envs/key").mkdir(parents=True)
    (tmp_path / "jobs/one").mkdir(parents=True)
    place.clear(tmp_path)
    assert [child.name for child in tmp_path.iterdir()] == ["envs"]


@pytest.mark.parametrize(
    ("missing", "said"), [("toml", "no signalbox.toml"), ("data", "where the project's data is"), ("files", "no files")]
)
def test_what_is_missing_is_said_at_once(tmp_path: Path, project: Path, data: Path, missing: str, said: str) -> None:
    if missing == "toml":
        (project / "signalbox.toml").unlink()
    if missing == "files":
        (data / "2024/a.csv").unlink()
    with pytest.raises(Trouble, match=said):
        place.prepare(tmp_path / "state", Given(project, None if missing == "data" else data))


def located(tmp_path: Path, settings: dict[str, Any], upload: Path) -> Place:
    """Say where everything is; the one environment there reads two rows, whatever it is given."""
    python = tmp_path / "envs/key/venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("""#!/bin/sh\necho '[["rooms", "town", "price"], [[1, "Bonn", null], [3, "Ulm", 10.5]]]'\n""")
    python.chmod(0o755)
    return Place(tmp_path, "p", tmp_path, upload, {"data": {"target": "price"}, **settings})


def test_a_prediction_asks_with_the_types_of_the_data(tmp_path: Path, data: Path) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack:
        stack.answers["POST /score"] = (200, [9.5])
        told = predict.prediction(located(tmp_path, {}, data), f"{stack.url}/score")
    assert json.loads(stack.asked[-1].body) == {"data": [{"rooms": 3, "town": "Ulm"}]}
    assert "[9.5]" in told
    assert "10.5" in told


def test_rows_are_asked_in_the_order_of_the_columns(tmp_path: Path, data: Path) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack:
        stack.answers["POST /score"] = (200, [9.5])
        predict.prediction(located(tmp_path, {"score": {"input": "rows"}}, data), f"{stack.url}/score")
    assert json.loads(stack.asked[-1].body) == {"data": [[3, "Ulm"]]}


def test_a_refused_prediction_is_no_prediction(tmp_path: Path, data: Path) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack, pytest.raises(Trouble, match="answered 404"):
        predict.prediction(located(tmp_path, {}, data), f"{stack.url}/score")


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("a.csv", b'a;b\n"x\ny";1\n\nz;2\n', "2 rows"),
        ("a.jsonl", b'{"a": 1}\n{"a": 2}\n', "2 rows"),
        ("a.csv", "größe\n1\n".encode("latin-1"), "1 file"),
        ("a.csv.gz", b"no gzip", "1 file"),
        ("a.parquet", b"PAR1", "1 file"),
    ],
)
def test_the_first_line_says_how_much_data_there_is(tmp_path: Path, file: str, content: bytes, said: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / file).write_bytes(content)
    assert f"({said})" in __main__.told([located(tmp_path, {}, tmp_path / "data")])


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + TOML.encode(), TOML.encode("utf-16"), b"[data\n"])
def test_what_is_wrong_with_the_settings_is_left_to_the_release_to_say(
    tmp_path: Path, project: Path, data: Path, text: bytes
) -> None:
    (project / "signalbox.toml").write_bytes(text)
    (project / "train.py").write_bytes("# größe\n".encode("latin-1"))
    made = prepared(tmp_path / "state", project, data)
    assert made.settings == ({"data": {"target": "price"}, "evaluate": {"metric": "rmse"}} if b"\xef" in text else {})


def test_what_is_in_a_hidden_folder_is_not_uploaded(tmp_path: Path, data: Path) -> None:
    (data / ".cache").mkdir()
    (data / ".cache/b.csv").write_text("x\n")
    assert [file.name for file in located(tmp_path, {}, data).files] == ["a.csv"]


@pytest.mark.parametrize(("folder", "name"), [("ML", "ml-project"), ("7", "p-7"), ("x" * 62 + "-y", "x" * 62)])
def test_every_folder_makes_a_name_that_a_project_and_its_container_may_have(folder: str, name: str) -> None:
    assert place.slug(folder) == name


def test_the_second_push_changes_the_model_only_where_it_knows_how(tmp_path: Path, project: Path) -> None:
    at = Place(tmp_path, "p", project, project, {})
    assert story.worse(at) == "Ridge, alpha 3.0"
    assert (project / "train.py").read_text() == "ALPHA = 3.0\n"
    (project / "train.py").write_text("fit()\n")
    assert "README" in story.worse(at)
    assert (project / "train.py").read_text() == "fit()\n"


def test_the_curl_that_is_shown_names_the_token_and_the_address(tmp_path: Path) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack:
        stack.mail("1", place.APPROVER, "sb1.grant.mac")
        asked = questions(stack.state, stand_in.RELEASE)[0]
        shown = answer.ways(asked, stand_in.view(), lambda line: f"signalbox {line}")
    assert re.search(r"curl -X POST -H 'Authorization: Bearer sb1.grant.mac' .* " + re.escape(asked.url), shown)
    assert "signalbox approve quiet-heron" in shown


@pytest.mark.parametrize(("log", "shown"), [(b"boom\n", True), (None, False)])
def test_a_failure_is_explained_with_the_end_of_its_log_if_it_has_one(
    tmp_path: Path, log: bytes | None, shown: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack:
        if log:
            stack.answer("GET", f"releases/{stand_in.RELEASE}/log", log)
        view = stand_in.view(state="failed", standing=None, reason="no score", advice="Mend it")
        view["steps"][6] |= {"state": "failed"}
        Watch(reach(tmp_path / "state"), Console()).explain(view)
    said = capsys.readouterr().out
    assert "quiet-heron is failed: no score" in said
    assert ("The end of the log" in said, "boom" in said, "nothing at" in said) == (shown, shown, False)


@pytest.mark.parametrize(("state", "ends_well"), [("kept", True), ("live", True), ("failed", False)])
def test_a_month_that_arrives_is_followed_to_its_end_without_a_push(
    tmp_path: Path, data: Path, capsys: pytest.CaptureFixture[str], state: str, ends_well: bool
) -> None:
    with stand_in.standing_in(tmp_path / "state") as stack:
        before, after = stand_in.view(release="f" * 20), stand_in.view(state=state, standing=None, advice="Look at it")
        stack.answer("GET", "releases", {"releases": [before]})
        stack.answer("GET", f"releases/{stand_in.RELEASE}", after)
        stack.answers["PUT /data/p/2024/a.csv"] = (201, {})
        opened = {"releases": [after, before]}
        stack.then["PUT /data/p/2024/a.csv"] = {"GET /api/releases": (200, opened)}
        told = Story(located(tmp_path, {}, data), reach(tmp_path / "state"), "T", Console(width=200), alone=True)
        if ends_well:
            assert months.month(told, data / "2024/a.csv")["state"] == state
        else:
            with pytest.raises(Trouble, match=r"a\.csv should have been learnt from or kept; its release is failed"):
                months.month(told, data / "2024/a.csv")
    said = capsys.readouterr().out
    assert "arrived  a.csv  2 rows            BlobCreated -> release quiet-heron #1" in said
    assert ("Look at it" in said) == (state != "live")
