"""The app whose functions are invoked: each gives back what it was given, or what nobody should give back."""

import json
import typing

import azure.functions as func

app = func.FunctionApp()


def told(**what: typing.Any) -> str:
    return json.dumps({name: [type(value).__name__, str(value)] for name, value in what.items()})


def queue_output(call: typing.Any) -> typing.Any:
    return app.queue_output(arg_name="out", queue_name="o", connection="c")(call)


def whole(req: func.HttpRequest) -> str:
    plain = {"method": req.method, "url": req.url, "body": req.get_body().decode("latin-1")}
    return json.dumps(
        {**plain, "headers": dict(req.headers), "params": dict(req.params), "route": dict(req.route_params)}
    )


@app.route(route="echo")
async def echo(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(whole(req), status_code=201, mimetype="application/json", headers={"X-Seen": "yes"})


@app.route(route="as_text")
def as_text(req: func.HttpRequest) -> str:
    return req.get_body().decode()


@app.route(route="as_json")
async def as_json(req: func.HttpRequest) -> str:
    return json.dumps(req.get_json())


@app.route(route="gives")
def gives(req: func.HttpRequest):
    """Give back a value that the test names."""
    values = {
        "none": None, "dict": {"a": 1}, "bytes": b"a", "int": 7, "tuple": ("a", 200), "list": ["a"],
        "empty": func.HttpResponse(), "no-content": func.HttpResponse(status_code=204),
        "bytes-body": func.HttpResponse(b"\xff\x00", mimetype="application/octet-stream"),
        "charset": func.HttpResponse("gr\u00fcn", charset="latin-1", mimetype="text/plain"),
    }  # fmt: skip
    return values[req.params["value"]]


@app.generic_trigger(arg_name="req", type="httpTrigger", route="unbound")
def unbound(req: func.HttpRequest):
    return req.params.get("value")


@app.route(route="cookies")
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    answer = func.HttpResponse("")
    answer.headers.add("Set-Cookie", "a=1; Path=/; HttpOnly")
    answer.headers.add("Set-Cookie", "b=2; Max-Age=60; SameSite=Lax")
    return answer


@app.route(route="raises")
@queue_output
async def raises(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set("never seen")
    raise LookupError("asked for it")


@app.route(route="raises_in_a_thread")
def raises_in_a_thread(req: func.HttpRequest) -> func.HttpResponse:
    raise LookupError("asked for it")


@app.route(route="plain_request")
def plain_request(req: str) -> str:
    return req


@app.route(route="generator")
async def generator(req: func.HttpRequest):
    yield "never awaited"


def logged(call: typing.Any) -> typing.Any:
    def inner(req: func.HttpRequest):
        return call(req)

    return inner


async def waits(req: func.HttpRequest) -> str:
    return "never awaited"


app.function_name("sync_around_async")(app.route(route="sync_around_async")(logged(waits)))


@app.route(route="context")
async def context_of_async(req: func.HttpRequest, context: func.Context) -> str:
    return about(context)


@app.route(route="context_in_a_thread")
def context_of_sync(req: func.HttpRequest, context: func.Context) -> str:
    return about(context)


KEPT: list[typing.Any] = []


def about(context: func.Context) -> str:
    KEPT.append(context.thread_local_storage)
    return told(
        one_storage=all(one is KEPT[0] for one in KEPT),
        name=context.function_name,
        folder=context.function_directory == __file__.rpartition("/")[0],
        stored=context.thread_local_storage.invocation_id == context.invocation_id,
        trace=context.trace_context.trace_parent,
        state=context.trace_context.trace_state,
        retry=context.retry_context.retry_count,
        most=context.retry_context.max_retry_count,
        real=isinstance(context, func.Context),
    )


SETS: dict[str, typing.Any] = {
    "none": None, "text": "a", "list": ["a", "b"], "empty": [], "numbers": [1], "bytes": b"a", "int": 7, "float": 0.5,
    "bool": True, "dict": {"a": 1}, "tuple": ("a", "b"), "set": {"a"}, "object": object(),
    "message": func.QueueMessage(id="1", body=b"a"),
    "messages": [func.QueueMessage(id="1", body=b"a"), "b"],
}  # fmt: skip


@app.route(route="sets_list")
@queue_output
async def sets_list(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> str:  # noqa: UP006
    out.set(SETS[req.params["value"]])
    return ""


@app.route(route="sets_text")
@queue_output
def sets_text(req: func.HttpRequest, out: func.Out[str]) -> str:
    out.set(SETS[req.params["value"]])
    return ""


@app.route(route="sets_anything")
@queue_output
def sets_anything(req: func.HttpRequest, out) -> str:
    out.set("first")
    out.set(SETS[req.params["value"]])
    return ""


@app.event_grid_trigger(arg_name="event")
@queue_output
async def on_event(event: func.EventGridEvent, out: func.Out[str]) -> None:
    data = event.get_json()
    names = (
        "id",
        "subject",
        "topic",
        "event_type",
        "event_time",
        "data_version",
        "source",
        "type",
        "specversion",
        "time",
    )
    out.set(told(kind=type(event).__name__, data=data, **{one: getattr(event, one, "absent") for one in names}))


@app.event_grid_trigger(arg_name="event")
async def on_event_of_the_grid_only(event: func.EventGridEvent) -> None:
    event.event_type.lower()


@app.event_grid_trigger(arg_name="event")
@queue_output
def on_event_as_text(event: str, out: func.Out[str]) -> None:
    out.set(event)


@app.event_grid_trigger(arg_name="event")
def on_event_with_a_result(event: func.EventGridEvent) -> str:
    return "nobody takes this"


@app.queue_trigger(arg_name="msg", queue_name="q", connection="c")
@queue_output
async def on_message(msg: func.QueueMessage, out: func.Out[str]) -> None:
    names = ("id", "dequeue_count", "insertion_time", "expiration_time", "time_next_visible", "pop_receipt")
    out.set(told(body=msg.get_body(), **{one: getattr(msg, one) for one in names}))


@app.queue_trigger(arg_name="msg", queue_name="q2", connection="c")
@queue_output
def on_message_with_json(msg: func.QueueMessage, out: func.Out[str]) -> None:
    out.set(told(content=msg.get_json()))


@app.queue_trigger(arg_name="msg", queue_name="q3", connection="c")
@queue_output
def on_message_as_text(msg: str, out: func.Out[str]) -> None:
    out.set(told(message=msg))


@app.queue_trigger(arg_name="msg", queue_name="q4", connection="c")
@app.queue_output(arg_name="$return", queue_name="o", connection="c")
def on_message_passed_on(msg: func.QueueMessage) -> str:
    text = msg.get_body().decode()
    return text or None  # type: ignore[return-value]


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
@queue_output
async def on_time(timer: func.TimerRequest, out: func.Out[str]) -> None:
    out.set(told(past_due=timer.past_due, status=timer.schedule_status, schedule=timer.schedule))


@app.timer_trigger(arg_name="timer", schedule="0 * * * * *")
def on_time_with_a_result(timer: func.TimerRequest) -> str:
    return "nobody takes this"
