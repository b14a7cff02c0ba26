"""What people wrote in a TOML file: read whole into tables, or refused in words they can act on.

A refusal names the file, the line, the key, what was found there and what is allowed.
"""

import difflib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from types import NoneType
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec import Struct, inspect

from shared.errors import NotUnderstood

Keys = tuple[str | int, ...]
"""The way to a value: keys of tables, and positions in lists."""

_T = TypeVar("_T")
_PART = r"""(?:[\w-]+|"[^"]*"|'[^']*')"""
_PLACE = re.compile(rf"\s*(\[\[?)?\s*({_PART}(?:\s*\.\s*{_PART})*)\s*(?(1)\]|=)")
_USER = re.compile(r"//[^/@\s]*@")
_CREDENTIAL = re.compile(r"""(\bcredential["']?\s*=\s*)("[^"]*"?|'[^']*'?|\S+)""")
_LONGEST = 100
"""Characters of a line or a value that a message repeats."""


def read(file: str, text: str, kind: type[_T]) -> _T:
    """Read `text` as a `kind`; raises `NotUnderstood` about the first thing that is wrong."""
    try:
        raw = tomllib.loads(text)
    # Beside its own error, tomllib lets through those of numbers too long and of lists too deep for Python.
    except (ValueError, RecursionError) as error:
        raise NotUnderstood(f"{file} is no TOML: {error}") from error
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        keys, problem = _wrong(raw, kind, ())
        raise refused(file, text, keys, problem) from error


def refused(file: str, text: str, keys: Keys, problem: str) -> NotUnderstood:
    """Return the error that says `problem` about a key, with the line it stands on, or the nearest there is."""
    reached, near = 0, ""
    for number, place, line in _lines(text):
        shared = min(len(place), len(keys))
        if shared > reached and place[:shared] == keys[:shared]:
            reached, near = shared, f", line {number}: {_short(line.strip())}"
    return NotUnderstood(f"{file}{near}: {dotted(keys)} {problem}")


def found(value: Any, allowed: str) -> str:
    """Say what stands there, as TOML has it, and what may."""
    return f"is {_short(json.dumps(value, default=str, ensure_ascii=False))}, allowed is {allowed}"


def dotted(keys: Keys) -> str:
    """Return a way to a value as people write it: `train.arguments[1]`."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys).removeprefix(".")


def _lines(text: str) -> list[tuple[int, Keys, str]]:
    """Return number, whole key and text of every line that begins a table or a value."""
    table: Keys = ()
    places = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not (match := _PLACE.match(line)):
            continue
        key: Keys = tuple(part.strip("\"'") for part in re.findall(_PART, match[2]))
        table = key if match[1] else table
        places.append((number, table if match[1] else table + key, line))
    return places


def _wrong(raw: Any, kind: Any, keys: Keys) -> tuple[Keys, str]:
    """Return where in `raw` the first thing is that does not convert to `kind`, and what to say about it."""
    kind = next((each for each in get_args(kind) if each is not NoneType), kind) if _optional(kind) else kind
    inside = _inside(raw, kind)
    if isinstance(raw, dict) and _is_table(kind):
        names = [field.encode_name for field in msgspec.structs.fields(kind)]
        if unknown := [key for key in raw if key not in names]:
            allowed = f"allowed is {', '.join(names)}{_near(unknown[0], names)}"
            return (*keys, unknown[0]), f"is not known here, {allowed}"
        required = [field for field in msgspec.structs.fields(kind) if field.required and field.encode_name not in raw]
        if required:
            return (*keys, required[0].encode_name), f"is missing, allowed is {_allowed(required[0].type)}"
    for key, value, part in inside:
        if not _converts(value, part):
            return _wrong(value, part, (*keys, key))
    near = _near(raw, get_args(kind)) if isinstance(raw, str) and get_origin(kind) is Literal else ""
    return keys, found(raw, _allowed(kind)) + near


def _inside(raw: Any, kind: Any) -> list[tuple[str | int, Any, Any]]:
    """Return key, value and kind of everything one level below, as far as `raw` has the shape of `kind`."""
    if isinstance(raw, dict) and _is_table(kind):
        known = [(each.encode_name, each.type) for each in msgspec.structs.fields(kind)]
        return [(name, raw[name], part) for name, part in known if name in raw]
    if isinstance(raw, dict) and get_origin(kind) is Mapping:
        return [(key, value, get_args(kind)[1]) for key, value in raw.items()]
    if isinstance(raw, list) and get_origin(kind) is tuple:
        return [(at, value, get_args(kind)[0]) for at, value in enumerate(raw)]
    return []


def _converts(value: Any, kind: Any) -> bool:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return False
    return True


def _is_table(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _optional(kind: Any) -> bool:
    return NoneType in get_args(kind)


def _allowed(kind: Any) -> str:
    """Say in words what a kind takes."""
    match inspect.type_info(kind):
        case inspect.LiteralType(values=values):
            return f"one of {', '.join(map(str, values))}"
        case inspect.IntType() as known:
            return f"a whole number {_bounds(known)}"
        case inspect.FloatType() as known:
            return f"a number {_bounds(known)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.VarTupleType(item_type=inspect.StructType()):
            return "a list of tables"
        case inspect.VarTupleType():
            return "a list of texts"
        case inspect.DateType():
            return "a day such as 2026-12-31"
        case inspect.StructType(fields=fields):
            return f"a table with {', '.join(field.encode_name for field in fields)}"
        case inspect.DictType(value_type=inspect.VarTupleType()):
            return "a table of lists"
        case inspect.DictType():
            return "a table of tables"
        case _:
            return "a text"


def _bounds(number: inspect.IntType | inspect.FloatType) -> str:
    words = (("at least", number.ge), ("above", number.gt), ("at most", number.le), ("below", number.lt))
    return " and ".join(f"{word} {bound:.10g}" for word, bound in words if bound is not None)


def _near(written: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(written, known, n=1)
    return f'. Did you mean "{near[0]}"?' if near else ""


def _short(text: str) -> str:
    # An address may hold a password, and an error is read by more people than the file is.
    text = _CREDENTIAL.sub(r'\1"..."', _USER.sub("//...@", text))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
