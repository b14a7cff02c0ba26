"""The check job: is the data that training will read sane, and do the project's own tests pass at the commit?

settings: files, target, holdout, score; schema ("schema.py:schema" or ""), tests (["tests"]).
result: {"tests", "tests_seconds", "rows", "columns", "blobs", "content", "schema", "notes"}.
"""

import hashlib
from typing import Any

import pandas as pd
from signalbox_job.columns import combine, input_schema, kind_of, target_of
from signalbox_job.contract import declared_schema
from signalbox_job.holdout import holdout_rows
from signalbox_job.outcome import Job, JobFailed, run_job
from signalbox_job.project_tests import run_tests
from signalbox_job.tables import Table, read_tables

LEAST_ROWS = 20


def check(job: Job) -> dict[str, Any]:
    """Look at the code, the data, the project's schema and its tests, in this order; the first no ends it."""
    files_there(job)
    tables = read_tables(job)
    frame = combine(tables)
    target, notes = sane(frame, job)
    holdout_rows(tables, frame, job)
    declared = declared_schema(job, frame)
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


def sane(frame: pd.DataFrame, job: Job) -> tuple[str, list[str]]:
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
    mixed = [str(name) for name in frame.columns if kind_of(frame[name]) == "mixed"]
    if mixed:
        raise JobFailed(f'Column "{mixed[0]}" holds several kinds of values, such as numbers and text', again)
    notes = [f'{unknown} of {len(frame)} rows have no "{target}"'] if unknown else []
    for name in frame.columns:
        if name != target and kind_of(frame[name]) == "empty":
            notes.append(f'column "{name}" is empty in all rows')
    return target, notes


def content_digest(tables: list[Table]) -> str:
    """Digest of the contents of all files: SHA-256 over the sorted lines `<name>\\0<sha256>\\n`."""
    lines = sorted(f"{table.name}\0{table.sha256}\n" for table in tables)
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


if __name__ == "__main__":
    run_job(check)
