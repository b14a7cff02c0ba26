"""The check job: is the data that training will read sane, and do the project's own tests pass at the commit?

settings: files, target, holdout, metric, score; schema ("schema.py:schema" or ""), tests (["tests"]).
result: {"tests", "tests_seconds", "rows", "columns", "blobs", "content", "schema", "notes"}.
"""

import hashlib
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from signalbox_job.columns import combine, input_schema, kind_of, place_of, target_of
from signalbox_job.contract import declared_schema
from signalbox_job.holdout import holdout_rows, judging_rows
from signalbox_job.metrics import metric_named, true_values
from signalbox_job.outcome import Job, JobFailed, run_job
from signalbox_job.project_tests import run_tests
from signalbox_job.tables import Table, read_tables

LEAST_ROWS = 20
MOST_WORDS = 0.05
"""A column of numbers with at most this share of words among them is likely to be meant as numbers."""
BROKEN = {
    "mixed": "several kinds of values, such as numbers and text",
    "nested": "more than one value in a cell",
}


def check(job: Job) -> dict[str, Any]:
    """Look at the code, the data, the project's schema and its tests, in this order; the first no ends it."""
    files_there(job)
    tables = read_tables(job)
    frame = combine(tables)
    target, notes = sane(frame, tables, job)
    judged(frame, holdout_rows(tables, frame, job), target, job)
    declared = declared_schema(job, frame, tables)
    tests = run_tests(job)
    notes += [tests.note] if tests.note else []
    for note in notes:
        print(f"note: {note}", flush=True)
    return {
        "tests": tests.count,
        "tests_seconds": round(tests.seconds, 3),
        "rows": len(frame),
        "columns": [str(name) for name in frame.columns],
        "blobs": {table.name: table.sha256 for table in tables},
        "content": content_digest(tables),
        "schema": input_schema(frame, target, declared) | {"input": job.setting("input", "records")},
        "notes": notes,
    }


def files_there(job: Job) -> None:
    """Raise `JobFailed` when a script that the settings name is not in the commit."""
    for name in (job.setting("script", ""), job.setting("score", "score.py")):
        if name and not (job.code / name).is_file():
            raise JobFailed(
                f"{name} is not in the commit", "Commit the file, or name the one to use in signalbox.toml, and push"
            )


def sane(frame: pd.DataFrame, tables: Sequence[Table], job: Job) -> tuple[str, list[str]]:
    """Return the target's name and what is only worth a note; raise `JobFailed` for data nobody could train on."""
    target = target_of(frame, job.settings)
    again = "Put corrected data, then release again"
    if len(frame) < LEAST_ROWS:
        raise JobFailed(f"The data has {len(frame)} rows and training needs at least {LEAST_ROWS}", "Put more data")
    if len(frame.columns) < 2:
        raise JobFailed(f'The data has no column beside the target "{target}"', again)
    unknown = int(frame[target].isna().sum())
    if unknown == len(frame):
        raise JobFailed(f'The target column "{target}" is empty in all {len(frame)} rows', again)
    notes = [f"{table.name} has no rows" for table in tables if table.frame.empty]
    notes += [f'{unknown} of {len(frame)} rows have no "{target}"'] if unknown else []
    for name in frame.columns:
        kind = kind_of(frame[name])
        if kind in BROKEN:
            raise JobFailed(f'Column "{name}" holds {BROKEN[kind]}', again)
        if kind == "number":
            finite(str(name), frame[name], tables)
        notes += odd(str(name), frame[name], kind, tables) if name != target else []
    return target, notes


def judged(frame: pd.DataFrame, rows: np.ndarray, target: str, job: Job) -> None:
    """Raise `JobFailed` when the metric could not judge a model on the holdout: better known before it is trained."""
    truth = judging_rows(frame, rows, target)[target].tolist()
    true_values(metric_named(str(job.setting("metric", "rmse"))), truth)


def finite(name: str, values: pd.Series, tables: Sequence[Table]) -> None:
    """Raise `JobFailed` for an infinite number: no JSON can carry it to a service."""
    bad = [row for row, value in enumerate(values.tolist()) if isinstance(value, float) and math.isinf(value)]
    if bad:
        raise JobFailed(
            f'Column "{name}" holds {values.iloc[bad[0]]} in {len(bad)} of {len(values)} rows, first in'
            f" {place_of(tables, bad[0])}",
            "Leave such cells empty or put a finite number there, put the data again, then release again",
        )


def odd(name: str, values: pd.Series, kind: str, tables: Sequence[Table]) -> list[str]:
    """Return what about a feature is only worth a note."""
    if kind == "empty":
        return [f'column "{name}" is empty in all rows']
    if name.startswith("Unnamed: "):
        return [f'column "{name}" has no name in the file: an index that was written along?']
    if kind != "string":
        return []
    present = values.dropna()
    words = present[pd.to_numeric(present, errors="coerce").isna()]
    if words.empty or len(words) > MOST_WORDS * len(present):
        return []
    first = f'"{str(words.iloc[0])[:40]}" in {place_of(tables, int(words.index[0]))}'
    told = f"is text because of {len(words)} of {len(present)} values, such as {first}: the others are numbers"
    return [f'column "{name}" {told}']


def content_digest(tables: list[Table]) -> str:
    """Digest of the contents of all files: SHA-256 over the sorted lines `<name>\\0<sha256>\\n`."""
    lines = sorted(f"{table.name}\0{table.sha256}\n" for table in tables)
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    run_job(check)
