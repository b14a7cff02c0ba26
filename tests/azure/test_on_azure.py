"""What runs on the compute: it gets exactly the data it was told, and leaves a word about how it ended."""

import ctypes
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest

from shared.backends.azure import data_access
from shared.backends.azure.workspace import Azure
from shared.errors import Blocked
from shared.ports import Blob
from tests.azure.jobs import RELEASE, WORKS, Ground, asked, scripts
from tests.azure.stand_in import StandIn

KEY = "bm90LWEta2V5LW9mLWFueWJvZHk="
STORAGE = f"DefaultEndpointsProtocol=https;AccountName=data;AccountKey={KEY};EndpointSuffix=core.windows.net"
HOST = "https://data.blob.core.windows.net"
SUBMIT = "POST /execution/v1.0{ws}/experiments/{experiment}/snapshotrun"
NAME = f"{RELEASE}-check-1"


def put(double: StandIn, name: str, content: bytes) -> Blob:
    """Put a blob into the data and return it as a data version names it."""
    headers = asked(double, "PUT", f"{HOST}/flights/{name}?sig=x", content).headers
    return Blob("flights", name, len(content), headers["etag"].strip('"'))


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch, double: StandIn) -> Any:
    """The modules that a run on Azure is made of, imported as they are there."""
    from shared.backends.azure.runs import SCRIPTS

    monkeypatch.syspath_prepend(str(SCRIPTS))
    monkeypatch.setenv("SIGNALBOX_STORAGE", HOST)
    import azure_run.blobs
    import azure_run.earlier
    import azure_run.frozen

    return azure_run


def test_a_run_reads_the_data_by_a_signature_and_leaves_no_secret(
    double: StandIn, azure: Azure, tmp_path: Path, parts: Any
) -> None:
    azure = Azure(msgspec.structs.replace(azure.scope, storage=STORAGE))
    ground = Ground(double, azure, tmp_path / "ground", check=WORKS)
    blobs = (put(double, "2025/a.csv", b"a,y\n1,2\n"), put(double, "b.csv", b"a,y\n3,4\n"))

    ground.submit(ground.spec(data=blobs))
    report = ground.ended(NAME)

    assert (report.status, report.reason) == ("completed", "")
    assert "['2025', 'b.csv']" in ground.log(NAME)
    [body] = ground.bodies(SUBMIT)
    told = json.loads(body["Configuration"]["environmentVariables"].pop("SIGNALBOX_STORAGE"))["flights"]
    signature = parse_qs(told.partition("?")[2])
    assert (signature["sr"], signature["sp"]) == (["c"], ["r"])
    left = datetime.fromisoformat(signature["se"][0]) - datetime.now(UTC)
    assert 24 * 3600 + 60 + 3600 <= left.total_seconds() < (24 + 2) * 3600
    kept = json.dumps([body, double.ask("GET", f"/runs/{NAME}/files"), ground.left(NAME), report.result])
    for secret in (KEY, signature["sig"][0], *double.ask("GET", "/tokens")):
        assert secret not in kept

    target = tmp_path / "earlier"
    ground.with_run(NAME, lambda run: parts.earlier.fetch(run, f"{NAME}/model", target / "model"))
    ground.with_run(NAME, lambda run: parts.earlier.fetch(run, f"{NAME}/model/m.txt", target / "m.txt"))
    assert (target / "model" / "m.txt").read_text() == (target / "m.txt").read_text() == "a model"
    with pytest.raises(Exception, match=f"job {NAME} left no mod"):
        ground.with_run(NAME, lambda run: parts.earlier.fetch(run, f"{NAME}/mod", target / "mod"))


def test_the_url_of_the_account_is_passed_on_as_it_is(azure: Azure, double: StandIn, tmp_path: Path) -> None:
    ground = Ground(double, azure, tmp_path / "ground", check=WORKS)
    spec = ground.spec(data=(Blob("flights", "a.csv", 1, "0x1"),))

    assert data_access.surroundings(HOST, spec, 60) == {"SIGNALBOX_STORAGE": HOST}
    assert data_access.surroundings(STORAGE, ground.spec(), 60) == {}
    keyless = f"BlobEndpoint={HOST};SharedAccessSignature=sv=2024-01-01&sig=x"
    with pytest.raises(Blocked, match="STORAGE_CONNECTION has no key"):
        data_access.surroundings(keyless, spec, 60)


def test_data_are_read_as_the_identity_of_the_compute(double: StandIn, parts: Any, tmp_path: Path) -> None:
    blob = put(double, "a.csv", b"whole")

    parts.blobs.fetch([msgspec.to_builtins(blob)], tmp_path)

    assert (tmp_path / "a.csv").read_bytes() == b"whole"


def test_a_blob_that_changed_or_is_gone_is_told_as_everywhere(double: StandIn, parts: Any, tmp_path: Path) -> None:
    blob = put(double, "a.csv", b"first")
    put(double, "a.csv", b"other")
    gone = Blob("flights", "never.csv", 1, "0x1")

    with pytest.raises(Exception, match=r"^a\.csv in container flights has changed since this data version$"):
        parts.blobs.fetch([msgspec.to_builtins(blob)], tmp_path)
    with pytest.raises(Exception, match=r"^never\.csv is no longer in container flights$"):
        parts.blobs.fetch([msgspec.to_builtins(gone)], tmp_path)


def test_no_blob_leaves_the_folder_of_the_data(parts: Any, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="is not a path within"):
        parts.blobs.fetch([msgspec.to_builtins(Blob("flights", "../a.csv", 1, "0x1"))], tmp_path)


def test_a_storage_that_is_away_for_a_moment_is_asked_again(double: StandIn, parts: Any, tmp_path: Path) -> None:
    blob = put(double, "a.csv", b"whole")
    double.fault("GET data.blob.core.windows.net/*", "503", times=1)

    parts.blobs.fetch([msgspec.to_builtins(blob)], tmp_path)

    assert (tmp_path / "a.csv").read_bytes() == b"whole"


SIGNED = json.dumps({"flights": f"{HOST}/flights?sv=2024-01-01&sig=of-nobody"})


@pytest.mark.parametrize("code", ["AuthorizationPermissionMismatch", "AuthenticationFailed"])
@pytest.mark.parametrize(
    ("told", "advice"),
    [
        (HOST, r"^Give the identity of the compute target the role Storage Blob Data Reader, then release again$"),
        (SIGNED, r"^Release again: its signature has expired while it waited, or the key of the account was changed; "),
    ],
)
def test_a_storage_that_refuses_is_asked_once_and_says_what_to_mend(
    double: StandIn, parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, told: str, advice: str
) -> None:
    blob = put(double, "a.csv", b"whole")
    monkeypatch.setenv("SIGNALBOX_STORAGE", told)
    double.fault("GET data.blob.core.windows.net/*", "", status=403, body={}, headers={"x-ms-error-code": code})

    with pytest.raises(parts.blobs.JobFailed, match=r"^this run may not read container flights: ") as failed:
        parts.blobs.fetch([msgspec.to_builtins(blob)], tmp_path)

    assert re.match(advice, failed.value.advice)
    assert "of-nobody" not in failed.value.reason + failed.value.advice
    assert len([each for each in double.requests() if each["method"] == "GET" and each["path"].endswith("/a.csv")]) == 1


def test_the_list_of_packages_names_the_environment(parts: Any) -> None:
    listed = parts.frozen.packages()

    assert listed == "".join(sorted(listed.splitlines(keepends=True)))
    assert "azureml-core==" in listed
    assert parts.frozen.interpreter(listed, Path("unused")) == sys.executable


LINKS = "import os; open('x', 'w').write('{}'); os.symlink('../x', 'outputs/result.json')"
ENDS = {
    "print('x'); import sys; sys.exit(0)": "check ended with exit code 0 and without a result",
    "import os; os._exit(3)": "check ended with exit code 3 and without a result",
    "import os; os.kill(os.getpid(), 9)": "check was killed by SIGKILL; too little memory is the usual reason",
    "open('outputs/result.json', 'w').write('[1]')": "check ended with exit code 0 and without a result",
    LINKS: "check ended with exit code 0 and without a result",
    "import threading; threading.Event().wait()": "check did not end within 1 s",
}
WORK = """
import json, pathlib, sys, on_azure
from signalbox_job.outcome import JobFailed
told = {"name": "n", "kind": "check", "release": "r", "step": "check", "seconds": 1}
try:
    print(json.dumps(on_azure.work(pathlib.Path.cwd(), told, {})))
except JobFailed as no:
    print(no.reason)
"""


PR_SET_SECUREBITS, NO_ROOT = 28, 0b11


def unprivileged() -> None:
    """Execute as who has none of root's privileges, as most users; whoever is not root has none anyway."""
    ctypes.CDLL(None).prctl(PR_SET_SECUREBITS, NO_ROOT)


def worked(
    folder: Path, script: str, environment: Mapping[str, str], *around: str, first: Callable[[], None] | None = None
) -> str:
    """Let a script be the check job, and return the last line of what was said.

    `around` is what starts the run, `first` what its process does before that.
    """
    made = scripts(folder / "scripts", check=script)
    (folder / "outputs").mkdir()
    command = [*around, sys.executable, "-c", WORK]
    surroundings = {**environment, "PYTHONPATH": str(made)}
    said = subprocess.run(
        command, cwd=folder, env=surroundings, capture_output=True, text=True, check=True, preexec_fn=first
    ).stdout
    return said.splitlines()[-1]


@pytest.mark.parametrize("script", ENDS)
def test_every_end_of_a_script_is_a_sentence(tmp_path: Path, script: str) -> None:
    assert worked(tmp_path, script, {}) == ENDS[script]


def test_nothing_that_a_script_started_is_left_and_it_sees_no_secret(tmp_path: Path) -> None:
    leaves = """
import json, os, subprocess, sys
left = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"], start_new_session=True)
open("outputs/result.json", "w").write(json.dumps({"left": left.pid, "sees": sorted(os.environ)}))
"""
    secrets = {"AZUREML_RUN_TOKEN": "t", "SIGNALBOX_STORAGE": "s", "IDENTITY_HEADER": "h"}

    told = json.loads(worked(tmp_path, leaves, secrets))

    assert told["sees"] == ["HOME", "LANG", "OMP_NUM_THREADS", "PATH", "TMPDIR"]
    assert not Path(f"/proc/{told['left']}").exists()


LOOKS = """
import json, os, pathlib
def content(path):
    try:
        with open(path, "rb") as file:
            return file.read(1 << 20)
    except OSError as error:
        return type(error).__name__.encode()
parent = pathlib.Path(f"/proc/{os.getppid()}")
told = {name: content(parent / name).decode() for name in ("environ", "mem")}
told["gains"] = "NoNewPrivs:\\t1" not in content("/proc/self/status").decode()
told["sees"] = sum(b"of-this-run" in content(path) for path in pathlib.Path("/proc").glob("[0-9]*/environ"))
open("outputs/result.json", "w").write(json.dumps(told))
"""
SECRET = {"AZUREML_RUN_TOKEN": "of-this-run"}


REFUSED = {"environ": "PermissionError", "mem": "PermissionError", "gains": False, "sees": 0}


def looked(folder: Path, *around: str, first: Callable[[], None] | None = None) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(worked(folder, LOOKS, SECRET, *around, first=first))
    return {name: told[name] for name in REFUSED}


def test_a_script_does_not_look_into_the_process_that_holds_the_token(tmp_path: Path) -> None:
    assert looked(tmp_path, first=unprivileged) == REFUSED


def test_of_root_a_script_looks_into_no_process_of_the_run(tmp_path: Path) -> None:
    # A user like any other reads what started the run, and no run can help that: see docs/azure.md.
    around = ["sh", "-c", '"$@"; exit $?', "sh"] if os.geteuid() == 0 else []

    assert looked(tmp_path, *around) == REFUSED
