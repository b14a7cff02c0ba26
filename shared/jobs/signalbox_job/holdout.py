"""The holdout: the rows no training ever sees, the same ones each time.

By hash, a row is in the holdout for what it holds and nothing else: the share stays as data grows, no row ever
changes sides, and equal rows are on one side.
By newest, it is the last file by name.
"""

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .columns import combine, target_of
from .outcome import Job, JobFailed
from .tables import Table, read_tables


@dataclass(frozen=True)
class Holdout:
    """The frozen rows of one data version: `features` has one column each of `order`, `truth` the target."""

    features: pd.DataFrame
    truth: pd.Series
    order: tuple[str, ...]


def holdout_rows(tables: Sequence[Table], frame: pd.DataFrame, job: Job) -> np.ndarray:
    """Mark the holdout's rows of the combined `frame` with True; raise `JobFailed` when a side would be empty."""
    rule = job.setting("holdout", {})
    by = rule.get("by", "hash")
    if by == "hash":
        fraction = float(rule.get("fraction", 0.2))
        rows = np.array([_share(row) < fraction for row in _canonical_rows(frame)], dtype=bool)
    elif by == "newest":
        newest = len(tables[-1].frame)
        if not newest:
            raise JobFailed(
                f"{tables[-1].name} has no rows, and the newest file is the holdout",
                f"Put {tables[-1].name} again with its rows",
            )
        rows = np.arange(len(frame)) >= len(frame) - newest
    else:
        raise JobFailed(f'The holdout rule "{by}" is unknown', 'Known rules: {by = "hash"} and {by = "newest"}')
    _both_sides(rows, by, tables)
    return rows


def frozen_holdout(job: Job) -> Holdout:
    """Read the holdout of the job's data, then remove the data: a scoring file must not find the answers."""
    tables = read_tables(job)
    frame = combine(tables)
    target = target_of(frame, job.settings)
    held = judging_rows(frame, holdout_rows(tables, frame, job), target)
    remove_data(job)
    order = tuple(str(name) for name in frame.columns if name != target)
    return Holdout(held[list(order)], held[target], order)


def judging_rows(frame: pd.DataFrame, rows: np.ndarray, target: str) -> pd.DataFrame:
    """Return the rows marked True whose target is known; raise `JobFailed` when it is known in none."""
    held = frame[rows]
    held = held[held[target].notna()].reset_index(drop=True)
    if held.empty:
        raise JobFailed(
            f'No row of the holdout has a value in "{target}"', "Put data whose target is known, then release again"
        )
    return held


def remove_data(job: Job) -> None:
    """Remove the raw data from the job folder."""
    shutil.rmtree(job.data)


def _both_sides(rows: np.ndarray, by: str, tables: Sequence[Table]) -> None:
    advice = "Put more data"
    if by == "newest" and len(tables) < 2:
        advice = 'Put a second file, or use holdout = {by = "hash", fraction = 0.2}'
    if not rows.any():
        raise JobFailed(f"The holdout of {len(rows)} rows is empty (rule: {by})", advice)
    if rows.all():
        raise JobFailed(f"The holdout takes all {len(rows)} rows (rule: {by}) and leaves none to train on", advice)


def _share(row: str) -> float:
    """Map a row to [0, 1) by its SHA-256."""
    return int.from_bytes(hashlib.sha256(row.encode("utf-8", "surrogatepass")).digest()[:8], "big") / 2**64


def _canonical_rows(frame: pd.DataFrame) -> list[str]:
    """Return one text a row that is the same whatever the file format, the order of columns or the other rows are."""
    columns = [_canonical(frame[name]) for name in sorted(frame.columns, key=str)]
    return ["\x1f".join(cells) for cells in zip(*columns, strict=True)]


def _canonical(values: pd.Series) -> list[str]:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(dtype=float, na_value=math.nan) + 0.0
        return ["" if number != number else repr(number) for number in numbers.tolist()]
    return [_canonical_cell(value) for value in values.tolist()]


def _canonical_cell(value: Any) -> str:
    """One cell on its own: a column's type may change as data grows, what a cell says does not."""
    if not isinstance(value, (str, bool, int)) and pd.isna(value):
        return ""
    try:
        number = float(value) + 0.0
    except (TypeError, ValueError, OverflowError):
        return str(value).strip()
    return repr(number) if math.isfinite(number) else str(value).strip()
