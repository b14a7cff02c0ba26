"""What both judges speak: jobs as JSON in, verdicts as JSON out, every app in a process of its own.

A job is {name, folder, settings, calls}; a call is {name, function, input, metadata}.
An input is {type, value}, for HTTP the value is {method, url, headers, query, params, body}.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from typing import Any

Judge = Callable[[str, list[dict[str, Any]]], Mapping[str, Any]]


def datum(given: Mapping[str, Any], make: Callable[[Any, str], Any]) -> Any:
    """The worker's or the SDK's own Datum, as `make` builds it, of a call's input."""
    if given["type"] == "bytes":
        return make(given["value"].encode("latin-1"), "bytes")
    if given["type"] != "http":
        return make(given["value"], given["type"])
    value = given["value"]
    texts = {part: {name: make(one, "string") for name, one in value[part].items()} for part in _MAPS}
    plain = {part: make(value[part], "string") for part in ("method", "url")}
    return make({**plain, **texts, "body": make(value["body"].encode("latin-1"), "bytes")}, "http")


_MAPS = ("headers", "query", "params")


def shown(datum: Any) -> Any:
    """A Datum that came back, as JSON; what the wire has no type for is told as what it is sent as."""
    if datum is None or datum.type is None:
        return None
    if datum.type == "http":
        value = datum.value
        return {
            "status": value["status_code"].value,
            "headers": {name: one.value for name, one in value["headers"].items()},
            "cookies": [one.OutputString() for jar in value["cookies"] or () for one in jar.values()],
            "body": value["body"].value.decode("latin-1"),
        }
    if datum.type == "bytes":
        return {"bytes": datum.value.decode("latin-1")}
    if datum.type == "json":
        return {"json": json.loads(datum.value)}
    if datum.type in ("dict", "list"):
        return {"json": json.loads(json.dumps(datum.value))}
    return {datum.type: int(datum.value) if datum.type == "int" else datum.value}


def main(judge: Judge) -> None:
    """Judge the jobs on stdin, each in a child forked after the imports: what is indexed stays in the module."""
    verdicts = {job["name"]: _in_a_child(job, judge) for job in json.load(sys.stdin)}
    json.dump(verdicts, sys.stdout)


def _in_a_child(job: Mapping[str, Any], judge: Judge) -> Any:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        # What an app prints must not mix with the verdicts.
        os.dup2(2, 1)
        os.environ.update(job["settings"])
        sys.path.insert(0, job["folder"])
        with os.fdopen(writing, "w") as out:
            json.dump(judge(job["folder"], job["calls"]), out)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        text = told.read()
    _, status = os.waitpid(child, 0)
    if status:
        sys.exit(f"The judge of {job['name']!r} ended with {status}; see above.")
    return json.loads(text)
