"""Calls one function with the converters of azure-functions and keeps what it gave."""

import asyncio
import inspect
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import azure.functions as func
from azure.functions.meta import Datum

from tools.local.context import Context, context_of
from tools.local.converters import decoded, encoded
from tools.local.index import Function
from tools.local.redact import redacted

log = logging.getLogger("host")
Enqueue = Callable[[Sequence[tuple[str, str]]], Awaitable[None]]


class InvocationFailed(Exception):
    """The function raised, or gave something that cannot be used."""


class Out(func.Out[Any]):
    """An output parameter: keeps the last value set."""

    def __init__(self) -> None:
        self._value: Any = None

    def set(self, val: Any) -> None:
        """Keep `val`."""
        self._value = val

    def get(self) -> Any:
        """The value last set, or None."""
        return self._value


@dataclass(frozen=True)
class Gave:
    """What an invocation gave: the encoded return value, and that of each output that was set."""

    returned: Datum | None
    outputs: Mapping[str, Datum]


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
        gave = await self.invoke(function, data, metadata)
        messages = [
            (function.outputs[name], text) for name, output in gave.outputs.items() for text in _messages(output)
        ]
        if function.returns == "queue" and gave.returned is not None:
            messages += [(function.return_queue, text) for text in _messages(gave.returned)]
        if messages:
            await self._enqueue(messages)
        return gave.returned if function.returns == "http" else None

    async def invoke(self, function: Function, data: Datum, metadata: Mapping[str, Datum]) -> Gave:
        """The worker's part of an invocation: decode, call, encode; raises what goes wrong."""
        outputs = {name: Out() for name in function.outputs}
        given = decoded(function.converters[function.parameter], data, metadata)
        arguments: dict[str, Any] = {function.parameter: given, **outputs}
        context = context_of(function.name, function.call)
        if function.wants_context:
            arguments["context"] = context
        returned = await self._called(function, arguments, context)
        if returned is not None and not function.returns:
            raise RuntimeError(f"function {function.name} returned a value, and nothing is bound to $return")
        values = {name: output.get() for name, output in outputs.items()}
        kept = {name: encoded(function.converters[name], value) for name, value in values.items() if value is not None}
        return Gave(encoded(function.returns, returned) if function.returns else None, kept)

    async def _called(self, function: Function, arguments: Mapping[str, Any], context: Context) -> Any:
        loop = asyncio.get_running_loop()
        # Like the real host: a function that overruns ends the whole process, not just itself.
        guard = loop.call_later(self._timeout, self._on_timeout, function.name) if self._timeout else None
        try:
            if inspect.iscoroutinefunction(function.call):
                context.thread_local_storage.invocation_id = context.invocation_id
                return await function.call(**arguments)
            return await loop.run_in_executor(self._pool, partial(_in_a_thread, function.call, arguments, context))
        finally:
            if guard:
                guard.cancel()


def _in_a_thread(call: Callable[..., Any], arguments: Mapping[str, Any], context: Context) -> Any:
    context.thread_local_storage.invocation_id = context.invocation_id
    try:
        return call(**arguments)
    finally:
        context.thread_local_storage.invocation_id = None


def _messages(output: Datum) -> Sequence[str]:
    """The texts of the queue messages that an output stands for."""
    if output.type == "bytes":
        return [output.value.decode("utf-8")]
    if output.type != "json":
        return [str(output.value)]
    content = json.loads(output.value)
    items = content if isinstance(content, list) else [content]
    return [item if isinstance(item, str) else json.dumps(item) for item in items]


def _one_line(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return redacted(" ".join(f"{type(error).__name__}: {error}".split())) + where
