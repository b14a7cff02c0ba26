"""The entry script of every image: the project's scoring file behind a check of its input.

`azureml_inference_server_http` loads this file (AML_APP_ROOT, AZUREML_ENTRY_SCRIPT) and calls init() and run().
SIGNALBOX_SCORE is the project's scoring file, SIGNALBOX_SCHEMA the JSON file of its input schema.
Input that breaks the schema is answered 400 here; what the project's own run() raises is a 500 of the server.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

from azureml_inference_server_http.api.aml_response import AMLResponse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import signalbox_schema
import signalbox_scoring

del sys.path[0]

_schema: dict[str, Any] = {}
_call: Callable[[str, Mapping[str, str]], Any]


def init() -> None:
    """Load the input schema and the project's scoring file, and let it load its model."""
    global _call
    with open(os.environ["SIGNALBOX_SCHEMA"], encoding="utf-8") as file:
        _schema.update(json.load(file))
    module = signalbox_scoring.load_scoring_file(os.environ["SIGNALBOX_SCORE"])
    _call = signalbox_scoring.caller(module.run)
    module.init()


def run(raw_data: str, request_headers: Mapping[str, str]) -> Any:
    """Answer 400 with {"error", "field", "row"} to input that breaks the schema, else what the project answers."""
    problem = signalbox_schema.problem_in(raw_data, _schema)
    if problem is not None:
        return AMLResponse(problem, 400, json_str=True)
    return signalbox_scoring.plain(_call(raw_data, request_headers))
