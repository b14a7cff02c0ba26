"""Whether an answer of the double fits the SDK's own model: msrest drops what it does not know without a word."""

import importlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

GENERATED = "azureml._restclient.models"


def faults(shape: str, answer: Any) -> list[str]:
    """Return what does not fit: keys the model does not know, and values it cannot read."""
    listed = shape.startswith("[")
    module, _, name = shape.strip("[]").rpartition(":")
    models = vars(importlib.import_module(module or GENERATED))
    found = []
    for index, one in enumerate(answer if listed else [answer]):
        at = f"{name}[{index}]" if listed else name
        found += [*_unknown(name, one, models, at), *_unreadable(name, one, models, at)]
    return found


def _unreadable(name: str, value: Any, models: Mapping[str, Any], at: str) -> list[str]:
    from msrest import Deserializer
    from msrest.exceptions import DeserializationError, ValidationError

    classes = {key: each for key, each in models.items() if isinstance(each, type)}
    try:
        read = Deserializer(classes)(name, value)
        missing = [] if read is None else [str(each) for each in read.validate()]
    except (DeserializationError, ValidationError) as error:
        return [f"{at}: {error}"]
    return [f"{at}: {each}" for each in missing if "readonly" not in each.lower()]


def _unknown(name: str, value: Any, models: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield the keys of `value`, and of what is in it, that the model has no attribute for."""
    model = models.get(name)
    if value is None or not hasattr(model, "_attribute_map"):
        return
    assert model is not None
    if not isinstance(value, dict):
        yield f"{at}: {type(value).__name__} instead of an object"
        return
    model = models.get(_subtype(model, value), model)
    known = {each["key"].replace("\\.", "\0"): each["type"] for each in model._attribute_map.values()}
    for key, inner in value.items():
        deep = {path: kind for path, kind in known.items() if path.split(".")[0] == key.replace(".", "\0")}
        if not deep:
            yield f"{at}.{key} is not known"
        for path, kind in deep.items():
            yield from _within(path.split(".")[1:], kind, inner, models, f"{at}.{key}")


def _subtype(model: Any, value: Mapping[str, Any]) -> str:
    for kind in getattr(model, "_subtype_map", {}).values():
        for attribute in model._attribute_map.values():
            if (told := value.get(attribute["key"])) in kind:
                return str(kind[told])
    return ""


def _within(path: list[str], kind: str, value: Any, models: Mapping[str, Any], at: str) -> Iterator[str]:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    if kind.startswith("[") and isinstance(value, list):
        for index, one in enumerate(value):
            yield from _within([], kind[1:-1], one, models, f"{at}[{index}]")
    elif kind.startswith("{") and isinstance(value, dict):
        for key, one in value.items():
            yield from _within([], kind[1:-1], one, models, f"{at}[{key}]")
    elif re.fullmatch(r"\w+", kind):
        yield from _unknown(kind, value, models, at)
