"""Microsoft's worker as the judge: `python -m tests.conformance.by_worker`, on Python 3.13 in a venv of its own."""

import asyncio
import json
import logging
import os
from types import SimpleNamespace
from typing import Any

import azure.functions  # noqa: F401 - once, before the forks
import azure_functions_runtime as worker
from azure_functions_runtime.bindings.datumdef import Datum
from azure_functions_runtime.native_invocation import invocation_request_native

from tests.conformance.wire import datum, main, shown


class Message(SimpleNamespace):
    """Stands for a message of the host's protocol, whose classes the worker is given from outside."""


class Binding(Message):
    out, inout, undefined = 1, 2, 0


class Status(Message):
    Success, Failure = "success", "failure"


NAMES = "WorkerInitResponse WorkerMetadata RpcException RpcFunctionMetadata RpcRetryOptions FunctionMetadataResponse"
PROTOCOL = SimpleNamespace(BindingInfo=Binding, StatusResult=Status, **{name: Message for name in NAMES.split()})


def judge(folder: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    logging.disable(logging.CRITICAL)
    return asyncio.run(judged(folder, calls))


async def judged(folder: str, calls: list[dict[str, Any]]) -> dict[str, Any]:
    worker.start_threadpool_executor()
    init = SimpleNamespace(capabilities={}, function_app_directory=folder)
    properties = {"host": "127.0.0.1", "protos": PROTOCOL}
    begun = await worker.worker_init_request(
        SimpleNamespace(request=SimpleNamespace(worker_init_request=init), properties=properties)
    )
    if begun.result.status == Status.Failure:
        return {"refused": begun.result.exception.message}
    told = await worker.functions_metadata_request(None)
    indexed = told.function_metadata_results or []
    ids = {one.name: one.function_id for one in indexed}
    functions = {one.name: bindings(one.raw_bindings) for one in indexed}
    return {"functions": functions, "calls": {call["name"]: await called(ids, call) for call in calls}}


def bindings(raw: list[str]) -> list[dict[str, Any]]:
    """The bindings of one function, settings filled in as the host does."""
    return [json.loads(os.path.expandvars(one.replace("%%", "$"))) for one in raw]


async def called(ids: dict[str, str], call: dict[str, Any]) -> dict[str, Any]:
    inputs = [(call["parameter"], datum(call["input"], Datum))]
    metadata = {name: datum(one, Datum) for name, one in call["metadata"].items()}
    ok, returned, outputs, _, trace = await invocation_request_native(
        "invocation", ids[call["function"]], inputs, metadata
    )
    if not ok:
        return {"failed": as_over_the_wire(trace.rstrip().splitlines()[-1].partition(":")[0])}
    try:
        return {"returned": shown(returned), "outputs": {name: shown(one) for name, one in outputs}}
    except TypeError as error:  # the wire has no place for it: over protobuf the invocation fails here
        return {"failed": type(error).__name__}


def as_over_the_wire(error: str) -> str:
    """The error as the worker tells it over protobuf, where a missing conversion becomes a TypeError."""
    return "TypeError" if error == "NotImplementedError" else error


if __name__ == "__main__":
    main(judge)
