"""Score patients with the trained model: the Azure ML contract, init() once and run() for each request."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd

FEATURES = ["age", "sex", "bmi", "bp", "s1", "s2", "s3", "s4", "s5", "s6"]
model = None


def init() -> None:
    """Load the model from the folder the platform names."""
    global model
    model = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"]) / "model.joblib")


def run(raw_data: str) -> list[float]:
    """Answer one prediction a row for '{"data": [{"age": 59, "sex": 2, ...}]}'."""
    rows = pd.DataFrame(json.loads(raw_data)["data"])
    return model.predict(rows[FEATURES]).tolist()
