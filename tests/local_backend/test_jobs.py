"""Jobs as real processes, with small scripts in place of ours and an environment without packages."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import tarfile
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
from releases import OTHER, trained
from stand_ins import Topic, until

from shared.backends.local import works
from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.jobs import LocalJobs
from shared.backends.local.processes import Identity, identity, is_alive
from shared.backends.local.registry import LocalRegistry
from shared.backends.local.stored import etag
from shared.errors import NotFound, StepFailed
from shared.ports import Blob, JobReport, JobSpec

RELEASE = "0123456789abcdef0123"
NAME = f"{RELEASE}-train-1"
PRELUDE = """
import json, os, pathlib, sys, time, subprocess
job = json.loads(pathlib.Path("job.json").read_text())
outputs = pathlib.Path(job["paths"]["outputs"])
def done(**result):
    (outputs / "result.json").write_text(json.dumps(result))
"""


class Bench:
    """A state folder with one artifact and a script for each job."""

    def __init__(self, state: Path, scripts: Path) -> None:
        self.state, self.scripts = state, scripts
        scripts.mkdir()
        (scripts / "requirements.in").write_text("")
        self.jobs = LocalJobs(state, scripts)
        self.code = asyncio.run(
            FileArtifacts(state).put(_tar({"train.py": b"print('theirs')", "requirements.txt": b""}))
        )

    def spec(self, name: str = NAME, seconds: int = 60, **changes: object) -> JobSpec:
        spec = JobSpec(name, "train", "diabetes", RELEASE, "train", self.code, (), {}, '{"seed": 7}', "", seconds)
        return msgspec.structs.replace(spec, **changes)

    def script(self, text: str, kind: str = "train") -> None:
        (self.scripts / f"{kind}.py").write_text(PRELUDE + textwrap.dedent(text))

    def submit(self, spec: JobSpec) -> None:
        asyncio.run(self.jobs.submit(spec))

    def find(self, name: str = NAME) -> JobReport:
        report = asyncio.run(self.jobs.find(name))
        assert report is not None
        return report

    def ended(self, name: str = NAME) -> JobReport:
        return until(lambda: report if (report := self.find(name)).status != "running" else None)

    def run(self, text: str, **changes: object) -> JobReport:
        self.script(text)
        self.submit(self.spec(**changes))
        return self.ended()

    def folder(self, name: str = NAME) -> Path:
        return self.state / "jobs" / name

    def worker(self) -> Identity:
        worker = works.worker_of(self.folder())
        assert worker is not None
        return worker.who


def _tar(files: dict[str, bytes]) -> bytes:
    contents = io.BytesIO()
    with tarfile.open(fileobj=contents, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return contents.getvalue()


@pytest.fixture
def bench(warm_state: Path, tmp_path: Path) -> Bench:
    return Bench(warm_state, tmp_path / "scripts")


def put(state: Path, name: str, content: bytes) -> Blob:
    path = state / "data" / "diabetes" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Blob("diabetes", name, len(content), etag(path.stat()))


def test_the_log_says_why_a_first_job_takes_longer(bench: Bench) -> None:
    (bench.scripts / "requirements.in").write_text(f"# {bench.state}")
    bench.run("done()")
    assert "building the environment (first time for this lock)" in asyncio.run(bench.jobs.log(NAME))


def test_the_script_finds_its_code_data_inputs_and_settings(bench: Bench) -> None:
    bench.script("(outputs / 'model').mkdir(); (outputs / 'model' / 'a').write_text('weights'); done()")
    bench.submit(bench.spec(name="other-job"))
    bench.ended("other-job")
    blob = put(bench.state, "2013/jan.csv", b"a,b\n1,2\n")
    report = bench.run(
        """
        paths = job["paths"]
        read = lambda path: pathlib.Path(path).read_text()
        done(code=read(paths["code"] + "/train.py"), data=read(paths["data"] + "/2013/jan.csv"),
             model=read(paths["inputs"]["model"] + "/a"), settings=job["settings"], same=os.getcwd(),
             python=job["python"] == sys.executable, kind=job["kind"], step=job["step"],
             lock=job["environment"]["lock"])
        """,
        data=(blob,),
        inputs={"model": "job:other-job/model"},
    )
    result = json.loads(report.result)
    assert (result["code"], result["data"], result["model"]) == ("print('theirs')", "a,b\n1,2\n", "weights")
    assert (result["settings"], result["same"]) == ({"seed": 7}, str(bench.folder()))
    assert (result["python"], result["kind"], result["step"]) == (True, "train", "train")
    assert result["lock"] == result["environment"]


def test_the_script_finds_a_version_of_the_registry_as_it_was_registered(bench: Bench) -> None:
    register = LocalRegistry(bench.state).register("diabetes", "a notebook", trained(bench.state, OTHER), {})
    asyncio.run(register)
    read = "done(weights=pathlib.Path(job['paths']['inputs']['model'] + '/weights.json').read_text())"
    assert json.loads(bench.run(read, inputs={"model": "version:diabetes:1"}).result)["weights"] == '{"a": 2, "b": 3}'
    (bench.state / "models" / "diabetes" / "1" / "weights.json").write_text("{}")
    bench.submit(bench.spec(name="other-job", inputs={"model": "version:diabetes:1"}))
    assert "are sha256:" in bench.ended("other-job").reason


def test_the_script_sees_no_secret_and_nothing_of_our_python(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECRET_GITHUB", "APPROVAL_KEY", "TOPIC_KEY", "PYTHONPATH", "UV_INDEX_X_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    result = json.loads(bench.run("done(env=dict(os.environ))").result)
    assert set(result["env"]) - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR", "LANG", "OMP_NUM_THREADS"}
    assert result["env"]["HOME"] == str(bench.folder() / "home")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sys.exit(3)", "train ended with exit code 3 and without a result"),
        ("pass", "train ended with exit code 0 and without a result"),
        ("done(); sys.exit(1)", "train ended with exit code 1 and without a result"),
        ("(outputs / 'result.json').write_text('[1]')", "without a result"),
        ("(outputs / 'result.json').write_text('{')", "without a result"),
        ("done(); os.rename(outputs / 'result.json', 'r'); os.symlink('../r', outputs / 'result.json')", "without"),
        ("os.mkfifo(outputs / 'result.json')", "without a result"),
        ("os.kill(os.getpid(), 9)", "killed by SIGKILL"),
        ("import absent_module", "exit code 1"),
    ],
)
def test_every_other_end_is_a_failure_that_says_how(bench: Bench, text: str, reason: str) -> None:
    report = bench.run(text)
    assert report.status == "failed"
    assert reason in report.reason
    assert report.advice == f"see its whole output: signalbox logs {RELEASE} train"


def test_a_job_that_hangs_is_ended_with_all_it_started(bench: Bench) -> None:
    report = bench.run(
        """
        for new_session in (False, True):
            subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=new_session)
        if os.fork() == 0:
            os.setsid()
            if os.fork(): os._exit(0)
            open("daemon", "w").write(str(os.getpid()))
            os.rename("daemon", "daemon.pid")
            time.sleep(600)
        while not os.path.exists("daemon.pid"): pass
        time.sleep(600)
        """,
        seconds=2,
    )
    assert (report.status, report.reason) == ("failed", "train did not end within 2 s")
    assert identity(int((bench.folder() / "daemon.pid").read_text())) is None


def test_the_kind_try_has_a_script_of_another_name(bench: Bench) -> None:
    bench.script("done(ok=True)", kind="try_service")
    bench.submit(bench.spec(kind="try"))
    assert bench.ended().status == "completed"


def test_data_that_changed_since_the_data_version_fails_the_job(bench: Bench) -> None:
    blob = put(bench.state, "a.csv", b"old")
    put(bench.state, "a.csv", b"new")
    report = bench.run("done()", data=(msgspec.structs.replace(blob, etag="0" * 16),))
    assert "a.csv in container diabetes has changed since this data version" in report.reason
    assert report.advice


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("absent.csv", "absent.csv is no longer in container diabetes"),
        ("../../keys.json", "is not a path within data"),
        ("/etc/passwd", "is not a path within data"),
        ("link.csv", "link.csv is a symbolic link"),
    ],
)
def test_data_that_is_not_in_the_container_fails_the_job(bench: Bench, name: str, reason: str) -> None:
    put(bench.state, "a.csv", b"x")
    (bench.state / "keys.json").write_text("{}")
    (bench.state / "data" / "diabetes" / "link.csv").symlink_to(bench.state / "keys.json")
    report = bench.run("done()", data=(Blob("diabetes", name, 2, "0" * 16),))
    assert report.status == "failed"
    assert reason in report.reason


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("job:absent/model", "left no model"),
        ("job:../jobs/x/model", "not the name of a job"),
        ("version:houses:3", "no version 3 of houses"),
        ("file:/etc", "inputs are"),
        ("job:linked/model/key", "symbolic link"),
        ("job:linked/model", "symbolic link"),
    ],
)
def test_an_input_that_cannot_be_had_fails_the_job(bench: Bench, reference: str, reason: str) -> None:
    model = bench.folder("linked") / "outputs" / "model"
    model.mkdir(parents=True)
    (model / "key").symlink_to("/etc/passwd")
    report = bench.run("done()", inputs={"model": reference})
    assert report.status == "failed"
    assert reason in report.reason + report.advice


def test_requirements_that_cannot_be_had_fail_the_job(bench: Bench) -> None:
    report = bench.run("done()", requirements="absent.txt")
    assert (report.status, report.reason) == ("failed", "there is no file absent.txt at this commit")


def test_a_mistake_of_ours_is_a_failed_job_too(bench: Bench, topic: Topic) -> None:
    report = bench.run("done()", code="sha256:" + "0" * 64)
    assert report.status == "failed"
    assert report.reason.startswith("the job could not be run: NotFound: there is no artifact")
    assert until(lambda: topic.of("RunStatusChanged"))


def test_the_same_job_submitted_twenty_times_at_once_runs_once(bench: Bench, tmp_path: Path) -> None:
    bench.script(f"open({str(tmp_path / 'runs')!r}, 'a').write('x'); done()")
    with ThreadPoolExecutor(20) as pool:
        list(pool.map(lambda _: bench.submit(bench.spec()), range(20)))
    assert bench.ended().status == "completed"
    bench.submit(bench.spec())
    assert bench.ended().status == "completed"
    assert (tmp_path / "runs").read_text() == "x"


SUBMIT = """
import asyncio, pathlib, sys, msgspec, os, signal
from shared.backends.local.jobs import LocalJobs
from shared.ports import JobSpec
spec = msgspec.json.decode(sys.stdin.buffer.read(), type=JobSpec)
asyncio.run(LocalJobs(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])).submit(spec))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_job_outlives_the_process_that_submitted_it(bench: Bench) -> None:
    bench.script("time.sleep(0.3); done()")
    command = [sys.executable, "-c", SUBMIT, str(bench.state), str(bench.scripts)]
    ended = subprocess.run(command, input=msgspec.json.encode(bench.spec()), check=False)
    assert ended.returncode == -signal.SIGKILL
    assert bench.ended().status == "completed"


def running(bench: Bench, text: str = "") -> Identity:
    """Start a job that waits, and return who its script is."""
    bench.script(text or "(outputs / 'started').touch(); time.sleep(600)")
    bench.submit(bench.spec())
    until(lambda: (bench.folder() / "outputs" / "started").exists())
    return msgspec.json.decode((bench.folder() / "script.json").read_bytes(), type=Identity)


def test_a_running_job_can_be_cancelled_with_all_it_started(bench: Bench, topic: Topic) -> None:
    script = running(bench)
    assert bench.find().status == "running"
    asyncio.run(bench.jobs.cancel(NAME))
    assert (bench.find().status, bench.find().reason) == ("cancelled", "it was cancelled before it ended")
    until(lambda: not is_alive(script))
    (event,) = until(lambda: topic.of("RunStatusChanged"))
    assert event["data"]["runStatus"] == "Canceled"
    bench.submit(bench.spec())
    assert bench.find().status == "cancelled"


def test_a_job_whose_process_was_killed_is_lost_and_can_be_started_again(bench: Bench) -> None:
    script = running(bench, "(outputs / 'started').touch(); print('first', flush=True); time.sleep(600)")
    os.kill(bench.worker().pid, signal.SIGKILL)
    assert bench.ended().status == "lost"
    until(lambda: not is_alive(script))
    bench.script("print('second'); done(left=(outputs / 'started').exists())")
    bench.submit(bench.spec())
    assert json.loads(bench.ended().result)["left"] is False
    assert "second" in asyncio.run(bench.jobs.log(NAME))
    assert "first" in (bench.folder() / "log.1").read_text()


def test_a_process_id_that_somebody_else_has_now_is_not_taken_for_ours(bench: Bench) -> None:
    running(bench)
    mine = bench.worker()
    other = works.Worker(Identity(os.getpid(), "before"), 0.0)
    (bench.folder() / "process.json").write_bytes(msgspec.json.encode(other))
    assert bench.find().status == "lost"
    os.kill(mine.pid, signal.SIGKILL)


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_a_name_that_is_a_path_is_no_job(bench: Bench, name: str) -> None:
    assert asyncio.run(bench.jobs.find(name)) is None
    asyncio.run(bench.jobs.cancel(name))
    with pytest.raises(NotFound):
        asyncio.run(bench.jobs.log(name))
    with pytest.raises(StepFailed):
        bench.submit(bench.spec(name=name))
