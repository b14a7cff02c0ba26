"""Train a gradient boosting of trees that says how likely a flight is to arrive more than 15 minutes late."""

import argparse
import json
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from threadpoolctl import threadpool_limits

ITERATIONS = 60
NAMES = ["carrier", "origin", "dest"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
FEATURES = [*NAMES, "distance", "weekday", "hour", "minute", *WEATHER]
TARGET = "late"


def read(folder: Path) -> pd.DataFrame:
    """Read all months of a folder as one table, in order."""
    return pd.concat([pd.read_csv(path) for path in sorted(folder.rglob("*.csv"))], ignore_index=True)


def fit(table: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the model on a table with the features and the target."""
    # A carrier or an airport that no month had before is handled as a missing one.
    coded = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan)
    trees = HistGradientBoostingClassifier(
        max_iter=ITERATIONS,
        categorical_features=list(range(len(NAMES))),
        # Its default depends on the number of rows: a month more would change the method.
        early_stopping=False,
        random_state=seed,
    )
    model = make_pipeline(make_column_transformer((coded, NAMES), remainder="passthrough"), trees)
    # One thread takes all of 2013 in seconds, and needs no other core to be idle.
    with threadpool_limits(limits=1, user_api="openmp"):
        return model.fit(table[FEATURES], table[TARGET])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    table = read(arguments.data)
    model = fit(table, arguments.seed)
    arguments.output.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, arguments.output / "model.joblib")
    late = table[TARGET].mean()
    (arguments.output / "metrics.json").write_text(
        json.dumps({"iterations": ITERATIONS, "late_share_of_training_rows": round(late, 4)})
    )
    print(f"{ITERATIONS} iterations, {len(table)} flights, {late:.1%} of them late")


if __name__ == "__main__":
    main()
