"""The job scripts as processes, on two projects that have nothing in common but the contract."""

import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIABETES = ROOT / "examples" / "diabetes"
LOANS = Path(__file__).parent / "projects" / "loans"
SERVING = ROOT / "shared" / "jobs" / "serving"
RunJob = Callable[..., Any]

# The first test builds an environment, which on a fresh machine is a download.
pytestmark = pytest.mark.timeout(600)

DIABETES_SETTINGS = {
    "files": "*.csv", "target": "target", "holdout": {"by": "hash", "fraction": 0.2}, "seed": 7, "input": "records",
    "score": "score.py", "metric": "rmse", "schema": "schema.py:schema", "tests": ["tests"],
}  # fmt: skip
LOANS_SETTINGS = {
    "files": "*.jsonl", "target": "end", "holdout": {"by": "newest"}, "seed": 3, "input": "rows",
    "score": "answer.py", "metric": "roc_auc", "tests": ["checks"],
}  # fmt: skip
LOANS_TRAINING = {"script": "fit.py", "arguments": []}


@dataclass(frozen=True)
class Chain:
    """What the jobs of one release left, by step."""

    code: Path
    data: Path
    settings: dict[str, Any]
    ran: dict[str, Any]

    @property
    def model(self) -> Path:
        return self.ran["train"].outputs / "model"


def loans(rows: int, seed: int) -> str:
    """Make loans as JSON lines; the richer and the longer employed pay back more often."""
    chance, lines = random.Random(seed), []
    for _ in range(rows):
        income, years = chance.randint(1000, 9000), chance.choice([None, *range(20)])
        region, owner = chance.choice(["north", "south", "west"]), chance.random() < 0.5
        paid = income / 9000 + (years or 0) / 20 + 0.3 * owner + chance.gauss(0, 0.3) > 1
        told = {"income": income, "end": "paid" if paid else "late", "years": years, "region": region, "owner": owner}
        lines.append(json.dumps(told))
    return "\n".join(lines) + "\n"


def run_chain(
    run_job: RunJob, folder: Path, code: Path, data: Path, settings: dict[str, Any], training: dict[str, Any]
) -> Chain:
    def start(kind: str, more: dict[str, Any], **inputs: Path) -> Future[Any]:
        return pool.submit(run_job, folder / kind, kind, code, data, settings | more, **inputs)

    with ThreadPoolExecutor(2) as pool:
        first = {"check": start("check", {}), "train": start("train", training)}
        model = first["train"].result().outputs / "model"
        ends = first | {kind: start(kind, {}, model=model) for kind in ("evaluate", "certify")}
        ran = {kind: end.result() for kind, end in ends.items()}
    for kind, job in ran.items():
        assert (job.code, job.failure) == (0, None), f"{kind}: {job.log}"
    return Chain(code, data, settings, ran)


@pytest.fixture(scope="module")
def diabetes(run_job: RunJob, job_python: str, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("diabetes")
    subprocess.run([job_python, DIABETES / "make_data.py", folder / "data"], check=True)
    return run_chain(run_job, folder, DIABETES, folder / "data", DIABETES_SETTINGS, {})


@pytest.fixture(scope="module")
def loan_chain(run_job: RunJob, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("loans")
    (folder / "data" / "2024").mkdir(parents=True)
    (folder / "data" / "01.jsonl").write_text(loans(300, 1))
    (folder / "data" / "2024" / "02.jsonl").write_text(loans(200, 2))
    return run_chain(run_job, folder, LOANS, folder / "data", LOANS_SETTINGS, LOANS_TRAINING)


def test_the_diabetes_project_goes_through_check_train_evaluate_and_certify(diabetes):
    check, train = diabetes.ran["check"].result, diabetes.ran["train"].result
    assert (check["rows"], check["tests"], check["notes"]) == (442, 9, [])
    assert train["rows"] + train["holdout_rows"] == 442
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", train["model"]["digest"])
    evaluate, certify = diabetes.ran["evaluate"].result, diabetes.ran["certify"].result
    assert (evaluate["verdict"], evaluate["rows"]) == ("first", train["holdout_rows"])
    assert 40 < evaluate["candidate"] < 70
    assert {claim["verdict"] for claim in certify["claims"]} == {"certified"}
    assert set(certify["important"]) <= set(check["schema"]["order"])


def test_the_metric_is_what_a_script_of_nobody_computes_from_the_golden_rows(diabetes):
    golden = json.loads((diabetes.ran["evaluate"].outputs / "golden.json").read_text())
    lines = (diabetes.data / "diabetes.csv").read_text().split()
    names = lines[0].split(",")
    rows = [dict(zip(names, map(float, line.split(",")), strict=True)) for line in lines[1:]]
    truth = {tuple(row[name] for name in golden["columns"]): row["target"] for row in rows}
    errors = [
        truth[tuple(row[name] for name in golden["columns"])] - told
        for row, told in zip(golden["rows"], golden["predictions"], strict=True)
    ]
    rmse = (sum(error**2 for error in errors) / len(errors)) ** 0.5
    assert rmse == pytest.approx(diabetes.ran["evaluate"].result["candidate"])


def test_a_project_of_another_kind_goes_the_same_way(loan_chain):
    check, train = loan_chain.ran["check"].result, loan_chain.ran["train"].result
    assert check["blobs"].keys() == {"01.jsonl", "2024/02.jsonl"}
    kinds = {column["name"]: (column["type"], column["nullable"]) for column in check["schema"]["columns"]}
    assert kinds == {
        "income": ("integer", False), "years": ("number", True),
        "region": ("string", False), "owner": ("boolean", False),
    }  # fmt: skip
    assert (train["rows"], train["holdout_rows"], train["model"]["files"]) == (300, 200, 2)
    assert "files seen: 01.jsonl\n" in loan_chain.ran["train"].log
    assert loan_chain.ran["evaluate"].result["candidate"] > 0.7


def test_the_same_training_again_gives_the_same_model(loan_chain, run_job, tmp_path):
    again = run_job(tmp_path / "train", "train", LOANS, loan_chain.data, LOANS_SETTINGS | LOANS_TRAINING)
    assert again.result["model"] == loan_chain.ran["train"].result["model"]


def test_a_live_model_is_rescored_with_its_own_interpreter_and_layers(loan_chain, run_job, job_python, tmp_path):
    site = subprocess.check_output([job_python, "-c", "import numpy; print(numpy.__path__[0])"], text=True).strip()
    descriptor = tmp_path / "champion.json"
    told = {"python": sys._base_executable, "path": [str(Path(site).parent)], "score": str(LOANS / "answer.py")}
    descriptor.write_text(json.dumps(told | {"model_dir": str(loan_chain.model)}))
    ran = run_job(
        tmp_path / "job", "evaluate", LOANS, loan_chain.data, LOANS_SETTINGS,
        model=loan_chain.model, champion=descriptor,
    )  # fmt: skip
    assert (ran.result["verdict"], ran.result["gain"]) == ("not better", 0.0), ran.log
    assert ran.result["champion"] == ran.result["candidate"]


@pytest.fixture(scope="module")
def serve(job_python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[Chain], str]]:
    """Return how to serve the model of a chain as an image does; every server is stopped at the end."""
    servers: list[subprocess.Popen[bytes]] = []

    def start(chain: Chain) -> str:
        folder = tmp_path_factory.mktemp("service")
        schema, log = folder / "schema.json", folder / "log"
        schema.write_text(json.dumps(chain.ran["check"].result["schema"]))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{free.getsockname()[1]}"
        told = {
            "PATH": os.environ["PATH"], "HOME": str(folder), "AML_APP_ROOT": str(SERVING),
            "AZUREML_ENTRY_SCRIPT": "entry.py", "AZUREML_MODEL_DIR": str(chain.model), "SIGNALBOX_SCHEMA": str(schema),
            "SIGNALBOX_SCORE": str(chain.code / chain.settings["score"]),
        }  # fmt: skip
        command = [job_python, "-m", "gunicorn", "-b", address, "--no-control-socket", "-w", "1", "--threads", "4"]
        with log.open("w") as file:
            servers.append(
                subprocess.Popen(
                    [*command, "azureml_inference_server_http.server.entry:app"], env=told, stdout=file, stderr=file
                )
            )
        until_it_answers(f"http://{address}/", servers[-1], log)
        return f"http://{address}/score"

    yield start
    for server in servers:
        server.send_signal(signal.SIGTERM)
        server.wait(20)


def until_it_answers(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for a server that starts; a cold one compiles for many seconds."""
    deadline = time.monotonic() + 90
    while server.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(url, timeout=5).read()
            return
        except OSError:
            time.sleep(0.05)
    pytest.fail(f"no answer from {url}:\n{log.read_text()}")


def ask(url: str, body: bytes) -> tuple[int, Any]:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as answer:
        return answer.code, json.loads(answer.read())


def test_the_services_of_both_projects_keep_their_promises(diabetes, loan_chain, serve, run_job, tmp_path):
    for name, chain in (("diabetes", diabetes), ("loans", loan_chain)):
        url = serve(chain)
        settings = {"url": url, "latency_ms": 5000, "requests": 40, "input_schema": chain.ran["check"].result["schema"]}
        golden = chain.ran["evaluate"].outputs / "golden.json"
        ran = run_job(tmp_path / name, "try", chain.code, None, settings, golden=golden)
        assert ran.failure is None, ran.log
        assert ran.result["golden"] == len(json.loads(golden.read_text())["rows"])
        assert ran.result["bad_inputs"] >= 20
        # The entry answers before the project's code, with where the fault is.
        status, told = ask(url, b'{"data": [{"no": 1}]}')
        assert status == 400
        assert set(told) == {"error", "field", "row"}


def test_a_service_with_another_model_is_caught_by_the_golden_rows(diabetes, serve, run_job, tmp_path):
    evaluated = diabetes.ran["evaluate"].outputs / "golden.json"
    told = json.loads(evaluated.read_text())
    told["predictions"][2] += 0.001
    golden = tmp_path / "golden.json"
    golden.write_text(json.dumps(told))
    ran = run_job(tmp_path / "try", "try", DIABETES, None, {"url": serve(diabetes)}, golden=golden)
    assert ran.code == 1
    assert ran.failure["reason"].startswith(f"Golden row 3 of {len(told['rows'])} gets")


TINY_SCORE = (
    "import json\ndef init(): pass\ndef run(raw_data): return [{answer} for row in json.loads(raw_data)['data']]\n"
)
TINY_TRAIN = "import os\nopen(os.environ['SIGNALBOX_OUTPUT'] + '/model.txt', 'w').write('1')\n"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A project without a package to import: code, data and a model."""
    for name in ("code", "data", "model"):
        (tmp_path / name).mkdir()
    (tmp_path / "code" / "score.py").write_text(TINY_SCORE.format(answer="row['a']"))
    (tmp_path / "code" / "train.py").write_text(TINY_TRAIN)
    (tmp_path / "model" / "model.txt").write_text("1")
    (tmp_path / "data" / "rows.csv").write_text("a,b,y\n" + "".join(f"{n},{n % 5},{n + n % 3}\n" for n in range(60)))
    return tmp_path


@pytest.mark.parametrize(
    ("kind", "file", "text", "reason"),
    [
        ("check", "data/rows.csv", None, "No data has arrived for project some-project in container some-project"),
        ("check", "code/tests/test_t.py", "def test_t():\n    assert 0\n", "1 of 1 tests of the project fail"),
        (
            "check",
            "code/schema.py",
            "import no_such_module\n",
            "ModuleNotFoundError: No module named 'no_such_module' (s",
        ),
        ("train", "code/train.py", "\n{}['bmi']\n", "KeyError: 'bmi' (train.py:2)"),
        ("train", "code/train.py", "", "train.py ended well but wrote no model into --output"),
        ("evaluate", "code/score.py", TINY_SCORE.format(answer="float('nan')"), "the candidate answers nan for "),
        ("evaluate", "code/score.py", TINY_SCORE.format(answer="row['age']"), "failed: KeyError: 'age' (score.py:3)"),
        (
            "evaluate",
            "data/other.csv",
            "a,b\n1,2\n",
            'rows.csv disagrees with other.csv: it has a column "y" of its own',
        ),
        (
            "certify",
            "code/score.py",
            "def init(): pass\ndef run(raw_data): return 5\n",
            "run() answers int where a list",
        ),
    ],
)
def test_an_expected_no_leaves_a_reason_an_advice_and_no_traceback_of_ours(tiny, run_job, kind, file, text, reason):
    path = tiny / file
    path.parent.mkdir(exist_ok=True)
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    settings = {"target": "y", "schema": "schema.py" if file.endswith("schema.py") else ""}
    ran = run_job(tiny / "job", kind, tiny / "code", tiny / "data", settings, model=tiny / "model")
    assert (ran.code, ran.result) == (1, None)
    assert reason in ran.failure["reason"]
    assert ran.failure["advice"]
    assert ran.failure["reason"] in ran.log, "the log ends with why"
    assert "signalbox_job" not in ran.log


def test_a_traceback_of_the_projects_code_is_in_the_log(tiny, run_job):
    (tiny / "code" / "train.py").write_text("def deep():\n    raise ValueError('no rows')\nprint('begun')\ndeep()\n")
    ran = run_job(tiny / "job", "train", tiny / "code", tiny / "data", {"target": "y"})
    assert "begun\n" in ran.log
    assert "in deep\n    raise ValueError('no rows')" in ran.log


def test_the_parts_keep_their_promises_in_a_projects_environment(job_python):
    parts = Path(__file__).parent / "parts"
    ran = subprocess.run(
        [job_python, "-m", "pytest", "-q", "-c", parts / "pytest.ini", f"--rootdir={parts}", parts],
        env={name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "PYTHON"))},
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-8000:]
    assert int(re.findall(r"(\d+) passed", ran.stdout)[-1]) > 200
