"""The jobs on real flights: a month is checked, trained before and judged on; a broken feed is stopped at check."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

FLIGHTS = Path(__file__).resolve().parents[2] / "examples" / "flight-delays"
SETTINGS = {
    "files": "*.csv", "target": "late", "holdout": {"by": "newest"}, "seed": 7, "input": "records",
    "score": "score.py", "metric": "roc_auc", "schema": "schema.py:schema", "tests": [],
}  # fmt: skip
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
RunJob = Callable[..., Any]

# The first test builds an environment, which on a fresh machine is a download.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first three months, every fiftieth flight."""
    folder = tmp_path_factory.mktemp("months")
    making = [sys.executable, FLIGHTS / "make_data.py", folder, "--sample", "0.02"]
    subprocess.run(making, check=True, capture_output=True)
    for later in sorted(folder.iterdir())[3:]:
        later.unlink()
    return folder


def test_all_months_but_the_newest_are_trained_on_and_the_newest_judges(
    tmp_path: Path, run_job: RunJob, months: Path
) -> None:
    rows = [len(pd.read_csv(month)) for month in sorted(months.iterdir())]
    trained = run_job(tmp_path / "train", "train", FLIGHTS, months, SETTINGS | {"script": "train.py"})
    assert (trained.result["rows"], trained.result["holdout_rows"]) == (sum(rows[:2]), rows[2]), trained.log
    judged = run_job(tmp_path / "evaluate", "evaluate", FLIGHTS, months, SETTINGS, model=trained.outputs / "model")
    assert judged.result["rows"] == rows[2], judged.log
    assert 0.5 < judged.result["candidate"] < 1


def test_a_month_whose_weather_is_turned_by_one_column_is_stopped_and_named(
    tmp_path: Path, run_job: RunJob, months: Path
) -> None:
    broken = tmp_path / "months"
    shutil.copytree(months, broken)
    month = pd.read_csv(broken / "2013-03.csv")
    month[WEATHER] = month[[*WEATHER[1:], WEATHER[0]]].to_numpy()
    month.to_csv(broken / "2013-03.csv", index=False)
    assert run_job(tmp_path / "good", "check", FLIGHTS, months, SETTINGS).failure is None
    failure = run_job(tmp_path / "broken", "check", FLIGHTS, broken, SETTINGS).failure
    assert f'column "pressure" breaks in_range(870, 1090) in {len(month)} rows of 2013-03.csv' in failure["reason"]
    assert "2013-01.csv" not in failure["reason"]
    assert failure["advice"].startswith("Put corrected data under the same name (2013-03.csv)")
