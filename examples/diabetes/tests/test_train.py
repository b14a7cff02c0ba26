"""The training: what it reads, what it fits, what it leaves."""

import subprocess
import sys
from pathlib import Path

import joblib
import pandas as pd
import pytest
import train


def patients(count: int) -> pd.DataFrame:
    """Make patients whose progression depends on bmi and s5 alone."""
    rows = pd.DataFrame(
        {name: [float((at * (7 + place)) % 13) for at in range(count)] for place, name in enumerate(train.FEATURES)}
    )
    rows[train.TARGET] = 3.0 * rows["bmi"] + 2.0 * rows["s5"] + 10.0
    return rows


def test_the_model_learns_a_plain_rule():
    rows = patients(200)
    assert train.fit(rows, seed=7).predict(rows[train.FEATURES]) == pytest.approx(rows[train.TARGET], abs=0.5)


def test_two_trainings_with_one_seed_give_the_same_model():
    rows = patients(60)
    one, other = (train.fit(rows, seed=7).predict(rows[train.FEATURES]) for _ in range(2))
    assert one.tolist() == other.tolist()


def test_all_files_of_the_folder_are_read(tmp_path: Path):
    patients(3).to_csv(tmp_path / "a.csv", index=False)
    patients(4).to_csv(tmp_path / "b.csv", index=False)
    assert len(train.read(tmp_path)) == 7


def test_a_missing_feature_is_an_error_that_names_it():
    with pytest.raises(KeyError, match="bmi"):
        train.fit(patients(30).drop(columns="bmi"), seed=7)


def test_the_script_leaves_a_model_that_loads(tmp_path: Path):
    (tmp_path / "data").mkdir()
    patients(40).to_csv(tmp_path / "data" / "patients.csv", index=False)
    script = Path(train.__file__)
    arguments = ["--data", tmp_path / "data", "--output", tmp_path / "out", "--seed", "7"]
    subprocess.run([sys.executable, script, *map(str, arguments)], check=True)
    assert hasattr(joblib.load(tmp_path / "out" / "model.joblib"), "predict")
