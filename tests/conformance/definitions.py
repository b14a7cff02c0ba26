"""Function apps that are good, and those that are refused when they are indexed; each is the end of a function_app.py.

Left out is what the .NET host decides and no worker can: reserved and equal routes, schedules, settings in bindings.
"""

HEAD = "import functools\nimport typing\n\nimport azure.functions as func\n"
APP = f"{HEAD}\napp = func.FunctionApp()\n"

HTTP, TIMER = "@app.route(route='x')\n", "@app.timer_trigger(arg_name='timer', schedule='0 * * * * *')\n"
EVENT = "@app.event_grid_trigger(arg_name='event')\n"
QUEUE = "@app.queue_trigger(arg_name='msg', queue_name='q', connection='c')\n"
OUT = "@app.queue_output(arg_name='out', queue_name='o', connection='c')\n"
RETURNED = "@app.queue_output(arg_name='$return', queue_name='o', connection='c')\n"
BODY = "    return func.HttpResponse('')\n"
NOTHING = "    pass\n"


def http(signature: str, body: str = BODY, also: str = "") -> str:
    return f"{APP}{HTTP}{also}{signature}:\n{body}"


def triggered(trigger: str, signature: str, also: str = "") -> str:
    return f"{APP}{trigger}{also}{signature}:\n{NOTHING}"


GOOD = {
    "async HTTP function": http("async def f(req: func.HttpRequest) -> func.HttpResponse"),
    "sync HTTP function that returns str": http("def f(req: func.HttpRequest) -> str", "    return ''\n"),
    "HTTP function without annotations": http("def f(req)"),
    "HTTP request annotated str": http("def f(req: str)"),
    "bound parameter with a default": http("def f(req: func.HttpRequest = None)"),
    "bound parameter by keyword only": http("def f(*, req: func.HttpRequest)"),
    "annotations from the future": "from __future__ import annotations\n" + http("def f(req: func.HttpRequest) -> str"),
    "annotation as text": http("def f(req: 'func.HttpRequest') -> 'func.HttpResponse'"),
    "methods, level and a name of its own": (
        f"{APP}@app.function_name('other')\n@app.route(route='y/{{a}}', methods=['GET', 'PUT'],"
        f" auth_level=func.AuthLevel.ADMIN)\nasync def f(req: func.HttpRequest):\n{BODY}"
    ),
    "function made by a factory": (
        f"{APP}def made():\n    async def f(req: func.HttpRequest) -> str:\n        return ''\n    return f\n"
        "app.route(route='x')(made())\n"
    ),
    "decorator with functools.wraps": (
        f"{APP}def logged(call):\n    @functools.wraps(call)\n    async def inner(*args, **kwargs):\n"
        f"        return await call(*args, **kwargs)\n    return inner\n\n{HTTP}@logged\n"
        f"async def f(req: func.HttpRequest) -> func.HttpResponse:\n{BODY}"
    ),
    "blueprint that was registered": (
        f"{HEAD}bp = func.Blueprint()\n@bp.route(route='x')\nasync def f(req: func.HttpRequest):\n{BODY}\n"
        "app = func.FunctionApp()\napp.register_functions(bp)\n"
    ),
    "output of str": http("def f(req: func.HttpRequest, out: func.Out[str])", also=OUT),
    "output of typing.List[str]": http("def f(req: func.HttpRequest, out: func.Out[typing.List[str]])", also=OUT),
    "output of typing.Iterable[str]": http("def f(req, out: func.Out[typing.Iterable[str]])", also=OUT),
    "output of bytes": http("def f(req: func.HttpRequest, out: func.Out[bytes])", also=OUT),
    "output of typing.Dict": http("def f(req: func.HttpRequest, out: func.Out[typing.Dict[str, str]])", also=OUT),
    "output of QueueMessage": http("def f(req: func.HttpRequest, out: func.Out[func.QueueMessage])", also=OUT),
    "output without an annotation": http("def f(req: func.HttpRequest, out)", also=OUT),
    "output as the return value": triggered(TIMER, "def f(timer: func.TimerRequest) -> str", RETURNED),
    "event as EventGridEvent": triggered(EVENT, "async def f(event: func.EventGridEvent) -> None"),
    "event as CloudEvent": triggered(EVENT, "async def f(event: func.CloudEvent)"),
    "event as str": triggered(EVENT, "async def f(event: str)"),
    "event function that says it returns a value": triggered(EVENT, "def f(event: func.EventGridEvent) -> str"),
    "message as QueueMessage": triggered(QUEUE, "def f(msg: func.QueueMessage)"),
    "message as bytes": triggered(QUEUE, "def f(msg: bytes)"),
    "timer": triggered(TIMER, "def f(timer: func.TimerRequest)"),
    "timer with a retry policy": triggered(
        TIMER, "def f(timer: func.TimerRequest)",
        "@app.retry(strategy='fixed_delay', max_retry_count='3', delay_interval='00:00:01')\n",
    ),
    "context": http("def f(req: func.HttpRequest, context: func.Context)"),
    "context without an annotation": http("def f(req: func.HttpRequest, context)"),
    "a class of its own named Context": (
        f"{APP}class Context:\n    pass\n\n{HTTP}def f(req: func.HttpRequest, context: Context):\n{BODY}"
    ),
    "route as generic trigger and output": triggered(
        "@app.generic_trigger(arg_name='req', type='httpTrigger', route='g', auth_level='anonymous')\n"
        "@app.generic_output_binding(arg_name='$return', type='http')\n",
        "def f(req: func.HttpRequest) -> func.HttpResponse",
    ),
    "generic HTTP trigger without an output": triggered(
        "@app.generic_trigger(arg_name='req', type='httpTrigger', route='g')\n", "def f(req: func.HttpRequest)"
    ),
    "generic event trigger": triggered(
        "@app.generic_trigger(arg_name='event', type='eventGridTrigger')\n", "def f(event: func.CloudEvent)"
    ),
    "generic queue output": http(
        "def f(req: func.HttpRequest, out: func.Out[str])",
        also="@app.generic_output_binding(arg_name='out', type='queue', queue_name='o', connection='c')\n",
    ),
    "schedule instead of timer_trigger": triggered(
        "@app.schedule(arg_name='timer', schedule='0 * * * * *')\n", "def f(timer: func.TimerRequest)"
    ),
    "trigger below its outputs": f"{APP}{OUT}{QUEUE}def f(msg: func.QueueMessage, out: func.Out[str]):\n{NOTHING}",
    "two outputs": http(
        "def f(req: func.HttpRequest, out: func.Out[str], more: func.Out[bytes])",
        also=OUT + OUT.replace("'out'", "'more'"),
    ),
    "request bound to the name context": triggered(
        "@app.route(route='x', trigger_arg_name='context')\n", "def f(context: func.HttpRequest)"
    ),
    "async generator": http("async def f(req: func.HttpRequest)", "    yield ''\n"),
    "no function at all": APP,
}  # fmt: skip

REFUSED = {
    "unbound parameter": http("def f(req: func.HttpRequest, more)"),
    "unbound parameter with a default": http("def f(req: func.HttpRequest, more: int = 1)"),
    "**kwargs": http("def f(req: func.HttpRequest, **more)"),
    "*args": http("def f(req: func.HttpRequest, *more)"),
    "no parameter": http("def f()"),
    "parameter of another name": triggered(QUEUE, "def f(message: func.QueueMessage)"),
    "event as dict": triggered(EVENT, "def f(event: dict)"),
    "event as X | Y": triggered(EVENT, "def f(event: func.EventGridEvent | func.CloudEvent)"),
    "event as typing.Union": triggered(EVENT, "def f(event: typing.Union[func.EventGridEvent, func.CloudEvent])"),
    "list of events": triggered(EVENT, "def f(event: typing.List[func.EventGridEvent])"),
    "event as Any": triggered(EVENT, "def f(event: typing.Any)"),
    "message or None": triggered(QUEUE, "def f(msg: typing.Optional[func.QueueMessage])"),
    "message as dict": triggered(QUEUE, "def f(msg: dict)"),
    "timer as int": triggered(TIMER, "def f(timer: int)"),
    "HTTP request as EventGridEvent": http("def f(req: func.EventGridEvent)"),
    "annotated HTTP request": http("def f(req: typing.Annotated[func.HttpRequest, 'of a person'] | None)"),
    "HTTP function that returns dict": http("def f(req: func.HttpRequest) -> dict"),
    "HTTP function that returns None": http("def f(req: func.HttpRequest) -> None"),
    "HTTP function that returns bytes": http("def f(req: func.HttpRequest) -> bytes"),
    "HTTP function that returns an answer or None": http(
        "def f(req: func.HttpRequest) -> typing.Optional[func.HttpResponse]"
    ),
    "HTTP function that returns an output": http("def f(req: func.HttpRequest) -> func.Out[str]"),
    "output of list[str]": http("def f(req: func.HttpRequest, out: func.Out[list[str]])", also=OUT),
    "output of typing.Tuple[str, ...]": http(
        "def f(req: func.HttpRequest, out: func.Out[typing.Tuple[str, ...]])", also=OUT
    ),
    "output of list[str] or None": http("def f(req, out: func.Out[typing.Optional[typing.List[str]]])", also=OUT),
    "output of int": http("def f(req: func.HttpRequest, out: func.Out[int])", also=OUT),
    "output of nothing in particular": http("def f(req: func.HttpRequest, out: func.Out)", also=OUT),
    "output that is no Out": http("def f(req: func.HttpRequest, out: str)", also=OUT),
    "output that no parameter takes": http("def f(req: func.HttpRequest)", also=OUT),
    "input that is an Out": http("def f(req: func.Out[func.HttpRequest])"),
    "return value of list for a queue": triggered(TIMER, "def f(timer: func.TimerRequest) -> list", RETURNED),
    "context as int": http("def f(req: func.HttpRequest, context: int)"),
    "context or None": http("def f(req: func.HttpRequest, context: typing.Optional[func.Context])"),
    "annotation for type checkers only": (
        f"{APP}if typing.TYPE_CHECKING:\n    from azure.functions import HttpRequest\n"
        f"{HTTP}def f(req: 'HttpRequest'):\n{BODY}"
    ),
    "functools.partial": (
        f"{APP}def f(more, req: func.HttpRequest):\n{BODY}\napp.route(route='x')(functools.partial(f, 1))\n"
    ),
    "two function apps": http("def f(req: func.HttpRequest)") + "other = func.FunctionApp()\n",
    "two names for one function app": http("def f(req: func.HttpRequest)") + "other = app\n",
    "no function app": HEAD,
    "only a blueprint": f"{HEAD}bp = func.Blueprint()\n@bp.route(route='x')\ndef f(req: func.HttpRequest):\n{BODY}",
    "import of what is not installed": f"{APP}import nothing_of_that_name\n",
    "syntax error": f"{APP}def f(:\n",
    "exception at import": f"{APP}raise RuntimeError('at import')\n",
    "two functions of one name": http("def f(req: func.HttpRequest)") + f"{HTTP}def f(req: func.HttpRequest):\n{BODY}",
    "return value and trigger of one name": f"{APP}{QUEUE.replace('msg', '$return')}def f():\n{NOTHING}",
    "a method of a class": (
        f"{APP}class A:\n    @app.route(route='x')\n    def f(self, req: func.HttpRequest):\n        pass\n"
    ),
    "two triggers": f"{APP}{HTTP}{TIMER}def f(req: func.HttpRequest, timer: func.TimerRequest):\n{BODY}",
    "no trigger": f"{APP}{OUT}def f(out: func.Out[str]):\n{NOTHING}",
}  # fmt: skip
