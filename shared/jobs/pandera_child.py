"""A child of the check job: validates a frame with the project's pandera schema.

argv: the schema's file (within the working directory), its name, the pickled frame, where to write the answer:
{"failures": [{"column", "check", "count", "sample", "row"}], "columns": {name: {"type", "nullable"}}}.
What the project's code raises is left to Python, which prints it: the job reads the traceback.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any


def load(file: str, name: str) -> Any:
    """Load the schema object, an instance or a DataFrameModel."""
    path = Path(file).resolve()
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    schema = getattr(module, name)
    return schema.to_schema() if hasattr(schema, "to_schema") else schema


def failures_of(cases: Any) -> list[dict[str, Any]]:
    """Fold pandera's frame of failure cases into one row a column and check, most rows first."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for case in cases.to_dict("records"):
        # A missing column is a failure of the whole frame: its name stands in the case.
        whole = case.get("schema_context") == "DataFrameSchema"
        column = str(case["failure_case"] if whole and case["check"] == "column_in_dataframe" else case["column"])
        key = (column, str(case["check"]))
        row = case.get("index")
        known = groups.setdefault(
            key,
            {
                "column": column,
                "check": key[1],
                "count": 0,
                "sample": repr(case["failure_case"])[:80],
                "row": None if row is None or row != row else int(row) + 1,
            },
        )
        known["count"] += 1
    return sorted(groups.values(), key=lambda group: -group["count"])


def columns_of(schema: Any) -> dict[str, dict[str, Any]]:
    """Return what the schema declares about each column in the words of our input schema."""
    told = {}
    for name, column in schema.columns.items():
        kind = type_of(str(column.dtype)) if column.dtype is not None else None
        told[str(name)] = {"nullable": bool(column.nullable)} | ({"type": kind} if kind else {})
    return told


def type_of(dtype: str) -> str | None:
    """Translate a dtype's name; None for one we have no word for."""
    lowered = dtype.lower()
    for beginning, kind in (("bool", "boolean"), ("int", "integer"), ("uint", "integer"), ("float", "number")):
        if lowered.startswith(beginning):
            return kind
    return "string" if lowered.startswith(("str", "object", "category")) else None


def main(file: str, name: str, data: str, answer: str) -> None:
    """Validate and write the answer."""
    import pandas as pd
    from pandera.errors import SchemaError, SchemaErrors

    frame = pd.read_pickle(data)
    schema = load(file, name)
    failures: list[dict[str, Any]] = []
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as broken:
        failures = failures_of(broken.failure_cases)
    except SchemaError as broken:
        failures = [{"column": "", "check": str(broken)[:200], "count": 1, "sample": "", "row": None}]
    told = {"failures": failures, "columns": columns_of(schema)}
    Path(answer).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    # Our folder must not hide the project's modules.
    sys.path[0] = os.getcwd()
    main(*sys.argv[1:])
