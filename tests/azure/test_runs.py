"""Jobs as runs of Azure ML: what is sent, what is found again, and how every end is told."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from dulwich.repo import Repo

from shared.backends.azure import runs
from shared.backends.azure.run_reports import LONGEST_LOG
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, NotFound, StepFailed, Unavailable
from tests.azure.jobs import COMMIT, RELEASE, WORKS, Ground
from tests.azure.stand_in import StandIn

SUBMIT = "POST /execution/v1.0{ws}/experiments/{experiment}/snapshotrun"
SENT = {"POST /content/v2.0{ws}/snapshots/getblob", "POST /content/v2.0{ws}/snapshots/{snapshot}", SUBMIT}
REGISTER = "PUT /environment/v1.0{ws}/environments/{name}"
AT_SUBMIT, AT_LOOK = "POST */snapshotrun", "GET /history/*/workspaces/signalbox-ml/runs/*"
BLOB = "GET /{container}/{blob:path}"
AT_BLOB = "GET *.blob.core.windows.net/*"
NAME = f"{RELEASE}-check-1"
BUILD = "azureml-logs/20_image_build_log.txt"
SAYS_NO = """
import json, sys
json.dump({"reason": "Column y is empty", "advice": "Put more data"}, open("outputs/failure.json", "w"))
print("the whole story"); sys.exit(1)
"""
NEVER_ENDS = "import threading\nthreading.Event().wait()\n"


@pytest.fixture
def ground(double: StandIn, azure: Azure, tmp_path: Path) -> Ground:
    """Jobs whose script works."""
    return Ground(double, azure, tmp_path / "ground", check=WORKS)


@pytest.fixture
def late(double: StandIn) -> None:
    """Let every run wait in its queue."""
    double.plan("run", kind="late")


def test_a_job_is_a_run_of_its_own_name_and_its_result_is_found(double: StandIn, ground: Ground) -> None:
    assert ground.find(NAME) is None

    ground.submit(ground.spec())
    report = ground.ended(NAME)

    result = json.loads(report.result)
    assert (report.status, result["rows"], result["labels"]) == ("completed", 3, {"loss": 0.25})
    assert report.seconds == result["seconds"] > 0
    assert result["environment"].startswith("sha256:")
    assert "in ['HOME', 'LANG', 'OMP_NUM_THREADS', 'PATH', 'TMPDIR'] []" in ground.log(NAME)
    [told] = double.events("RunCompleted")
    assert (told["data"]["runId"], told["data"]["experimentName"]) == (NAME, "diabetes")
    assert told["data"]["runProperties"]["release"] == RELEASE
    assert ground.metrics(NAME) == {"rows": 3, "curve": [1.0, 0.5], "label loss": 0.25, "seconds": report.seconds}


def test_what_is_submitted_is_the_commit_and_our_scripts_and_nothing_else(
    double: StandIn, ground: Ground, late: None
) -> None:
    spec = ground.spec()

    ground.submit(spec)

    files = double.ask("GET", f"/runs/{NAME}/files")
    assert {path.removeprefix("code/"): text for path, text in files.items() if path.startswith("code/")} == COMMIT
    assert {path.partition("/")[0] for path in files} == {"code", "signalbox", "job.json"}
    assert not [path for path in files if path.endswith(".pyc")]
    told = json.loads(files["job.json"])
    assert (told["name"], told["kind"], told["settings"], told["seconds"]) == (NAME, "check", {"target": "y"}, 60)
    [body] = ground.bodies(SUBMIT)
    asked = body["Configuration"]
    assert (asked["script"], asked["target"]) == ("signalbox/on_azure.py", "signalbox-cpu")
    assert asked["maxRunDurationSeconds"] == 60 + 3600
    assert asked["environmentVariables"] == {}
    assert list((ground.azure.scope.state / "runs" / "submitted").iterdir()) == [], "what was sent is kept nowhere"


def test_a_run_says_whose_it_is_and_nothing_about_the_repository_this_app_stands_in(
    double: StandIn, ground: Ground, late: None
) -> None:
    Repo.init(str(ground.azure.scope.state), mkdir=True)

    ground.submit(ground.spec())

    properties = ground.with_run(NAME, lambda run: run.properties)
    assert {name: value for name, value in properties.items() if name != "ContentSnapshotId"} == {
        "release": RELEASE,
        "step": "check",
        "kind": "check",
    }


def test_a_project_says_where_and_how_long_its_jobs_run(double: StandIn, ground: Ground, late: None) -> None:
    double.ask("PUT", "/computes/gpu")
    commit = COMMIT | {"conda.yml": "name: x\ndependencies:\n- python=3.11\n- pip:\n  - numpy==2.1\n"}
    spec = ground.spec(commit=commit)
    target = msgspec.structs.replace(spec.target, compute="gpu", image="base:2", conda="conda.yml", hours=0.5)

    ground.submit(msgspec.structs.replace(spec, target=target))

    [body] = ground.bodies(SUBMIT)
    asked = body["Configuration"]
    assert (asked["target"], asked["maxRunDurationSeconds"]) == ("gpu", 1800)
    assert asked["environment"]["docker"]["baseImage"] == "base:2"
    packages = asked["environment"]["python"]["condaDependencies"]["dependencies"][-1]["pip"]
    assert packages[0] == "numpy==2.1"
    assert "azureml-core>=1.61,<2" in packages


def test_an_answer_that_is_lost_makes_no_second_run(double: StandIn, ground: Ground, late: None) -> None:
    spec = ground.spec()
    double.fault(AT_SUBMIT, "lost", times=1)

    with pytest.raises(Unavailable, match="snapshotrun"):
        ground.submit(spec)
    found = ground.find(NAME)
    ground.submit(spec)

    assert found is not None
    assert found.status == "running"
    assert len(double.requests(SUBMIT)) == 1


def test_a_refusal_that_follows_a_run_which_began_is_none(double: StandIn, ground: Ground) -> None:
    words = "Run already exists."
    double.fault("PATCH */runs/*", "400", times=9, words=words)

    ground.submit(ground.spec())

    assert len(double.requests(SUBMIT)) == 1


def test_an_experiment_that_two_first_jobs_make_at_once_is_asked_for_again(double: StandIn, ground: Ground) -> None:
    double.fault("POST */experiments/*", "409", times=1, words="Experiment already exists.")

    with pytest.raises(Unavailable, match=r"Experiment already exists.*; it is tried again"):
        ground.submit(ground.spec())

    ground.submit(ground.spec())
    assert len(double.requests(SUBMIT)) == 1


def test_a_run_that_exists_already_is_adopted(double: StandIn, ground: Ground, late: None) -> None:
    spec = ground.spec()
    ground.submit(spec)
    # Looked for a moment too early by another process.
    double.fault(AT_LOOK, "404", times=1)

    ground.submit(spec)

    assert [each["status"] for each in double.requests(SUBMIT)] == [200, 409]


def test_jobs_at_once_are_sent_one_after_the_other_each_with_its_own_files(
    double: StandIn, ground: Ground, late: None
) -> None:
    commits = [COMMIT | {"train.py": f"print({at})\n"} for at in range(3)]
    names = [f"{RELEASE}-check-{at + 1}" for at in range(3)]
    specs = [ground.spec(commit=each, name=name) for each, name in zip(commits, names, strict=True)]

    ground.submit(*specs)

    sent = [each["route"].rpartition("/")[2] for each in double.requests() if each["route"] in SENT]
    assert sent == ["getblob", "{snapshot}", "snapshotrun"] * 3
    for at, name in enumerate(names):
        files = double.ask("GET", f"/runs/{name}/files")
        assert (files["code/train.py"], json.loads(files["job.json"])["name"]) == (f"print({at})\n", name)


def test_an_environment_is_registered_again_only_when_it_changed(double: StandIn, ground: Ground) -> None:
    double.plan("run", kind="late")
    changed = COMMIT | {"requirements.txt": "numpy\nscipy\n"}
    for at, commit in enumerate((COMMIT, COMMIT | {"train.py": "print('other')"}, changed), start=1):
        ground.submit(ground.spec(commit=commit, name=f"{RELEASE}-check-{at}"))

    assert len(double.requests(REGISTER)) == 2
    used = [body["Configuration"]["environment"]["name"] for body in ground.bodies(SUBMIT)]
    assert used[0] == used[1] != used[2]


def test_a_look_asks_little_and_keeps_nothing_in_memory(double: StandIn, ground: Ground, late: None) -> None:
    from azureml.core import Run

    def asked_by(name: str) -> int:
        before = len(double.requests())
        ground.find(name)
        return len(double.requests()) - before

    ground.submit(ground.spec())
    running = {asked_by(NAME) for _ in range(3)}
    absent = asked_by(f"{RELEASE}-evaluate-1"), asked_by(f"{RELEASE}-train-1")
    double.ask("POST", f"/runs/{NAME}/Failed")
    failed = asked_by(NAME)

    # Of a training, whether a pipeline did it; of a failure, what the service says and the end of the log.
    assert (running, absent) == ({2}, (1, 2))
    assert failed <= 9
    assert Run._registered_kill_handlers.empty()


STATES = "NotStarted Starting Provisioning Preparing Queued Running Finalizing CancelRequested NotResponding Paused"


def test_every_state_of_a_run_is_understood(double: StandIn, ground: Ground, late: None) -> None:
    ground.submit(ground.spec())
    found = {}
    for state in [*STATES.split(), "Canceled"]:
        double.ask("POST", f"/runs/{NAME}/{state}")
        report = ground.find(NAME)
        assert report is not None
        found[state] = report.status

    assert found == dict.fromkeys(STATES.split(), "running") | {"Canceled": "cancelled"}


def test_a_completed_run_without_a_result_has_failed(double: StandIn, ground: Ground, late: None) -> None:
    ground.submit(ground.spec())
    double.ask("POST", f"/runs/{NAME}/Completed")

    report = ground.find(NAME)

    assert report is not None
    assert (report.status, report.advice) == ("failed", f"see its whole output: signalbox logs {RELEASE} check")
    assert "outputs/result.json" in report.reason


@pytest.mark.parametrize(
    ("kind", "words", "advice"),
    [
        ("quota", "QuotaExceeded: Operation could not be completed", "ask for more quota"),
        ("compute", "ComputeTargetNotFound: The compute target 'signalbox-cpu' was deleted", "signalbox provision"),
        (
            "environment",
            f"For more details, check log file {BUILD}.; {BUILD} ends: Collecting numpy | ERROR: No matching",
            "change the versions",
        ),
    ],
)
def test_a_run_that_azure_fails_is_told_in_its_words_with_the_end_of_the_log(
    double: StandIn, ground: Ground, kind: str, words: str, advice: str
) -> None:
    double.plan("run", kind=kind, log="Collecting numpy\nERROR: No matching distribution found\n")
    ground.submit(ground.spec())

    report = ground.ended(NAME)

    assert report.status == "failed"
    assert words in report.reason
    assert advice in report.advice


def test_a_run_that_is_refused_is_told_at_once(double: StandIn, ground: Ground) -> None:
    double.plan("run", kind="refused")

    with pytest.raises(StepFailed, match="exceeding approved") as raised:
        ground.submit(ground.spec())

    assert "Usage + quotas" in raised.value.advice


def test_a_compute_target_that_goes_meanwhile_is_looked_for_again(double: StandIn, ground: Ground) -> None:
    double.fault(AT_SUBMIT, "404", times=1, code="ComputeTargetNotFound")
    spec = ground.spec()

    with pytest.raises(Unavailable, match="ComputeTargetNotFound"):
        ground.submit(spec)


def test_a_run_over_its_time_is_told_as_that(double: StandIn, azure: Azure, tmp_path: Path) -> None:
    ground = Ground(double, azure, tmp_path / "ground", check=NEVER_ENDS)
    spec = ground.spec()
    target = msgspec.structs.replace(spec.target, hours=2.1 / 3600)
    ground.submit(msgspec.structs.replace(spec, target=target))

    report = ground.ended(NAME)

    assert report.status == "cancelled"
    assert "maximum duration of 2 seconds" in report.reason
    assert "max_hours" in report.advice


class Pauses(list[float]):
    """The pauses that the SDK wanted between its own tries; none of them is made."""

    def sleep(self, seconds: float) -> None:
        """Keep how long it would have been."""
        self.append(seconds)


@pytest.fixture
def pauses(azure: Azure, monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """What stands in for `time` where the SDK downloads."""
    azure.workspace()
    made = Pauses()
    monkeypatch.setattr("azureml._file_utils.file_utils.time", made)
    return made


@pytest.mark.parametrize(("kind", "times"), [("503", 2), ("hang", 1), ("lost", 2), ("404", 1)])
def test_a_file_of_a_run_that_is_not_given_is_asked_for_no_longer_than_anything_else(
    double: StandIn, ground: Ground, pauses: Pauses, kind: str, times: int
) -> None:
    ground.submit(ground.spec())
    ground.ended(NAME)
    hasty = Azure(msgspec.structs.replace(ground.azure.scope, timeout=2.0))
    hasty.workspace()
    before = len(double.requests(BLOB))
    double.fault(AT_BLOB, kind)

    with pytest.raises(NotFound if kind == "404" else Unavailable, match=f"the run {NAME}"):
        Ground(double, hasty, hasty.scope.state / "hasty").find(NAME)

    assert (len(double.requests(BLOB)) - before, pauses) == (times, [])


def test_a_file_of_a_run_that_breaks_off_is_asked_for_again_by_a_later_look(
    double: StandIn, ground: Ground, pauses: Pauses
) -> None:
    ground.submit(ground.spec())
    whole = ground.ended(NAME)
    double.fault(AT_BLOB, "cut", times=1)

    with pytest.raises(Unavailable, match=f"Azure broke off while it was asked for the run {NAME}"):
        ground.find(NAME)

    assert (ground.find(NAME), pauses) == (whole, [])


SPEAKS = WORKS + 'print("the first line\\n" + 20_000 * ("x" * 99 + "\\n") + "the last line")'


def test_of_a_long_log_only_the_end_is_read(double: StandIn, azure: Azure, tmp_path: Path) -> None:
    ground = Ground(double, azure, tmp_path / "ground", check=SPEAKS)
    ground.submit(ground.spec())
    ground.ended(NAME)
    before = len(double.requests(BLOB))

    log = ground.log(NAME)

    first, _, rest = log.partition("\n")
    assert re.fullmatch(r"\(the first 9\d{5} bytes are left out\)", first)
    assert (len(rest), "the last line" in rest[-200:]) == (LONGEST_LOG, True)
    assert [each["sent"] for each in double.requests(BLOB)[before:]] == [LONGEST_LOG]


def test_of_the_long_log_of_a_run_that_azure_fails_only_the_end_is_read(double: StandIn, ground: Ground) -> None:
    double.plan("run", kind="environment", log=20_000 * ("x" * 99 + "\n") + "ERROR: No matching distribution found\n")
    ground.submit(ground.spec())

    report = ground.ended(NAME)

    assert report.reason.endswith("xxx | ERROR: No matching distribution found")
    assert [each["sent"] for each in double.requests(BLOB)] == [LONGEST_LOG]


def test_an_empty_log_is_empty(double: StandIn, ground: Ground) -> None:
    double.plan("run", kind="environment", log="")
    ground.submit(ground.spec())
    ground.ended(NAME)

    assert (ground.log(NAME), double.requests(BLOB)) == ("", [])


def test_a_submit_that_meets_silence_while_it_uploads_is_given_up(double: StandIn, ground: Ground) -> None:
    hasty = Azure(msgspec.structs.replace(ground.azure.scope, timeout=2.0))
    hasty.workspace()
    ground = Ground(double, hasty, hasty.scope.state / "hasty", check=WORKS)
    double.fault("POST /content/*", "hang")

    with pytest.raises(Unavailable, match=r"snapshots/getblob had no answer in 2 s"):
        # Files that no other test sent: what the workspace has already is not uploaded.
        ground.submit(ground.spec(commit=COMMIT | {"silent.txt": "never sent"}))

    assert len(double.requests("POST /content/v2.0{ws}/snapshots/getblob")) == 1


def test_a_submit_behind_one_that_does_not_end_is_put_off() -> None:
    with runs._submitting, pytest.raises(Unavailable, match="the third is tried again"), runs._alone("the third", 0.01):
        pytest.fail("two submits at once")


def test_a_missing_role_names_it(double: StandIn, ground: Ground) -> None:
    double.fault(AT_SUBMIT, "forbidden")

    with pytest.raises(Blocked, match=r"AuthorizationFailed.*AzureML Data Scientist"):
        ground.submit(ground.spec())
