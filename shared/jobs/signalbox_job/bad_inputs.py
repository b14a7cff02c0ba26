"""Malformed requests, made from one good row; each has to be answered with a 4xx."""

import copy
import json
from collections.abc import Callable, Mapping
from typing import Any

Bad = tuple[str, bytes]


def bad_inputs(golden: Mapping[str, Any], schema: Mapping[str, Any]) -> list[Bad]:
    """Return (name, body) pairs: broken JSON, wrong shapes, and wrong values in the first golden row.

    `schema` says which columns may be null; without it no null is tried.
    """
    good, columns = golden["rows"][0], golden["columns"]
    made = _of_text(good) + _of_shape(good) + _of_row(good, columns) + _of_values(good, columns)
    needed = [column["name"] for column in schema.get("columns", []) if not column.get("nullable")]
    if needed:
        made.append(("null where a value is needed", _with(good, columns, needed[0], None)))
    return made


def _data(*rows: Any) -> bytes:
    return json.dumps({"data": list(rows)}).encode()


def _of_text(good: Any) -> list[Bad]:
    whole = _data(good)
    return [
        ("empty body", b""),
        ("not JSON", b"age=1&bmi=2"),
        ("JSON cut short", whole[: len(whole) // 2]),
        ("not UTF-8", b'{"data": "\xff\xfe"}'),
        ("nested too deeply", b"[" * 5000 + b"]" * 5000),
    ]


def _of_shape(good: Any) -> list[Bad]:
    return [
        ("array instead of object", json.dumps([good]).encode()),
        ("wrong top key", json.dumps({"input": [good]}).encode()),
        ("null for data", b'{"data": null}'),
        ("object for data", json.dumps({"data": {"row": good}}).encode()),
        ("no rows", b'{"data": []}'),
        ("extra nesting", _data([good])),
        ("text for a row", _data("row")),
        ("a good row and a bad one", _data(good, None)),
    ]


def _of_row(good: Any, columns: list[str]) -> list[Bad]:
    if isinstance(good, dict):
        short = {name: value for name, value in good.items() if name != columns[-1]}
        return [
            ("missing column", _data(short)),
            ("unknown column", _data(good | {"column nobody knows": 1})),
            ("row as an array", _data([good[name] for name in columns])),
        ]
    return [
        ("missing column", _data(good[:-1])),
        ("unknown column", _data([*good, 1])),
        ("row as an object", _data(dict(zip(columns, good, strict=True)))),
    ]


def _of_values(good: Any, columns: list[str]) -> list[Bad]:
    values = good if isinstance(good, dict) else dict(zip(columns, good, strict=True))

    def first(fits: Callable[[Any], bool]) -> str | None:
        return next((name for name in columns if fits(values[name])), None)

    number = first(lambda value: isinstance(value, (int, float)) and not isinstance(value, bool))
    text = first(lambda value: isinstance(value, str))
    made = [("a list for a value", _with(good, columns, columns[0], [1])),
            ("an object for a value", _with(good, columns, columns[0], {"a": 1}))]  # fmt: skip
    if number is not None:
        made += [
            ("text for a number", _with(good, columns, number, "many")),
            ("true for a number", _with(good, columns, number, True)),
            ("NaN", _with(good, columns, number, float("nan"))),
            ("Infinity", _with(good, columns, number, float("inf"))),
            ("a number beyond every float", _with(good, columns, number, "HUGE").replace(b'"HUGE"', b"1e999")),
            ("a whole number of 400 digits", _with(good, columns, number, 10**400)),
        ]
    if text is not None:
        made.append(("a number for text", _with(good, columns, text, 1)))
    return made


def _with(good: Any, columns: list[str], name: str, value: Any) -> bytes:
    """Return the good row with one value replaced."""
    row = copy.deepcopy(good)
    row[name if isinstance(row, dict) else columns.index(name)] = value
    return _data(row)
