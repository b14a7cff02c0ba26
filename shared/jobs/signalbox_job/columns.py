"""What the columns of the data hold, and the input schema that follows from it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

import pandas as pd

from .outcome import JobFailed
from .tables import Table

NUMERIC = ("integer", "number")
SAID = {"boolean": "true and false", "integer": "numbers", "number": "numbers", "string": "text"}


def kind_of(values: pd.Series) -> str:
    """Name what a column holds: boolean, integer, number, string, empty (nothing at all), nested or mixed."""
    present = values.dropna()
    if isinstance(present.dtype, pd.CategoricalDtype):
        present = present.astype(present.cat.categories.dtype)
    if present.empty:
        return "empty"
    if pd.api.types.is_bool_dtype(present):
        return "boolean"
    if pd.api.types.is_integer_dtype(present):
        return "integer"
    if pd.api.types.is_numeric_dtype(present):
        return "number"
    if present.dtype != object:
        return "string"
    kinds = {"boolean" if isinstance(value, bool) else _kind_of_value(value) for value in present}
    if "nested" in kinds:
        return "nested"
    if kinds == {"integer", "number"}:
        return "number"
    return kinds.pop() if len(kinds) == 1 else "mixed"


def _kind_of_value(value: object) -> str:
    if isinstance(value, int):
        return "integer"
    if isinstance(value, (list, dict)) or hasattr(value, "__array_interface__"):
        return "nested"
    return "number" if isinstance(value, float) else "string"


def combine(tables: Sequence[Table]) -> pd.DataFrame:
    """Put the tables into one frame, rows in the order of the files.

    Raises `JobFailed` naming the file that has other columns than most, or another kind of value in one.
    """
    first = tables[0]
    for table in tables:
        repeated = [name for name in table.columns if table.columns.count(name) > 1]
        if repeated:
            raise JobFailed(
                f'{table.name} has the column "{repeated[0]}" more than once', "Put it again with one name a column"
            )
    _same_columns(tables)
    for name in first.columns:
        _same_kind(tables, name)
    frames = [table.frame[list(first.columns)] for table in tables if len(table.frame)]
    return pd.concat(frames, ignore_index=True) if frames else first.frame


def place_of(tables: Sequence[Table], row: int) -> str:
    """Say where a row of the combined frame, counted from 0, stands: `row 4 of 2013-05.csv`."""
    for table in tables:
        if row < len(table.frame):
            return f"row {row + 1} of {table.name}"
        row -= len(table.frame)
    raise IndexError(row)


def _same_columns(tables: Sequence[Table]) -> None:
    """Refuse the file that has other columns than most files have; of two, it is the later one."""
    sets = [frozenset(table.columns) for table in tables]
    usual = tables[sets.index(Counter(sets).most_common(1)[0][0])]
    for table in tables:
        missing = [name for name in usual.columns if name not in table.columns]
        new = [name for name in table.columns if name not in usual.columns]
        if missing or new:
            parts = [f'no column "{name}"' for name in missing[:3]]
            parts += [f'a column "{name}" of its own' for name in new[:3]]
            raise JobFailed(
                f"{table.name} disagrees with {usual.name}: it has {', '.join(parts)}",
                f"Put {table.name} again with the columns of {usual.name}",
            )


def _same_kind(tables: Sequence[Table], name: str) -> None:
    """Refuse the file that has another kind of value in a column than most files have."""
    kinds = {table.name: kind_of(table.frame[name]) for table in tables}
    families = {file: "number" if kind in NUMERIC else kind for file, kind in kinds.items() if kind != "empty"}
    if len(set(families.values())) < 2:
        return
    usual = Counter(families.values()).most_common(1)[0][0]
    like = next(file for file, family in families.items() if family == usual)
    odd = next(table for table in tables if families.get(table.name, usual) != usual)
    raise JobFailed(
        f'{odd.name} disagrees with {like}: column "{name}" holds {SAID.get(kinds[odd.name], kinds[odd.name])} there'
        f"{_for_example(odd.frame[name], usual)} and {SAID.get(kinds[like], kinds[like])} in {like}",
        f"Put {odd.name} again with the columns of {like}",
    )


def _for_example(values: pd.Series, usual: str) -> str:
    """Name the first word among what should be numbers."""
    present = values.dropna()
    words = present[pd.to_numeric(present, errors="coerce").isna()] if usual == "number" else present.head(0)
    return f' ("{str(words.iloc[0])[:40]}" in row {words.index[0] + 1})' if len(words) else ""


def target_of(frame: pd.DataFrame, settings: Mapping[str, Any]) -> str:
    """Return the name of the target column, or raise `JobFailed` naming what there is."""
    target = str(settings.get("target") or "target")
    if target in frame.columns:
        return target
    near = get_close_matches(target, [str(name) for name in frame.columns], 1)
    names = ", ".join(str(name) for name in frame.columns[:30])
    raise JobFailed(
        f'The data has no target column "{target}"',
        (f'Did you mean "{near[0]}"? ' if near else "") + f"Columns: {names}. Set target in [data] of signalbox.toml",
    )


def input_schema(frame: pd.DataFrame, target: str, declared: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Describe the features, in training order, as the service will check them.

    `declared` has what the project's own schema says of a column: {"type", "nullable"}; it wins over what was seen.
    `min` and `max` are what was seen, for people: nothing is refused for being outside.
    """
    order = [str(name) for name in frame.columns if name != target]
    columns = []
    for name in order:
        values, seen = frame[name], kind_of(frame[name])
        said = declared.get(name, {})
        kind = said.get("type") or ("number" if seen == "empty" else seen)
        bounded = seen in NUMERIC
        columns.append(
            {
                "name": name,
                "type": kind,
                "nullable": bool(said.get("nullable", values.isna().any())),
                "min": _plain_bound(values.min()) if bounded else None,
                "max": _plain_bound(values.max()) if bounded else None,
            }
        )
    return {"columns": columns, "order": order}


def _plain_bound(value: Any) -> Any:
    """Return a number of numpy as one of Python; whole numbers beyond 64 bits are one already."""
    return value.item() if hasattr(value, "item") else value


def plain_rows(frame: pd.DataFrame, order: Sequence[str]) -> list[list[Any]]:
    """Return the rows as JSON values in the order of the columns; what is missing is None."""
    columns = [[_plain(value) for value in frame[name].tolist()] for name in order]
    return [list(row) for row in zip(*columns, strict=True)]


def _plain(value: Any) -> Any:
    if isinstance(value, (bool, int, str)):
        return value
    if pd.isna(value):
        return None
    return value if isinstance(value, float) else str(value)
