"""Whether a function's parameters and annotations are what its bindings ask for, by the worker's rules."""

import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import azure.functions as func

from tools.local.converters import converter_of, fits


class BadSignature(Exception):
    """The function would not be indexed; the message says why, without its name."""


@dataclass(frozen=True)
class Signature:
    """The converter of each bound parameter, and whether there is a `context`."""

    converters: Mapping[str, str]
    wants_context: bool


def read_signature(
    call: Callable[..., Any], trigger: Mapping[str, Any], outputs: Sequence[str], returns: str
) -> Signature:
    """Check `call` against its trigger, the names of its queue outputs, and what its return value is bound to."""
    parameter, given = str(trigger["name"]), set(inspect.signature(call).parameters)
    hints, bound = _hints(call), {parameter, *outputs}
    wants_context = "context" in given - bound
    if wants_context:
        given.remove("context")
        if not _is_named(hints.get("context", func.Context), "Context"):
            raise BadSignature("the parameter context must be azure.functions.Context.")
    if given != bound:
        raise BadSignature(f"it takes {_names(given)} but its bindings are {_names(bound)}.")
    converters = {parameter: _input(parameter, str(trigger["type"]), hints)}
    converters |= {name: _output(name, hints) for name in outputs}
    if returns and "return" in hints:
        _check_return(returns, hints["return"])
    return Signature(converters, wants_context)


def _hints(call: Callable[..., Any]) -> Mapping[str, Any]:
    try:
        return typing.get_type_hints(call)
    except (NameError, TypeError, SyntaxError) as error:
        raise BadSignature(f"an annotation cannot be read at run time: {error}.") from error


def _input(name: str, binding: str, hints: Mapping[str, Any]) -> str:
    if name not in hints:
        return binding
    hint = hints[name]
    converter = converter_of(binding, hint)
    if _is_out(hint) or not fits(converter, hint, out=False):
        raise BadSignature(f"{name} cannot be a {hint!r} for a {binding}.")
    return converter


def _output(name: str, hints: Mapping[str, Any]) -> str:
    if name not in hints:
        return "queue"
    hint, inner = hints[name], typing.get_args(hints[name])
    converter = converter_of("queue", inner[0]) if inner else ""
    if not _is_out(hint) or not inner or not fits(converter, inner[0], out=True):
        raise BadSignature(f"{name} must be func.Out of str, bytes, func.QueueMessage or a typing.List of them.")
    return converter


def _check_return(returns: str, hint: Any) -> None:
    if not isinstance(hint, type) or not fits(returns, hint, out=True):
        wanted = "azure.functions.HttpResponse or str" if returns == "http" else "str, bytes or func.QueueMessage"
        raise BadSignature(f"its return value must be annotated {wanted}, not {hint!r}.")


def _is_out(hint: Any) -> bool:
    return _is_named(typing.get_origin(hint) or hint, "Out")


def _is_named(hint: Any, name: str) -> bool:
    return isinstance(hint, type) and hint.__name__ == name


def _names(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
