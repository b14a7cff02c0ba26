"""Calls one function with the converters of azure-functions and keeps what it gave."""

import asyncio
import contextvars
import inspect
import json
import logging
import threading
import traceback
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum, get_binding_registry

from tools.local.index import Function
from tools.local.redact import redacted

log = logging.getLogger("host")
Enqueue = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]


class InvocationFailed(Exception):
    """The function raised, or gave something that cannot be used."""


class Given(func.Out[Any]):
    """An output parameter: keeps the last value set."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep `val`."""
        self._value = val

    def get(self) -> Any:
        """The value last set, or None."""
        return self._value


class Context(func.Context):
    """What a function may know of its own invocation."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._id = str(uuid.uuid4())
        self._local = threading.local()
        self._local.invocation_id = self._id

    @property
    def invocation_id(self) -> str:
        """The id of this invocation."""
        return self._id

    @property
    def thread_local_storage(self) -> Any:
        """Thread-local storage that holds the invocation id."""
        return self._local

    @property
    def function_name(self) -> str:
        """The name of the function."""
        return self._name

    @property
    def function_directory(self) -> str:
        """The folder of the function; there is none of its own in the v2 model."""
        return "."

    @property
    def trace_context(self) -> Any:
        """No trace is carried on one machine."""
        return None

    @property
    def retry_context(self) -> Any:
        """Retry policies of functions are not followed here."""
        return None


class Invoker:
    """Runs functions: async ones on the loop, sync ones in a small thread pool."""

    def __init__(
        self, enqueue: Enqueue, timeout: float | None, on_timeout: Callable[[str], None], threads: int | None = None
    ) -> None:
        self._enqueue = enqueue
        self._timeout = timeout
        self._on_timeout = on_timeout
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="function")

    async def run(self, function: Function, data: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        """Invoke `function`; its queue messages are put in one transaction after it succeeded.

        Returns the encoded answer of an HTTP function, else None. Raises InvocationFailed.
        """
        task = asyncio.ensure_future(self._run(function, data, metadata))
        await asyncio.wait({task})
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("function %s failed: %s", function.name, _one_line(error))
            raise InvocationFailed(f"{type(error).__name__}: {error}") from error
        return task.result()

    async def _run(self, function: Function, data: Datum, metadata: Mapping[str, Datum]) -> Datum | None:
        outputs = {name: Given() for name in function.outputs}
        arguments: dict[str, Any] = {
            str(function.trigger["name"]): get_binding_registry()
            .get(function.kind)
            .decode(data, trigger_metadata=metadata),
            **outputs,
        }
        if function.wants_context:
            arguments["context"] = Context(function.name)
        returned = await self._called(function, arguments)
        answer = _answer(function, returned)
        messages = [
            (function.outputs[name], text) for name, output in outputs.items() for text in _messages(output.get())
        ]
        if messages:
            await self._enqueue(messages)
        return answer

    async def _called(self, function: Function, arguments: Mapping[str, Any]) -> Any:
        loop = asyncio.get_running_loop()
        # Like the real host: a function that overruns ends the whole process, not just itself.
        guard = loop.call_later(self._timeout, self._on_timeout, function.name) if self._timeout else None
        try:
            if inspect.iscoroutinefunction(function.call):
                return await function.call(**arguments)
            run = partial(contextvars.copy_context().run, partial(function.call, **arguments))
            return await loop.run_in_executor(self._pool, run)
        finally:
            if guard:
                guard.cancel()


def _answer(function: Function, returned: Any) -> Datum | None:
    if function.kind == "httpTrigger":
        return None if returned is None else get_binding_registry().get("http").encode(returned, expected_type=None)
    if returned is not None:
        raise RuntimeError(f"function {function.name} without a $return binding returned a non-None value")
    return None


def _messages(value: Any) -> Sequence[str]:
    """The texts of the queue messages that an output value stands for."""
    if value is None:
        return []
    datum = get_binding_registry().get("queue").encode(value, expected_type=None)
    if datum.type == "bytes":
        return [datum.value.decode("utf-8")]
    if datum.type == "string":
        return [datum.value]
    content = json.loads(datum.value)
    items = content if isinstance(content, list) else [content]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _one_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return redacted(" ".join(f"{type(error).__name__}: {error}".split())) + where
