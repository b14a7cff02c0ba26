"""A function app with one function for everything the local host can do; what happens is written to a file."""

import asyncio
import json
import os
import typing

import azure.functions as func

GO = asyncio.Event()
app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)


def note(**what: typing.Any) -> None:
    with open(os.environ["NOTES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(what, default=str) + "\n")


@app.route(route="open/{name}/{count:int?}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def echo(req: func.HttpRequest, context: func.Context) -> func.HttpResponse:
    told = {
        "function": context.function_name,
        "method": req.method,
        "url": req.url,
        "headers": dict(req.headers),
        "params": dict(req.params),
        "route": dict(req.route_params),
        "body": req.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(told), mimetype="application/json", headers={"X-Seen": "yes"})


@app.route(route="open/special", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def special(req: func.HttpRequest) -> str:
    return "the exact route"


@app.route(route="files/{*rest}", auth_level=func.AuthLevel.ANONYMOUS)
def rest(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(req.route_params.get("rest", "nothing"), status_code=203)


@app.route(route="keyed", methods=["GET"])
async def keyed(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("function")


@app.route(route="for-admins", methods=["GET"], auth_level=func.AuthLevel.ADMIN)
async def admins(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("admin")


@app.route(route="fails", auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
async def fails(req: func.HttpRequest, out: func.Out[str]) -> func.HttpResponse:
    out.set("never seen")
    raise ValueError("asked with " + req.url)


@app.route(route="text", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
async def text(req: func.HttpRequest) -> str:
    return req.get_body().decode()


@app.route(route="nothing", auth_level=func.AuthLevel.ANONYMOUS)
async def nothing(req: func.HttpRequest):
    return None


@app.route(route="waits", auth_level=func.AuthLevel.ANONYMOUS)
async def waits(req: func.HttpRequest) -> str:
    note(function="waits")
    await GO.wait()
    return "went on"


@app.timer_trigger(arg_name="timer", schedule="0 0 5 1 1 *")
async def goes(timer: func.TimerRequest) -> None:
    GO.set()


@app.route(route="off", auth_level=func.AuthLevel.ANONYMOUS)
async def off(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("on")


@app.route(route="order", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@app.queue_output(arg_name="out", queue_name="work", connection="AzureWebJobsStorage")
async def order(req: func.HttpRequest, out: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    out.set(req.get_json())
    return func.HttpResponse(status_code=202)


@app.queue_trigger(arg_name="msg", queue_name="work", connection="AzureWebJobsStorage")
async def worker(msg: func.QueueMessage) -> None:
    body = msg.get_body().decode()
    note(function="worker", body=body, dequeue=msg.dequeue_count, pid=os.getpid())
    if body == "bad":
        raise RuntimeError("this message cannot be worked on")
    if body == "hang once" and msg.dequeue_count == 1:
        os.kill(os.getpid(), 9)


@app.queue_trigger(arg_name="msg", queue_name="work-poison", connection="AzureWebJobsStorage")
def undertaker(msg: func.QueueMessage) -> None:
    note(function="undertaker", body=msg.get_body().decode(), dequeue=msg.dequeue_count)


@app.event_grid_trigger(arg_name="event")
async def on_event(event: func.EventGridEvent) -> None:
    kind = "cloud" if isinstance(event, func.CloudEvent) else "grid"
    body = event.get_json()
    note(function="on_event", kind=kind, id=event.id, data=body)
    if isinstance(body, dict) and body.get("fail"):
        raise RuntimeError("this event cannot be handled")


@app.timer_trigger(arg_name="timer", schedule="0 0 3 1 1 *", run_on_startup=True)
async def yearly(timer: func.TimerRequest) -> None:
    note(function="yearly", past_due=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="0 0 4 1 1 *")
async def patrol(timer: func.TimerRequest) -> None:
    note(function="patrol", backend=os.environ.get("BACKEND", ""), bytecode=os.environ.get("PYTHONDONTWRITEBYTECODE"))
