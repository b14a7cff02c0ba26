"""The scoring file: what a service answers."""

import json
from pathlib import Path

import joblib
import pytest
import score
import train
from test_train import flights


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(train.fit(flights(100), seed=7), tmp_path / "model.joblib")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path))
    score.init()


def asked(rows: list[dict]) -> list[float]:
    return score.run(json.dumps({"data": rows}))


def records(count: int) -> list[dict]:
    return flights(count)[train.FEATURES].to_dict("records")


@pytest.mark.usefixtures("ready")
def test_there_is_one_chance_a_row():
    told = asked(records(5))
    assert len(told) == 5
    assert all(0 <= chance <= 1 for chance in told)


@pytest.mark.usefixtures("ready")
def test_the_order_of_columns_does_not_matter():
    rows = records(4)
    assert asked([dict(reversed(row.items())) for row in rows]) == asked(rows)


@pytest.mark.usefixtures("ready")
def test_a_row_without_a_measurement_is_answered_alone_as_in_a_batch():
    rows = [row | {"pressure": None} for row in records(1)] + records(3)
    assert asked(rows[:1]) == asked(rows)[:1]


def test_training_and_scoring_use_the_same_features():
    assert score.FEATURES == train.FEATURES
