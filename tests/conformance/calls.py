"""What the functions of called_app.py are invoked with: good and broken input, good and odd answers."""

import json
from typing import Any

Call = dict[str, Any]


def given(name: str, function: str, parameter: str, type_: str, value: Any, metadata: Any = None) -> Call:
    whole = {"type": type_, "value": value}
    return {"name": name, "function": function, "parameter": parameter, "input": whole, "metadata": metadata or {}}


def http(name: str, function: str, body: str = "", **query: str) -> Call:
    value = {
        "method": "POST", "url": "http://host/api/x?a=1&code=key", "headers": {"x-a": "1,2", "host": "host"},
        "query": query, "params": {"name": "ana b"}, "body": body,
    }  # fmt: skip
    return given(f"HTTP: {name}", function, "req", "http", value)


def event(name: str, body: Any, function: str = "on_event", type_: str = "json") -> Call:
    return given(f"event: {name}", function, "event", type_, body if isinstance(body, str) else json.dumps(body))


def message(name: str, body: str, function: str = "on_message", type_: str = "string", **metadata: Any) -> Call:
    datums = {key: {"type": "int" if isinstance(one, int) else "string", "value": one} for key, one in metadata.items()}
    return given(f"queue: {name}", function, "msg", type_, body, datums)


def timer(name: str, body: str, function: str = "on_time", type_: str = "json") -> Call:
    return given(f"timer: {name}", function, "timer", type_, body)


GRID = {
    "id": "1", "topic": "/t", "subject": "s", "eventType": "T", "eventTime": "2026-11-23T14:45:00.1234567Z",
    "data": {"a": [1, None]}, "dataVersion": "1.0", "metadataVersion": "1",
}  # fmt: skip
CLOUD = {
    "id": "1", "source": "/s", "type": "T", "specversion": "1.0", "time": "2026-11-23T14:45:00Z", "data": {"a": 1},
}  # fmt: skip
METADATA: dict[str, Any] = {
    "Id": "7", "DequeueCount": 2, "PopReceipt": "r", "InsertionTime": "2026-11-23T14:45:00+00:00",
    "ExpirationTime": "9999-12-31T23:59:59+00:00", "NextVisibleTime": "2026-11-23T14:55:00+00:00",
}  # fmt: skip
STATUS = {"IsPastDue": True, "ScheduleStatus": {"Last": "a", "Next": "b"}, "Schedule": {"AdjustForDST": True}}

HTTP = [
    http("a request and its answer", "echo", "body"),
    http("bytes that are no text", "echo", "\xff\x00"),
    http("an answer of text", "as_text", "hello"),
    http("an answer of JSON in text", "as_text", '{"body": 1}'),
    http("a body that is JSON", "as_json", '{"a": [1, null]}'),
    http("a body that is not JSON", "as_json", "{"),
    http("no body where JSON is read", "as_json"),
    *(
        http(f"returns {value}", "gives", value=value)
        for value in "none dict bytes int tuple list empty no-content bytes-body charset".split()
    ),
    http("cookies", "cookies"),
    http("an answer that is bound to nothing", "unbound", value="a"),
    http("no answer, and none bound", "unbound"),
    http("raises after setting an output", "raises"),
    http("raises in a thread", "raises_in_a_thread"),
    http("a request annotated str", "plain_request"),
    http("an async generator", "generator"),
    http("a sync wrapper around an async function", "sync_around_async"),
    http("the context of an async function", "context_of_async"),
    http("the context of a sync function", "context_of_sync"),
]
OUTPUTS = [
    http(f"{annotated} set to {value}", function, value=value)
    for annotated, function in (
        ("Out[List[str]]", "sets_list"), ("Out[str]", "sets_text"), ("Out without annotation", "sets_anything"),
    )
    for value in "none text list empty numbers bytes int float bool dict tuple set object message messages".split()
]  # fmt: skip
EVENTS = [
    event("Event Grid schema", GRID),
    event("CloudEvents schema", CLOUD),
    event("CloudEvents schema with attributes of its own", {**CLOUD, "trace": "x", "dataschema": "d"}),
    event("CloudEvents schema without data", {key: one for key, one in CLOUD.items() if key != "data"}),
    event("CloudEvents schema for a handler that knows only the other", CLOUD, "on_event_of_the_grid_only"),
    event("specVersion with a capital", {**{k: v for k, v in CLOUD.items() if k != "specversion"}, "specVersion": "1"}),
    event(
        "specVersion for a handler that reads the type", {"id": "1", "specVersion": "1"}, "on_event_of_the_grid_only"
    ),
    event("without a type", {"id": "1"}),
    event("empty", {}),
    event("a time that is none", {**GRID, "eventTime": "yesterday"}),
    event("a time without a zone", {**GRID, "eventTime": "2026-11-23T14:45:00"}),
    event("a number for a subject", {**GRID, "subject": 7}),
    event("data that is text", {**GRID, "data": "text"}),
    event("a list of events", [GRID]),
    event("a number", "7"),
    event("null", "null"),
    event("not JSON", "{"),
    event("in text instead of JSON", GRID, type_="string"),
    event("annotated str", GRID, "on_event_as_text"),
    event("a function that returns a value", GRID, "on_event_with_a_result"),
]
MESSAGES = [
    message("text with metadata", "hello", **METADATA),
    message("text without metadata", "hello"),
    message("bytes", "a\xff", type_="bytes", **METADATA),
    message("JSON data instead of text", "{}", type_="json"),
    message("a count that is text", "hello", **{**METADATA, "DequeueCount": "2"}),
    message("a count that is no number", "hello", **{**METADATA, "DequeueCount": "two"}),
    message("a time that is none", "hello", **{**METADATA, "InsertionTime": "yesterday"}),
    message("a body that is JSON", '{"a": 1}', "on_message_with_json"),
    message("a body that is not JSON", "{", "on_message_with_json"),
    message("annotated str", "hello", "on_message_as_text"),
    message("passed on as the return value", "hello", "on_message_passed_on"),
    message("nothing passed on as the return value", "", "on_message_passed_on"),
]
TIMERS = [
    timer("past due", json.dumps(STATUS)),
    timer("nothing known", "{}"),
    timer("not JSON", "{"),
    timer("a list", "[]"),
    timer("text instead of JSON", json.dumps(STATUS), type_="string"),
    timer("a function that returns a value", "{}", "on_time_with_a_result"),
]
CALLS = [*HTTP, *OUTPUTS, *EVENTS, *MESSAGES, *TIMERS]

# Without settings our own app must answer, not fail: who deploys it sees in health what is missing.
OF_OUR_APP = [
    given(
        "our app: health without settings", "health", "req", "http",
        {"method": "GET", "url": "http://h/api/health", "headers": {}, "query": {}, "params": {}, "body": ""},
    ),
    given(
        "our app: a push without settings", "on_push", "req", "http",
        {"method": "POST", "url": "http://h/api/push", "headers": {"x-github-event": "push"}, "query": {}, "params": {},
         "body": "{}"},
    ),
    given("our app: an event that is none", "on_model_registered", "event", "json", "{}"),
    given("our app: a step without settings", "on_step_due", "message", "string", "{}", {}),
]  # fmt: skip
