"""Our host as the judge: `python -m tests.conformance.by_host`."""

import asyncio
import json
import logging
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from azure.functions.meta import Datum

from tests.conformance.wire import datum, main, shown
from tools.local.host import loaded
from tools.local.index import Function
from tools.local.invoke import Invoker


def judge(folder: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    logging.disable(logging.CRITICAL)
    functions, trouble = loaded(Path(folder))
    if trouble:
        return {"refused": trouble.rstrip().splitlines()[-1]}
    return asyncio.run(judged(functions, calls))


async def judged(functions: Sequence[Function], calls: list[dict[str, Any]]) -> dict[str, Any]:
    invoker, named = Invoker(nothing_is_queued, None, nothing_overruns), {one.name: one for one in functions}
    told = {call["name"]: await called(invoker, named[call["function"]], call) for call in calls}
    return {"functions": {one.name: bindings(one) for one in functions}, "calls": told}


def bindings(function: Function) -> list[dict[str, Any]]:
    """What the host knows of the bindings of a function."""
    queues = {**function.outputs, **({"$return": function.return_queue} if function.returns == "queue" else {})}
    outputs = [
        {"direction": "OUT", "type": "queue", "name": name, "queueName": queue} for name, queue in queues.items()
    ]
    if function.returns == "http":
        outputs.append({"direction": "OUT", "type": "http", "name": "$return"})
    return [json.loads(json.dumps(function.trigger)), *outputs]


async def called(invoker: Invoker, function: Function, call: dict[str, Any]) -> dict[str, Any]:
    metadata = {name: datum(one, Datum) for name, one in call["metadata"].items()}
    ended = await asyncio.gather(
        invoker.invoke(function, datum(call["input"], Datum), metadata), return_exceptions=True
    )
    if isinstance(ended[0], BaseException):
        return {"failed": traceback.format_exception_only(ended[0])[-1].partition(":")[0].strip()}
    outputs = {name: shown(one) for name, one in ended[0].outputs.items()}
    return {"returned": shown(ended[0].returned), "outputs": outputs}


async def nothing_is_queued(messages: Sequence[tuple[str, str]]) -> None:
    raise AssertionError(f"invoke() must not queue: {messages}")


def nothing_overruns(name: str) -> None:
    raise AssertionError(name)


if __name__ == "__main__":
    main(judge)
