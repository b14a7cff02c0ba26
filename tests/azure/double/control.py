"""The control plane: what a test asks the double itself, on plain http."""

from tests.azure.double.azure import Azure
from tests.azure.double.proxy import CONTROL
from tests.azure.double.wire import Answer, Request, route


@route("GET", "/requests", host=CONTROL)
def requests(azure: Azure, request: Request) -> Answer:
    """Return every request in order; `?after=n` leaves out the first n."""
    return Answer(body=[each.shown() for each in azure.requests[int(request.query.get("after", 0)) :]])


@route("GET", "/answers", host=CONTROL)
def answers(azure: Azure, request: Request) -> Answer:
    """Return every good answer that must fit a model of the SDK, with the model."""
    fitting = [each for each in azure.requests if each.shape]
    return Answer(body=[{"route": each.route, "shape": each.shape, "answer": each.answer} for each in fitting])


@route("GET", "/routes", host=CONTROL)
def routes(azure: Azure, request: Request) -> Answer:
    """Return the names of the routes that were asked."""
    return Answer(body=sorted({each.route for each in azure.requests if each.route}))


@route("GET", "/unrouted", host=CONTROL)
def unrouted(azure: Azure, request: Request) -> Answer:
    """Return what nobody could answer."""
    return Answer(body=azure.unrouted)


@route("DELETE", "/unrouted", host=CONTROL)
def forget_unrouted(azure: Azure, request: Request) -> Answer:
    """Forget what nobody could answer, once a test has said so."""
    azure.unrouted.clear()
    return Answer(204)


@route("POST", "/faults", host=CONTROL)
def plan_fault(azure: Azure, request: Request) -> Answer:
    """Plan a fault."""
    azure.faults.plan(request.json())
    return Answer(204)


@route("DELETE", "/faults", host=CONTROL)
def clear_faults(azure: Azure, request: Request) -> Answer:
    """Take every fault away."""
    azure.faults.clear()
    return Answer(204)


@route("GET", "/events", host=CONTROL)
def events(azure: Azure, request: Request) -> Answer:
    """Return every event that was raised, in order."""
    return Answer(body=azure.events.raised)


@route("POST", "/topic", host=CONTROL)
def publish_to(azure: Azure, request: Request) -> Answer:
    """Publish events to a topic, {"endpoint", "key"}, from now on: it may have started after this double."""
    told = request.json()
    azure.events.publish_to(told["endpoint"], told["key"])
    return Answer(204)


@route("POST", "/reset", host=CONTROL)
def reset(azure: Azure, request: Request) -> Answer:
    """Forget everything, as if the double had just started."""
    azure.reset()
    return Answer(204)
