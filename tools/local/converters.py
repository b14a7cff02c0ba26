"""Which converter of azure-functions stands between a parameter and the wire, chosen as the worker chooses it."""

import json
from collections.abc import Mapping
from typing import Any

from azure.functions.meta import Datum, get_binding_registry

# A parameter annotated str or bytes gets the plain value, whatever its binding is.
GENERIC = "generic"


def converter_of(binding: str, hint: Any) -> str:
    """The name of the converter for a parameter of `binding` that is annotated `hint`."""
    return GENERIC if hint in (str, bytes) else binding


def fits(converter: str, hint: Any, out: bool) -> bool:
    """Whether a parameter behind `converter` may be annotated `hint`."""
    if converter == GENERIC:
        return True
    known = get_binding_registry().get(converter)
    try:
        return bool((known.check_output_type_annotation if out else known.check_input_type_annotation)(hint))
    except TypeError:  # the converters ask issubclass() of what is no class too
        return False


def decoded(converter: str, data: Datum, metadata: Mapping[str, Datum]) -> Any:
    """What the function is called with; raises TypeError or ValueError for data of a kind it cannot be given."""
    if converter == GENERIC:
        if data.type not in ("string", "bytes", "json", None):
            raise ValueError(f"A parameter that is annotated str or bytes cannot be given {data.type!r} data.")
        return data.value
    try:
        return get_binding_registry().get(converter).decode(data, trigger_metadata=metadata)
    except NotImplementedError as error:
        raise TypeError(f"The {converter} cannot be given {data.type!r} data.") from error


def encoded(converter: str, value: Any) -> Datum:
    """What goes back for `value`; raises TypeError for a value of a kind that has no place there."""
    try:
        if converter != GENERIC:
            return get_binding_registry().get(converter).encode(value, expected_type=None)
        return _plain(value)
    except NotImplementedError as error:
        raise TypeError(f"A {type(value).__name__} cannot go to a binding of the kind {converter}.") from error


def _plain(value: Any) -> Datum:
    if isinstance(value, str):
        return Datum(value, "string")
    if isinstance(value, bytes | bytearray):
        return Datum(bytes(value), "bytes")
    if isinstance(value, int):
        return Datum(int(value), "int")
    if isinstance(value, float):
        return Datum(value, "double")
    if isinstance(value, dict | list):
        return Datum(json.dumps(value), "json")
    raise NotImplementedError
