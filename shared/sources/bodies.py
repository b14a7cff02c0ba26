"""Bodies and headers of requests, read without trust: whatever comes, the answer is a value or an error of ours."""

import json
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast
from urllib.parse import parse_qsl

import msgspec

from shared.errors import LengthRequired, NotUnderstood, TooLarge
from shared.sources.texts import shown

LARGEST = 5 * 1024 * 1024
DEEPEST = 64
MOST_FIELDS = 50

Shape = TypeVar("Shape")


def header(headers: Mapping[str, str], name: str) -> str:
    """Return a header by its name in any case, trimmed; empty when absent."""
    wanted = name.lower()
    return next((value.strip() for key, value in headers.items() if key.lower() == wanted), "")


def length_checked(headers: Mapping[str, str], body: bytes, limit: int = LARGEST) -> None:
    """Refuse a body the host could not hand over (`LengthRequired`) or above `limit` bytes (`TooLarge`).

    The Functions host hands a chunked body over as an empty one.
    """
    if len(body) > limit:
        raise TooLarge(f"The body has {len(body)} bytes; at most {limit} are taken. Send less.")
    if not body and (not header(headers, "Content-Length") or header(headers, "Transfer-Encoding")):
        raise LengthRequired("The body came without a Content-Length: send it in one piece, not chunked.")


def read_json(body: bytes) -> dict[str, object]:
    """Return the JSON object in `body`.

    `NotUnderstood` for anything else, for NaN, for a key said twice, and for more than 64 levels.
    """
    try:
        document = msgspec.json.decode(body)
    except RecursionError as error:
        raise NotUnderstood(f"The body is nested more than {DEEPEST} levels deep; send it flatter.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotUnderstood(f"The body is no JSON in UTF-8: {error}.") from error
    if not isinstance(document, dict):
        raise NotUnderstood(f"The body is a JSON {type(document).__name__}; send an object.")
    _refuse_depth(document)
    # msgspec keeps the last of two equal keys; numbers stay texts here, for only the keys matter.
    json.loads(body, object_pairs_hook=_refuse_twice, parse_int=str, parse_float=str)
    return document


def read_form(body: bytes) -> dict[str, object]:
    """Return the fields of an `application/x-www-form-urlencoded` body; `NotUnderstood` when one comes twice."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError as error:
        raise NotUnderstood(f"The form cannot be read: {error}.") from error
    return _refuse_twice([(key, value) for key, value in pairs])


def understood(document: object, shape: type[Shape], what: str, send: str = "") -> Shape:
    """Return `document` in the wanted shape; `NotUnderstood` names what, the field, and what to `send` instead."""
    try:
        return msgspec.convert(document, shape)
    # The Functions library hands over texts with lone surrogates, which msgspec meets with an error of Python's.
    except (msgspec.ValidationError, UnicodeEncodeError) as error:
        reason = shown(str(error)).replace("`$.", "`")
        raise NotUnderstood(f"{what} cannot be read: {reason}. {send}".strip()) from error


def _refuse_depth(document: dict[str, object]) -> None:
    level: list[object] = [document]
    for _ in range(DEEPEST):
        level = [child for parent in level for child in _children(parent) if isinstance(child, dict | list)]
        if not level:
            return
    raise NotUnderstood(f"The body is nested more than {DEEPEST} levels deep; send it flatter.")


def _children(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else cast(list[object], value)


def _refuse_twice(pairs: list[tuple[str, object]]) -> dict[str, object]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise NotUnderstood("A field of the body is given twice; give each once.")
    return fields
