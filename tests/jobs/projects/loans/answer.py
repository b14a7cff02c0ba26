"""Answer the chance that a loan is paid back."""

import json
import os
import pickle
from pathlib import Path


def init() -> None:
    global table, forest
    folder = Path(os.environ["AZUREML_MODEL_DIR"])
    table = pickle.loads((folder / "parts" / "table.pkl").read_bytes())
    forest = pickle.loads((folder / "forest.pkl").read_bytes())


def run(raw_data: str) -> dict:
    return {"chances": forest.predict_proba(table.transform(json.loads(raw_data)["data"])).tolist(), "version": 1}
