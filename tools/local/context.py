"""What a function may know of its own invocation."""

import inspect
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# One for all invocations, as in the worker: threads of the app find the id of the invocation that runs in them.
_LOCAL = threading.local()


@dataclass(frozen=True)
class Trace:
    """An empty W3C trace: none is carried on one machine."""

    trace_parent: str = ""
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Retries:
    """Retry policies of functions are not followed here, so every invocation is the first."""

    retry_count: int = 0
    max_retry_count: int = 0
    rpc_exception: None = None


@dataclass(frozen=True)
class Context:
    """The parameter `context`; like the worker's it only looks like azure.functions.Context."""

    function_name: str
    function_directory: str
    invocation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    thread_local_storage: threading.local = _LOCAL
    trace_context: Trace = field(default_factory=Trace)
    retry_context: Retries = field(default_factory=Retries)


def context_of(name: str, call: Callable[..., Any]) -> Context:
    """A new context for one invocation of the function `name`."""
    return Context(name, str(Path(inspect.getfile(call)).parent))
