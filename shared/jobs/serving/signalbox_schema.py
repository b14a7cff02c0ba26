"""Checks a request against the input schema before the project's run() sees it.

The schema: {"input": "records" | "rows", "columns": [{"name", "type", "nullable", ...}], "order": [names]}.
A problem is {"error": sentence, "field": column or None, "row": number from 1 or None}.
"""

import json
import math
from collections.abc import Mapping
from typing import Any

Problem = dict[str, Any]
MOST_LISTED = 5
WANTED = {"number": "a number", "integer": "a whole number", "string": "text", "boolean": "true or false"}


def problem_in(raw: str, schema: Mapping[str, Any]) -> Problem | None:
    """Return what is wrong with the body, None when nothing is."""
    try:
        body = json.loads(raw, parse_constant=_refuse_constant)
    except NotFinite as word:
        return _problem(f"The body holds {word}, which is no JSON number; send null or leave the row out")
    except RecursionError:
        return _problem("The body is nested too deeply")
    except ValueError as fault:
        return _problem(f"The body is not JSON: {fault}" if raw.strip() else "The body is empty; send JSON")
    example = _example(schema)
    if not isinstance(body, dict):
        return _problem(f"The body is {_kind(body)} where an object is expected, like {example}")
    if "data" not in body:
        keys = ", ".join(json.dumps(key) for key in list(body)[:MOST_LISTED]) or "none"
        return _problem(f'The body has no "data" (keys: {keys}); send {example}')
    extra = [key for key in body if key != "data"]
    if extra:
        return _problem(f'The body has "{extra[0]}" beside "data"; send {example}')
    return _problem_in_rows(body["data"], schema, example)


class NotFinite(ValueError):
    """The body holds NaN or Infinity, which Python reads and JSON does not have."""


def _refuse_constant(word: str) -> float:
    raise NotFinite(word)


def _problem(error: str, field: str | None = None, row: int | None = None) -> Problem:
    return {"error": error, "field": field, "row": row}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "an array", str: "text", bool: "true or false", type(None): "null"}
    return names.get(type(value), "a number")


def _example(schema: Mapping[str, Any]) -> str:
    inside = "{" + json.dumps(schema["order"][0]) + ": ...}" if schema["input"] == "records" else "[...]"
    return f'{{"data": [{inside}]}}'


def _problem_in_rows(rows: Any, schema: Mapping[str, Any], example: str) -> Problem | None:
    if not isinstance(rows, list):
        return _problem(f'"data" is {_kind(rows)} where an array of rows is expected, like {example}')
    if not rows:
        return _problem('"data" is empty; send at least one row')
    columns = {column["name"]: column for column in schema["columns"]}
    ordered = [columns[name] for name in schema["order"]]
    look = _problem_in_record if schema["input"] == "records" else _problem_in_list
    for number, row in enumerate(rows, 1):
        found = look(row, ordered, number, example)
        if found:
            return found
    return None


def _problem_in_record(row: Any, columns: list[Mapping[str, Any]], number: int, example: str) -> Problem | None:
    if not isinstance(row, dict):
        return _problem(f"Row {number} is {_kind(row)} where an object is expected, like {example}", None, number)
    for column in columns:
        name = column["name"]
        if name not in row:
            return _problem(f'Row {number} has no "{name}"', name, number)
        found = _problem_in_value(row[name], column, number)
        if found:
            return found
    if len(row) > len(columns):
        known = {column["name"] for column in columns}
        unknown = next(key for key in row if key not in known)
        names = ", ".join(column["name"] for column in columns)
        return _problem(f'Row {number} has an unknown column "{unknown}"; known: {names}', unknown, number)
    return None


def _problem_in_list(row: Any, columns: list[Mapping[str, Any]], number: int, example: str) -> Problem | None:
    if not isinstance(row, list):
        return _problem(f"Row {number} is {_kind(row)} where an array is expected, like {example}", None, number)
    if len(row) != len(columns):
        names = ", ".join(column["name"] for column in columns)
        return _problem(f"Row {number} has {len(row)} values and {len(columns)} are expected: {names}", None, number)
    problems = (_problem_in_value(value, column, number) for value, column in zip(row, columns, strict=True))
    return next((found for found in problems if found), None)


def _problem_in_value(value: Any, column: Mapping[str, Any], number: int) -> Problem | None:
    name, kind = column["name"], column["type"]
    if value is None:
        if column.get("nullable"):
            return None
        return _problem(f'Row {number}, column "{name}" is null and a value is needed', name, number)
    if not _fits(value, kind):
        shown = json.dumps(value)[:40]
        wanted = WANTED.get(kind, kind)
        return _problem(f'Row {number}, column "{name}" is {shown} where {wanted} is expected', name, number)
    return None


def _fits(value: Any, kind: str) -> bool:
    """Tell whether a value is of the kind; 3.0 is a whole number, for JSON knows only one kind of number."""
    if kind == "string":
        return isinstance(value, str)
    if kind == "boolean":
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    if isinstance(value, int):
        # Beyond 64 bits no numpy column can hold it, and float() of it may overflow.
        return -(2**63) <= value < 2**63
    return math.isfinite(value) and (kind != "integer" or value.is_integer())
