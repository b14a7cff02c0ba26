"""Both models through their own scoring files on the same frozen rows."""

import json

import pytest
from evaluate import evaluate
from signalbox_job.outcome import JobFailed
from signalbox_job.scoring import candidate, score_all

HEAD = "import json\ndef init(): pass\ndef run(raw_data):\n    rows = json.loads(raw_data)['data']\n"
ROWS = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]


def answered(tiny, score: str) -> list:
    tiny.write("score.py", "import json\ndef init(): pass\n" + score)
    job = tiny.job("evaluate")
    return score_all(candidate(job, ("a", "b")), ROWS, ("a", "b"), job)


def refusal(work) -> str:
    with pytest.raises(JobFailed) as no:
        work()
    assert no.value.advice
    return no.value.reason


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("[1, 2, 3]", [1, 2, 3]),
        ("(1.5, 2, 3)", [1.5, 2, 3]),
        ("numpy.array([1.0, 2.0, 3.0])", [1.0, 2.0, 3.0]),
        ("numpy.array([[1.0], [2.0], [3.0]])", [1.0, 2.0, 3.0]),
        ("list(numpy.array([1.0, 2.0, 3.0]))", [1.0, 2.0, 3.0]),
        ("json.dumps([1, 2, 3])", [1, 2, 3]),
        ("json.dumps({'result': [1, 2, 3]})", [1, 2, 3]),
        ("{'anything': ['a', 'b', 'c'], 'version': 3}", ["a", "b", "c"]),
        ("{'predictions': [1, 2, 3], 'names': ['x', 'y', 'z']}", [1, 2, 3]),
        ("{'probabilities': [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]}", [0.1, 0.8, 0.5]),
        ("[True, False, True]", [True, False, True]),
        ("AMLResponse(json.dumps([1, 2, 3]), 200)", [1, 2, 3]),
    ],
)
def test_what_run_may_answer(tiny, answer, expected):
    imports = "from azureml_inference_server_http.api.aml_response import AMLResponse\n" if "AML" in answer else ""
    imports += "import numpy\n" if "numpy" in answer else ""
    assert answered(tiny, f"{imports}def run(raw_data): return {answer}\n") == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("return [1, 2]", "answers 2 predictions for 3 rows"),
        ("return None", "run() answers NoneType where a list of predictions is expected"),
        ("return 'all fine'", "run() answers text that is not JSON: 'all fine'"),
        ("return {'a': [1], 'b': [2]}", "run() answers a dict with 2 lists (keys: a, b)"),
        ("return {'error': 'broken'}", "run() answers a dict with 0 lists (keys: error)"),
        ("return [1, None, 3]", "run() answers NoneType for row 2"),
        ("return [1, {'p': 1}, 3]", "run() answers dict for row 2"),
        ("return json.loads(raw_data)['rows']", "failed: KeyError: 'rows' (score.py:3)"),
        ("raise SystemExit(4)", "failed: exit 4"),
        ("__import__('os')._exit(0)", "ended its process (exit 0) after 0 of 1 requests"),
        ("__import__('os').kill(__import__('os').getpid(), 9)", "killed by signal 9"),
    ],
)
def test_what_run_may_not_answer(tiny, body, told):
    assert told in refusal(lambda: answered(tiny, f"def run(raw_data): {body}\n"))


def test_a_scoring_file_without_run_is_named(tiny):
    assert "score.py has no function run()" in refusal(lambda: answered(tiny, "running = 1\n"))


def test_a_scoring_file_that_asks_for_whole_requests_is_refused(tiny):
    score = "from azureml_inference_server_http.api.aml_request import rawhttp\n@rawhttp\ndef run(request): return []\n"
    assert "@rawhttp" in refusal(lambda: answered(tiny, score))


def test_a_scoring_file_decorated_by_inference_schema_gets_its_arguments(tiny):
    score = (
        "from inference_schema.schema_decorators import input_schema\n"
        "from inference_schema.parameter_types.standard_py_parameter_type import StandardPythonParameterType as T\n"
        "@input_schema('data', T([{'a': 1.0, 'b': 1.0}]))\n"
        "def run(data): return [row['a'] for row in data]\n"
    )
    assert answered(tiny, score) == [1.0, 3.0, 5.0]


def test_a_scoring_file_may_ask_for_the_headers_of_the_request(tiny):
    score = "def run(raw_data, request_headers): return [len(request_headers)] * 3\n"
    assert answered(tiny, score) == [0, 0, 0]


def test_a_scoring_file_imports_its_neighbours_and_not_ours(tiny):
    tiny.write("metrics.py", "THEIRS = 5\n")
    tiny.write("signalbox_job.py", "THEIRS = 6\n")
    score = "import metrics, signalbox_job\ndef run(raw_data): return [metrics.THEIRS, signalbox_job.THEIRS, 0]\n"
    assert answered(tiny, score) == [5, 6, 0]


def test_a_scoring_file_in_a_package_imports_from_its_package(tiny):
    tiny.write("src/energy/__init__.py", "")
    tiny.write("src/energy/parts/__init__.py", "")
    tiny.write("src/energy/parts/weights.py", "from ..shift import BY\nFACTOR = 2\n")
    tiny.write("src/energy/shift.py", "BY = 1\n")
    score = "from .parts.weights import BY, FACTOR\n" + HEAD + "    return [FACTOR * row['a'] + BY for row in rows]\n"
    tiny.write("src/energy/score.py", score)
    job = tiny.job("evaluate", score="src/energy/score.py")
    assert score_all(candidate(job, ("a", "b")), ROWS, ("a", "b"), job) == [3.0, 7.0, 11.0]


def test_a_package_that_is_not_there_is_to_be_added_to_the_requirements(tiny):
    with pytest.raises(JobFailed) as no:
        answered(tiny, "import lightgbm.basic\ndef run(raw_data): return []\n")
    assert no.value.reason.endswith("failed: ModuleNotFoundError: No module named 'lightgbm' (score.py:3)")
    assert no.value.advice == (
        'Add the package that has "lightgbm" to the requirements of signalbox.toml, or commit the module, and push'
    )


def test_the_log_of_a_scoring_file_that_fails_begins_in_the_projects_code(tiny, capfd):
    refusal(lambda: answered(tiny, "def run(raw_data): return 1 / 0\n"))
    log = capfd.readouterr().err
    assert "score.py" in log
    assert "scorer.py" not in log
    assert "signalbox_scoring.py" not in log


def test_rows_are_sent_in_training_order_when_the_project_wants_rows(tiny):
    tiny.write(
        "score.py",
        "import json\ndef init(): pass\ndef run(raw_data): return [r[0] for r in json.loads(raw_data)['data']]\n",
    )
    job = tiny.job("evaluate", input="rows")
    assert score_all(candidate(job, ("a", "b")), ROWS, ("a", "b"), job) == [1.0, 3.0, 5.0]


def test_many_rows_are_asked_for_in_batches(tiny):
    tiny.write(
        "score.py",
        HEAD + "    return [len(rows)] * len(rows)\n",
    )
    job = tiny.job("evaluate")
    sizes = score_all(candidate(job, ("a", "b")), ROWS * 400, ("a", "b"), job)
    assert len(sizes) == 1200
    assert sorted(set(sizes)) == [176, 512]


def test_a_first_model_has_nothing_to_be_compared_with(tiny):
    result = evaluate(tiny.job("evaluate"))
    assert result["verdict"] == "first"
    assert result["champion"] is None
    assert 0.5 < result["candidate"] < 1.5
    golden = json.loads((tiny.folder / "outputs" / "golden.json").read_text())
    assert golden["columns"] == ["a", "b"]
    assert len(golden["rows"]) == len(golden["predictions"]) == result["rows"]
    assert all(
        2 * row["a"] + row["b"] == pytest.approx(told)
        for row, told in zip(golden["rows"], golden["predictions"], strict=True)
    )


@pytest.mark.parametrize(
    ("weights", "live", "verdict"),
    [
        ((2.0, 1.0), (1.5, 1.0), "better"),
        ((1.5, 1.0), (2.0, 1.0), "not better"),
        ((2.0, 1.0), (2.0, 1.0), "not better"),
    ],
)
def test_the_candidate_is_compared_with_the_live_model(tiny, weights, live, verdict):
    tiny.weights(*weights)
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(*live)}))
    assert result["verdict"] == verdict
    assert result["low"] <= result["gain"] <= result["high"]
    assert result["gain"] == pytest.approx(result["champion"] - result["candidate"])


def test_a_gain_within_chance_is_inconclusive(tiny):
    tiny.weights(2.0, 1.03)
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(2.03, 1.0)}))
    assert result["verdict"] == "inconclusive"
    assert result["low"] < 0 < result["gain"] < result["high"]


def test_a_least_gain_raises_the_bar(tiny):
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(1.5, 1.0)}, min_gain=100.0))
    assert result["gain"] > 0
    assert result["verdict"] == "not better"


def test_a_live_model_that_fails_on_new_data_does_not_fail_the_candidate(tiny):
    broken = "def init(): pass\ndef run(raw_data):\n    raise RuntimeError('old')\n"
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(2.0, 1.0, broken)}))
    assert result["verdict"] == "inconclusive"
    assert result["champion"] is None
    assert result["gain"] is None
    assert result["champion_error"] == "score.py of the live model failed: RuntimeError: old (score.py:3)"


def test_a_live_model_is_asked_as_it_is_served(tiny, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"input": "rows", "order": ["b", "a"], "columns": []}))
    by_rows = HEAD + "    return [2 * row[1] + row[0] for row in rows]\n"
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(0, 0, by_rows, schema=str(schema))}))
    assert result["champion"] == pytest.approx(result["candidate"])


def test_a_live_model_that_needs_a_column_the_data_lost_is_told_of(tiny, tmp_path):
    schema = tmp_path / "schema.json"
    schema.write_text(json.dumps({"input": "records", "order": ["a", "old"], "columns": []}))
    result = evaluate(tiny.job("evaluate", {"champion": tiny.champion(2, 1, schema=str(schema))}))
    assert 'needs the column "old"' in result["champion_error"]
    assert result["verdict"] == "inconclusive"


def test_a_live_model_leaves_no_bytecode_in_its_layers(tiny):
    descriptor = tiny.champion(
        2.0,
        1.0,
        "import near\n" + HEAD + "    return [1.0] * len(rows)\n",
    )
    (descriptor.parent / "layer" / "near.py").write_text("x = 1\n")
    assert evaluate(tiny.job("evaluate", {"champion": descriptor}))["champion"] is not None
    assert not list(descriptor.parent.rglob("*.pyc"))


def test_a_candidate_that_answers_nan_fails_with_the_count(tiny):
    tiny.write(
        "score.py",
        "import json\ndef init(): pass\ndef run(raw_data): return [float('nan')] * len(json.loads(raw_data)['data'])\n",
    )
    reason = refusal(lambda: evaluate(tiny.job("evaluate")))
    assert reason.startswith("the candidate answers nan for ")
    assert reason.endswith("first for row 1")


def test_the_scoring_file_finds_no_answers_in_the_job_folder(tiny):
    tiny.write(
        "score.py",
        "import pathlib\n" + HEAD + "    return [len(list(pathlib.Path('..').rglob('*.csv')))] * len(rows)\n",
    )
    evaluate(tiny.job("evaluate"))
    assert set(json.loads((tiny.folder / "outputs" / "golden.json").read_text())["predictions"]) == {0}


def test_a_model_that_was_not_handed_over_is_said(tiny):
    assert 'was given no "model"' in refusal(lambda: evaluate(tiny.job("evaluate", {"model": tiny.folder / "none"})))
