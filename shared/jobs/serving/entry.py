"""The entry script of every service: the project's scoring file behind a check of its input.

`azureml_inference_server_http` loads this file (AML_APP_ROOT, AZUREML_ENTRY_SCRIPT) and calls init() and run().
In an image SIGNALBOX_SCORE is the project's scoring file and SIGNALBOX_SCHEMA the JSON file of its input schema.
Where a platform puts image and source together, serving.json beside this file says both, as paths from here, and
"model", the digest that the model's files must have, empty when others registered it without one, and "release",
which every refusal names in a header.
Input that breaks the schema is answered 400 here; what the project's own run() raises is a 500 of the server.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from azureml_inference_server_http.api.aml_response import AMLResponse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import signalbox_model
import signalbox_schema
import signalbox_scoring

del sys.path[0]

FOLDER = os.path.dirname(os.path.abspath(__file__))
RELEASE = "X-Signalbox-Release"

_schema: dict[str, Any] = {}
_headers: dict[str, str] = {}
_call: Callable[[str, Mapping[str, str]], Any]


def init() -> None:
    """Load the input schema and the project's scoring file, and let it load its model."""
    global _call
    schema, score = _places()
    with open(schema, encoding="utf-8") as file:
        _schema.update(json.load(file))
    module = signalbox_scoring.load_scoring_file(score)
    _call = signalbox_scoring.caller(module.run)
    module.init()


def _places() -> tuple[str, str]:
    """Return where the schema and the scoring file are, the model's files being those that were approved."""
    beside = os.path.join(FOLDER, "serving.json")
    if not os.path.isfile(beside):
        return os.environ["SIGNALBOX_SCHEMA"], os.environ["SIGNALBOX_SCORE"]
    with open(beside, encoding="utf-8") as file:
        told = json.load(file)
    os.environ["AZUREML_MODEL_DIR"] = signalbox_model.verified(os.environ["AZUREML_MODEL_DIR"], told["model"])
    _headers[RELEASE] = told["release"]
    return os.path.join(FOLDER, told["schema"]), os.path.join(FOLDER, told["score"])


def run(raw_data: str, request_headers: Mapping[str, str]) -> Any:
    """Answer 400 with {"error", "field", "row"} to input that breaks the schema, else what the project answers."""
    problem = signalbox_schema.problem_in(raw_data, _schema)
    if problem is not None:
        return AMLResponse(problem, 400, _headers, json_str=True)
    return signalbox_scoring.plain(_call(raw_data, request_headers))
