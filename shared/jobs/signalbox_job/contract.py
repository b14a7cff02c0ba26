"""The project's own pandera schema, asked in a child process: it is the project's code."""

import json
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from .children import advice_after, blame, run_child
from .outcome import Job, JobFailed
from .tables import Table

SHOWN = 10
CHILD = Path(__file__).resolve().parent.parent / "pandera_child.py"


def declared_schema(job: Job, frame: pd.DataFrame, tables: Sequence[Table]) -> Mapping[str, Mapping[str, Any]]:
    """Validate the data with the project's schema and return what it declares: {column: {"type", "nullable"}}.

    `frame` holds the rows of the `tables` in order.
    Raises `JobFailed` with the first failures when rows break it, or with the line at fault when it does not load.
    """
    where = str(job.setting("schema", ""))
    if not where:
        return {}
    file, _, name = where.partition(":")
    if not (job.code / file).is_file():
        raise JobFailed(f"The schema file {file} is not in the commit", "Commit it, or correct schema in [data]")
    with tempfile.TemporaryDirectory(dir=job.outputs.parent) as folder:
        data, files, answer = (Path(folder, each) for each in ("frame.pickle", "files.json", "answer.json"))
        frame.to_pickle(data)
        files.write_text(json.dumps([(table.name, len(table.frame)) for table in tables]), encoding="utf-8")
        arguments = [file, name or "schema", *map(str, (data, files, answer))]
        ended = run_child([job.python, str(CHILD), *arguments], job.code, {})
        if ended.code != 0 or not answer.exists():
            fault = blame(ended, job.code)
            advice = f"Correct {file} and push; whole log: signalbox logs {job.release} {job.step}"
            raise JobFailed(f"The schema {where} did not run: {fault}", advice_after(fault, advice))
        told = json.loads(answer.read_text(encoding="utf-8"))
    if told["failures"]:
        _refuse(where, told["failures"])
    return told["columns"]


def _refuse(where: str, failures: list[dict[str, Any]]) -> None:
    """Print every broken rule and raise with the first ones and the files to correct."""
    told = [_sentence(row) for row in failures]
    for sentence in told:
        print(sentence, flush=True)
    more = f"; and {len(told) - SHOWN} more" if len(told) > SHOWN else ""
    files = named(sorted({file for row in failures for file in row["files"]}))
    raise JobFailed(
        f"The data breaks the schema {where}: {'; '.join(told[:SHOWN])}{more}",
        f"Put corrected data under the same name{f' ({files})' if files else ''}, or change the schema and push",
    )


def _sentence(row: dict[str, Any]) -> str:
    """Say one broken rule: the column unless it is about whole rows, where, and the first value that breaks it."""
    what = f'column "{row["column"]}" breaks {row["check"]}' if row["column"] else f"{row['check']} is broken"
    if row["row"] is None:
        return what + (f": {row['sample']}" if row["sample"] else "")
    first, rows = row["files"][0], f"{row['count']} row{'s' if row['count'] > 1 else ''}"
    spread = f" of {first}" if len(row["files"]) == 1 else f" of {len(row['files'])} files"
    such = f"{row['sample']} in row {row['row']}" if row["sample"] else f"row {row['row']}"
    return f"{what} in {rows}{spread}, such as {such}" + (f" of {first}" if len(row["files"]) > 1 else "")


def named(files: Iterable[str], most: int = 3) -> str:
    """Return the first names of many."""
    names = list(files)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
