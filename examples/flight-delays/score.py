"""Score flights with the trained model: the Azure ML contract, init() once and run() for each request."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from threadpoolctl import ThreadpoolController

NAMES = ["carrier", "origin", "dest"]
NUMBERS = ["distance", "weekday", "hour", "minute"]
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
FEATURES = [*NAMES, *NUMBERS, *WEATHER]
model = None
threads = None


def init() -> None:
    """Load the model from the folder the platform names."""
    global model, threads
    model = joblib.load(Path(os.environ["AZUREML_MODEL_DIR"]) / "model.joblib")
    # It knows the libraries that are loaded, and the model has just loaded its own.
    threads = ThreadpoolController()


def run(raw_data: str) -> list[float]:
    """Answer the chance of being late, one a row, for '{"data": [{"carrier": "UA", "temp": 39.0, ...}]}'."""
    rows = pd.DataFrame(json.loads(raw_data)["data"], columns=FEATURES)
    # One request may lack a measurement in all of its rows; None there is a missing number all the same.
    rows[NUMBERS + WEATHER] = rows[NUMBERS + WEATHER].astype(float)
    # A request is a few rows: several threads would take longer to meet than one takes to answer.
    with threads.limit(limits=1, user_api="openmp"):
        return model.predict_proba(rows)[:, 1].tolist()
