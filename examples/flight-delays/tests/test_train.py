"""The training: what it reads, what it fits, what it leaves."""

import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import train


def flights(count: int, seed: int = 1) -> pd.DataFrame:
    """Make flights that are late when it rains or when they leave in the evening."""
    chance = np.random.default_rng(seed)
    rows = pd.DataFrame({name: chance.integers(0, 50, count).astype(float) for name in train.FEATURES})
    for name, known in (("carrier", ["UA", "DL"]), ("origin", ["EWR", "JFK"]), ("dest", ["IAH", "MIA", "BOS"])):
        rows[name] = chance.choice(known, count)
    rows["hour"] = chance.integers(5, 24, count)
    rows["precip"] = chance.choice([0.0, 0.2], count)
    rows[train.TARGET] = ((rows["hour"] > 18) | (rows["precip"] > 0)).astype(int)
    return rows


def chances(model: object, rows: pd.DataFrame) -> np.ndarray:
    return model.predict_proba(rows[train.FEATURES])[:, 1]


def test_the_model_learns_a_plain_rule():
    asked = flights(200, seed=2)
    told = chances(train.fit(flights(600), seed=7), asked)
    assert told[asked[train.TARGET] == 1].min() > told[asked[train.TARGET] == 0].max()


def test_two_trainings_with_one_seed_give_the_same_model():
    rows = flights(200)
    one, other = (chances(train.fit(rows, seed=7), rows) for _ in range(2))
    assert one.tolist() == other.tolist()


def test_a_carrier_that_no_month_had_is_scored_as_an_unknown_one():
    rows = flights(200)
    new = rows.head(3).assign(carrier="ZZ", dest="QQQ")
    assert chances(train.fit(rows, seed=7), new).shape == (3,)


def test_missing_weather_is_no_obstacle():
    rows = flights(200)
    rows.loc[:20, train.WEATHER] = float("nan")
    assert len(chances(train.fit(rows, seed=7), rows)) == 200


def test_all_months_of_the_folder_are_read_in_order(tmp_path: Path):
    flights(4).assign(minute=2).to_csv(tmp_path / "2013-02.csv", index=False)
    flights(3).assign(minute=1).to_csv(tmp_path / "2013-01.csv", index=False)
    assert train.read(tmp_path)["minute"].tolist() == [1, 1, 1, 2, 2, 2, 2]


def test_a_missing_feature_is_an_error_that_names_it():
    with pytest.raises(KeyError, match="visib"):
        train.fit(flights(30).drop(columns="visib"), seed=7)


def test_the_script_leaves_a_model_that_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "data").mkdir()
    flights(60).to_csv(tmp_path / "data" / "2013-01.csv", index=False)
    arguments = ["--data", tmp_path / "data", "--output", tmp_path / "out", "--seed", "7"]
    monkeypatch.setattr(sys, "argv", ["train.py", *map(str, arguments)])
    train.main()
    assert hasattr(joblib.load(tmp_path / "out" / "model.joblib"), "predict_proba")
