"""A child of the check job: validates a frame with the project's pandera schema.

argv: the schema's file (within the working directory), its name, the pickled frame, a JSON file with the files that
the frame's rows came from, in order, [[name, rows], ...], and where to write the answer:
{"failures": [{"column", "check", "count", "sample", "row", "files"}], "columns": {name: {"type", "nullable"}}}.
`row` is the first such row, counted from 1 within the first of the `files` that hold some.
What the project's code raises is left to Python, which prints it: the job reads the traceback.
"""

import bisect
import importlib.util
import itertools
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


def failures_of(cases: Any, files: list[tuple[str, int]]) -> list[dict[str, Any]]:
    """Fold pandera's frame of failure cases into one a column and check, most rows first."""
    import pandas as pd

    cases = cases.assign(check=cases["check"].astype(str), row=pd.to_numeric(cases["index"], errors="coerce"))
    whole = cases["schema_context"] == "DataFrameSchema"
    named = whole & cases["check"].isin(["column_in_dataframe", "column_in_schema"])
    # The column of a missing or a surplus one is in its case; a check of whole rows fails once in every column.
    cases["column"] = cases["column"].where(~whole, "").where(~named, cases["failure_case"]).astype(str)
    cases = cases.drop_duplicates(["column", "check", "row"]).loc[lambda rest: ~_follows(rest)]
    groups = cases.groupby(["column", "check"], sort=False, dropna=False)
    found = [_folded(column, check, group, files) for (column, check), group in groups]
    return sorted(found, key=lambda group: -group["count"])


def _follows(cases: Any) -> Any:
    """Mark what only follows from a value of another type: pandera says that several times, and runs into it."""
    is_typed = cases["check"].str.startswith("coerce_dtype")
    typed = set(cases["column"][is_typed])
    ran_into = cases["row"].isna() & cases["failure_case"].astype(str).str.match(r"\w+(Error|Exception)\(")
    return ~is_typed & (cases["column"].isin(typed) | (ran_into & bool(typed)))


def _folded(column: str, check: str, group: Any, files: list[tuple[str, int]]) -> dict[str, Any]:
    group = group.sort_values("row", kind="stable")
    case = group["failure_case"].iloc[0]
    sample = repr(case.item() if hasattr(case, "item") else case)[:80] if column else ""
    told = {"column": column, "check": check, "count": len(group), "sample": sample, "row": None, "files": []}
    if group["row"].isna().any():
        return told
    ends = list(itertools.accumulate(rows for _, rows in files))
    of_rows = [bisect.bisect_right(ends, row) for row in group["row"]]
    before = ends[of_rows[0]] - files[of_rows[0]][1]
    return told | {
        "row": int(group["row"].iloc[0]) - before + 1,
        "files": [files[at][0] for at in dict.fromkeys(of_rows)],
    }


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


def main(file: str, name: str, data: str, origin: str, answer: str) -> None:
    """Validate and write the answer."""
    import pandas as pd
    from pandera.errors import SchemaError, SchemaErrors

    frame = pd.read_pickle(data)
    schema = load(file, name)
    failures: list[dict[str, Any]] = []
    try:
        schema.validate(frame, lazy=True)
    except SchemaErrors as broken:
        failures = failures_of(broken.failure_cases, json.loads(Path(origin).read_text(encoding="utf-8")))
    except SchemaError as broken:
        failures = [{"column": "", "check": str(broken)[:200], "count": 1, "sample": "", "row": None, "files": []}]
    told = {"failures": failures, "columns": columns_of(schema)}
    Path(answer).write_text(json.dumps(told), encoding="utf-8")


if __name__ == "__main__":
    # Our folder must not hide the project's modules.
    sys.path[0] = os.getcwd()
    main(*sys.argv[1:])
