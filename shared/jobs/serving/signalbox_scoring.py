"""How a project's scoring file is loaded and called: the same here for evaluation and for serving.

A scoring file has `init()` and `run(raw_data)`, the Azure ML contract; run() may be decorated by inference-schema,
and may take `request_headers` beside its input.
Standard library only: it runs in any model's environment.
"""

import importlib.util
import inspect
import json
import os
import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

LIST_KEYS = ("predictions", "result", "scores", "probabilities")


class BadAnswer(Exception):
    """run() answered something that is not one prediction a row; the text is the sentence to show."""


def load_scoring_file(path: str) -> ModuleType:
    """Load the scoring file as a module of its own name, its folder first on the path and the working directory.

    One that stands in a package may import from it with dots.
    """
    folder = os.path.dirname(os.path.abspath(path))
    name = os.path.splitext(os.path.basename(path))[0]
    os.chdir(folder)
    sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(_in_package(folder, name), os.path.abspath(path))
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    # Pickles that name classes of the scoring file look for it here.
    sys.modules[name] = sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    for needed in ("init", "run"):
        if not callable(getattr(module, needed, None)):
            raise AttributeError(f"{os.path.basename(path)} has no function {needed}()")
    return module


def _in_package(folder: str, name: str) -> str:
    """Return the module's name within the packages around it, and let the outermost one be found last of all."""
    while os.path.isfile(os.path.join(folder, "__init__.py")):
        folder, package = os.path.split(folder)
        name = f"{package}.{name}"
    if "." in name:
        sys.path.append(folder)
    return name


def caller(run: Callable[..., Any]) -> Callable[[str, Mapping[str, str]], Any]:
    """Return how to call run() with the raw body and the request's headers, whatever its decorators are."""
    names = list(inspect.signature(run).parameters)
    inputs = [name for name in names if name != "request_headers"]
    headed = "request_headers" in names
    schemas = sys.modules.get("inference_schema.schema_util")
    decorated = schemas is not None and schemas.is_schema_decorated(run)

    def call(raw: str, headers: Mapping[str, str]) -> Any:
        extra = {"request_headers": dict(headers)} if headed else {}
        if not decorated:
            return run(**{inputs[0]: raw}, **extra)
        body = json.loads(raw)
        return run(**{name: body[name] for name in inputs if name in body}, **extra)

    return call


def raw_http_wanted() -> bool:
    """Tell whether the scoring file asked for whole HTTP requests (@rawhttp), which only a server can give it."""
    module = sys.modules.get("azureml_inference_server_http.api.aml_request")
    return bool(module is not None and getattr(module, "_rawHttpRequested", False))


def predictions_of(answer: Any) -> list[Any]:
    """Return one number, string or bool a row of what run() answered.

    Accepted: a list or an array, JSON text of one, a dict with exactly one list or a list under a known key.
    Of a row of class probabilities the last column counts.  Anything else raises `BadAnswer`.
    """
    if hasattr(answer, "get_data") and hasattr(answer, "status_code"):
        if answer.status_code != 200:
            raise BadAnswer(f"run() answers status {answer.status_code}: {answer.get_data(as_text=True)[:200]}")
        answer = answer.get_data(as_text=True)
    if isinstance(answer, (str, bytes)):
        try:
            answer = json.loads(answer)
        except ValueError:
            raise BadAnswer(f"run() answers text that is not JSON: {answer[:100]!r}") from None
        if isinstance(answer, str):
            return predictions_of(answer)
    if isinstance(answer, dict):
        answer = _list_in(answer)
    answer = plain(answer)
    if not isinstance(answer, list):
        raise BadAnswer(f"run() answers {type(answer).__name__} where a list of predictions is expected")
    return [_prediction(value, row) for row, value in enumerate(answer, 1)]


def plain(answer: Any) -> Any:
    """Turn arrays, series and tuples into lists; all else is returned as it is."""
    if hasattr(answer, "tolist"):
        return answer.tolist()
    return list(answer) if isinstance(answer, tuple) else answer


def _list_in(answer: Mapping[str, Any]) -> Any:
    lists = {key: value for key, value in answer.items() if isinstance(plain(value), list)}
    for key in LIST_KEYS:
        if key in lists:
            return lists[key]
    if len(lists) == 1:
        return next(iter(lists.values()))
    keys = ", ".join(str(key) for key in list(answer)[:5])
    raise BadAnswer(f"run() answers a dict with {len(lists)} lists (keys: {keys}); name one of them predictions")


def _prediction(value: Any, row: int) -> Any:
    value = plain(value)
    if isinstance(value, list) and value:
        value = plain(value[-1])
    if isinstance(value, (str, bool, int, float)):
        return value
    raise BadAnswer(f"run() answers {type(value).__name__} for row {row} where a number, text or bool is expected")
