"""The scoring file: what a service answers."""

import json
from pathlib import Path

import joblib
import pytest
import score
import train
from test_train import patients


@pytest.fixture
def ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    joblib.dump(train.fit(patients(50), seed=7), tmp_path / "model.joblib")
    monkeypatch.setenv("AZUREML_MODEL_DIR", str(tmp_path))
    score.init()


def asked(rows: list[dict]) -> list[float]:
    return score.run(json.dumps({"data": rows}))


def records(count: int) -> list[dict]:
    return patients(count)[train.FEATURES].to_dict("records")


@pytest.mark.usefixtures("ready")
def test_there_is_one_answer_a_row():
    assert len(asked(records(5))) == 5


@pytest.mark.usefixtures("ready")
def test_answers_are_plain_numbers():
    assert json.loads(json.dumps(asked(records(2)))) == asked(records(2))


@pytest.mark.usefixtures("ready")
def test_the_order_of_columns_does_not_matter():
    rows = records(4)
    assert asked([dict(reversed(row.items())) for row in rows]) == asked(rows)


def test_training_and_scoring_use_the_same_features():
    assert score.FEATURES == train.FEATURES
