"""Loads a function app and refuses what the real host refuses at indexing."""

import importlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from azure.functions.decorators.function_app import Function as Declared
from azure.functions.decorators.function_app import FunctionRegister

from tools.local.routes import BadRoute, Template, compile_route
from tools.local.schedule import BadSchedule, parse_schedule
from tools.local.signature import BadSignature, read_signature

TRIGGERS = ("httpTrigger", "eventGridTrigger", "queueTrigger", "timerTrigger")
_ALL_METHODS = frozenset({"GET", "POST", "DELETE", "HEAD", "PATCH", "PUT", "OPTIONS", "TRACE", "CONNECT"})


class NotIndexed(Exception):
    """The function app cannot be served; the message says which function and why."""


@dataclass(frozen=True)
class Function:
    """One function: what starts it, what it gives, how it is called.

    `outputs` are parameters with the queue they go to, `converters` all bound parameters with their converters.
    `returns` is the binding of the return value: http, queue, or empty for none.
    """

    name: str
    call: Callable[..., Any]
    trigger: Mapping[str, Any]
    outputs: Mapping[str, str]
    converters: Mapping[str, str]
    wants_context: bool
    route: Template | None
    methods: frozenset[str]
    returns: str = ""
    return_queue: str = ""

    @property
    def kind(self) -> str:
        """The type of the trigger, for example `queueTrigger`."""
        return str(self.trigger["type"])

    @property
    def parameter(self) -> str:
        """The name of the parameter that gets what started the function."""
        return str(self.trigger["name"])

    @property
    def level(self) -> str:
        """The auth level of an HTTP function: anonymous, function or admin."""
        return str(self.trigger.get("authLevel") or "function").lower()


def load(app: Path) -> Sequence[Function]:
    """Import `app`/function_app.py and index its functions.

    Raises NotIndexed for what the host refuses, and whatever the import raises.
    """
    if not (app / "function_app.py").is_file():
        raise NotIndexed(f"There is no function_app.py in {app}. Point --app at the folder that holds it.")
    sys.path.insert(0, str(app))
    module = importlib.import_module("function_app")
    apps = [value for value in vars(module).values() if isinstance(value, FunctionRegister)]
    if len(apps) != 1:
        raise NotIndexed(f"function_app.py must hold exactly one FunctionApp; it holds {len(apps)}.")
    # The SDK refuses a second get_functions(): every name would look taken.
    return index(apps[0].get_functions())


def index(declared: Sequence[Declared]) -> Sequence[Function]:
    """The functions in `declared`, checked one by one and against each other."""
    functions = [_checked(one) for one in declared]
    taken: dict[tuple[str, str], str] = {}
    for function in functions:
        for method in sorted(function.methods):
            key = (function.route.shape if function.route else "", method)
            if key in taken:
                raise NotIndexed(
                    f"{function.name} and {taken[key]} have the same route and method ({method}). Change one of them."
                )
            taken[key] = function.name
    return functions


def _checked(declared: Declared) -> Function:
    try:
        function = _function(declared)
        if function.kind == "timerTrigger":
            parse_schedule(str(function.trigger["schedule"]))
    except (BadRoute, BadSchedule, BadSignature) as error:
        raise NotIndexed(f"{declared.get_function_name()}: {error}") from error
    return function


def _function(declared: Declared) -> Function:
    name, call = str(declared.get_function_name()), declared.get_user_function()
    bindings = [json.loads(raw) for raw in declared.get_raw_bindings()]
    trigger = next(binding for binding in bindings if str(binding["type"]).endswith("Trigger"))
    if trigger["type"] not in TRIGGERS:
        raise NotIndexed(f"{name}: the local host has no {trigger['type']}; it has {', '.join(TRIGGERS)}.")
    outputs = {}
    for binding in bindings:
        if binding["direction"] == "OUT" and binding["type"] not in ("queue", "http"):
            raise NotIndexed(f"{name}: the local host has no {binding['type']} output; it has queue.")
        if binding["type"] == "queue":
            outputs[str(binding["name"])] = _resolved(binding["queueName"])
    return_queue = outputs.pop("$return", "")
    is_http = trigger["type"] == "httpTrigger"
    answers = any(binding["type"] == "http" for binding in bindings)
    returns = "http" if answers else "queue" if return_queue else ""
    signature = read_signature(call, trigger, tuple(outputs), returns)
    return Function(
        name=name,
        call=call,
        trigger={key: _resolved(value) if isinstance(value, str) else value for key, value in trigger.items()},
        outputs=outputs,
        converters=signature.converters,
        wants_context=signature.wants_context,
        route=compile_route(trigger.get("route") or name) if is_http else None,
        methods=(frozenset(trigger.get("methods") or ()) or _ALL_METHODS) if is_http else frozenset(),
        returns=returns,
        return_queue=return_queue,
    )


def _resolved(value: str) -> str:
    """Replace `%NAME%` by the app setting NAME, as the host does in binding values."""

    def setting(found: re.Match[str]) -> str:
        if found[1] not in os.environ:
            raise NotIndexed(f"The app setting {found[1]} is used by a binding ({value}) but is not set.")
        return os.environ[found[1]]

    return re.sub(r"%(\w+)%", setting, value)
