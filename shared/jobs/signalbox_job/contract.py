"""The project's own pandera schema, asked in a child process: it is the project's code."""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from .children import advice_after, blame, run_child
from .outcome import Job, JobFailed

SHOWN = 10
CHILD = Path(__file__).resolve().parent.parent / "pandera_child.py"


def declared_schema(job: Job, frame: pd.DataFrame) -> Mapping[str, Mapping[str, Any]]:
    """Validate the data with the project's schema and return what it declares: {column: {"type", "nullable"}}.

    Raises `JobFailed` with the first failures when rows break it, or with the line at fault when it does not load.
    """
    where = str(job.setting("schema", ""))
    if not where:
        return {}
    file, _, name = where.partition(":")
    if not (job.code / file).is_file():
        raise JobFailed(f"The schema file {file} is not in the commit", "Commit it, or correct schema in [data]")
    with tempfile.TemporaryDirectory(dir=job.outputs.parent) as folder:
        data, answer = Path(folder, "frame.pickle"), Path(folder, "answer.json")
        frame.to_pickle(data)
        ended = run_child([job.python, str(CHILD), file, name or "schema", str(data), str(answer)], job.code, {})
        if ended.code != 0 or not answer.exists():
            fault = blame(ended, job.code)
            advice = f"Correct {file} and push; whole log: signalbox logs {job.release} {job.step}"
            raise JobFailed(f"The schema {where} did not run: {fault}", advice_after(fault, advice))
        told = json.loads(answer.read_text(encoding="utf-8"))
    if told["failures"]:
        _refuse(where, told["failures"])
    return told["columns"]


def _refuse(where: str, failures: list[dict[str, Any]]) -> None:
    """Print every broken rule and raise with the first ones."""
    told = [
        f'column "{row["column"]}" breaks {row["check"]}'
        + (
            f": {row['sample']}"
            if row["row"] is None
            else f" in {row['count']} row{'s' if row['count'] > 1 else ''}, such as {row['sample']} in row {row['row']}"
        )
        for row in failures
    ]
    for sentence in told:
        print(sentence, flush=True)
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    raise JobFailed(
        f"The data breaks the schema {where}: {'; '.join(told[:SHOWN])}{more}",
        "Put corrected data, or change the schema and push",
    )
