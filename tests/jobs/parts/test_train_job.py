"""What a training script is given, and what becomes of what it leaves."""

import hashlib
import json

import pytest
from signalbox_job.columns import combine
from signalbox_job.holdout import holdout_rows
from signalbox_job.outcome import JobFailed
from signalbox_job.tables import read_tables
from train import train

COPY = """\
import os, pathlib, shutil, sys
shutil.copytree(os.environ["SIGNALBOX_DATA"], pathlib.Path(os.environ["SIGNALBOX_OUTPUT"], "seen"))
pathlib.Path(os.environ["SIGNALBOX_OUTPUT"], "told.txt").write_text(repr((sys.argv[1:], sorted(os.environ))))
found = sorted(str(path) for path in pathlib.Path("..").rglob("*.csv"))
pathlib.Path(os.environ["SIGNALBOX_OUTPUT"], "around.txt").write_text(repr(found))
"""


def refused(tiny, **settings) -> JobFailed:
    with pytest.raises(JobFailed) as no:
        train(tiny.job("train", **settings))
    assert no.value.advice
    return no.value


def test_the_script_sees_the_train_part_and_nothing_else(tiny, make_rows):
    tiny.rows("then.csv", make_rows(40, seed=2))
    job = tiny.job("train")
    tables = read_tables(job)
    frame = combine(tables)
    held = {tuple(row) for row in frame[holdout_rows(tables, frame, job)].to_numpy()}
    tiny.write("train.py", COPY)
    result = train(job)
    seen = combine(read_tables(tiny.job().__class__(**{**tiny.job().__dict__, "data": job.outputs / "model" / "seen"})))
    assert held
    assert not held & {tuple(row) for row in seen.to_numpy()}
    assert (len(seen), len(held)) == (result["rows"], result["holdout_rows"])
    assert len(seen) + len(held) == 120
    around = (job.outputs / "model" / "around.txt").read_text()
    assert "data/rows.csv" in around
    assert around.count("rows.csv") == 2, "the copy and the train part; no raw data"


def test_the_script_gets_no_secret_of_the_environment(tiny, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "x")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    tiny.write("train.py", COPY)
    train(tiny.job("train"))
    told = (tiny.folder / "outputs" / "model" / "told.txt").read_text()
    assert "SIGNALBOX_SEED" in told
    assert "SECRET_TOKEN" not in told
    assert "PYTHONDONTWRITEBYTECODE" not in told


def test_arguments_have_their_places_filled_in(tiny):
    tiny.write("train.py", COPY)
    train(tiny.job("train", arguments=["--in={data}", "{seed}", "{unknown}"], seed=11))
    told = (tiny.folder / "outputs" / "model" / "told.txt").read_text()
    assert "work/train-data', '11', '{unknown}']" in told


def test_the_digest_of_a_model_follows_from_its_files(tiny):
    result = train(tiny.job("train"))
    content = (tiny.folder / "outputs" / "model" / "model.json").read_bytes()
    line = f"model.json\0{hashlib.sha256(content).hexdigest()}\n"
    assert result["model"] == {
        "digest": "sha256:" + hashlib.sha256(line.encode()).hexdigest(), "files": 1, "bytes": len(content)
    }  # fmt: skip


def test_what_the_script_says_of_itself_is_a_label(tiny):
    told = {"accuracy": 0.999, "note": "great", "odd": float("nan"), "deep": {"a": 1}}
    script = "import os, pathlib\nout = pathlib.Path(os.environ['SIGNALBOX_OUTPUT'])\n(out / 'model').write_text('m')\n"
    tiny.write("train.py", f"{script}(out / 'metrics.json').write_text({json.dumps(told)!r})\n")
    assert train(tiny.job("train"))["labels"] == {"accuracy": 0.999, "note": "great", "odd": "nan"}


def test_labels_that_are_no_json_do_not_fail_the_training(tiny):
    tiny.write(
        "train.py",
        "import os\nfor n in ('m', 'metrics.json'): open(os.environ['SIGNALBOX_OUTPUT'] + '/' + n, 'w').write('x')\n",
    )
    assert train(tiny.job("train"))["labels"] == {}


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("import os\ndef f(row):\n    return row['bmi']\nf({})\n", "(exit 1)|KeyError: 'bmi' (train.py:3)"),
        ("import json\njson.loads('{')\n", "JSONDecodeError|(train.py:2)"),
        ("import sys\nsys.exit('no rows of last year')\n", "(exit 1)|no rows of last year"),
        ("raise SystemExit(3)\n", "(exit 3)"),
        ("def broken(:\n", "SyntaxError|(train.py:1)"),
        ("import os\nos.kill(os.getpid(), 9)\n", "killed by signal 9, which is often a lack of memory"),
        ("pass\n", "train.py ended well but wrote no model into --output"),
        ("import os\nopen(os.environ['SIGNALBOX_OUTPUT'] + '/metrics.json', 'w').write('{}')\n", "wrote no model"),
        (
            "import os\nos.symlink('/etc/hostname', os.environ['SIGNALBOX_OUTPUT'] + '/model')\n",
            "wrote model as a link",
        ),
    ],
)
def test_a_training_that_fails_says_what_and_where(tiny, script, told):
    tiny.write("train.py", script)
    reason = refused(tiny).reason
    assert all(part in reason for part in told.split("|")), reason


def test_the_error_of_another_module_of_the_project_is_placed_there(tiny):
    tiny.write("train.py", "import features\nfeatures.build()\n")
    tiny.write("features.py", "\ndef build():\n    import csv\n    csv.reader(5)\n")
    assert refused(tiny).reason.endswith("(features.py:4)")


def test_a_missing_training_script_is_named(tiny):
    assert refused(tiny, script="fit.py").reason == "The training script fit.py is not in the commit"
