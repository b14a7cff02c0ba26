"""Train a ridge regression on one year of disease progression."""

import argparse
import json
from pathlib import Path

import joblib
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

ALPHA = 0.1
FEATURES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
TARGET = "target"


def read(folder: Path) -> pd.DataFrame:
    """Read every CSV file of a folder as one table."""
    return pd.concat([pd.read_csv(path) for path in sorted(folder.rglob("*.csv"))], ignore_index=True)


def fit(table: pd.DataFrame, seed: int) -> Pipeline:
    """Fit the model on a table with the features and the target."""
    model = make_pipeline(StandardScaler(), Ridge(alpha=ALPHA, random_state=seed))
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
    fitted = model.score(table[FEATURES], table[TARGET])
    (arguments.output / "metrics.json").write_text(
        json.dumps({"alpha": ALPHA, "r2_on_training_rows": round(fitted, 4)})
    )
    print(f"ridge, alpha {ALPHA}, {len(table)} rows, r2 on them {fitted:.3f}")


if __name__ == "__main__":
    main()
