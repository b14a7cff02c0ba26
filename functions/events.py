"""HTTP: what came in, and what became of it; take something in once more."""

import typing

import azure.functions as func

from shared import reports, wiring
from shared.control import Answer
from shared.sources import dead_letters, identity, people

bp = func.Blueprint()


# Function level: what came in names repositories, people and monitors.
@bp.route(route="events/{*path}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def events(req: func.HttpRequest, orders: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    """Somebody asks what came in and what became of it, or lets it come in again."""
    answer = await wiring.answered(_replay(req) if req.method == "POST" else _show(req), keyed=True, function="events")
    orders.set(answer.messages())
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _replay(req: func.HttpRequest) -> Answer:
    asked = people.replay_request(req.route_params.get("path", ""), req.headers, req.get_body())
    wired = wiring.wired()
    who = identity.sender(req.headers, req.params, wired.settings, wired.control.outside.clock())
    return await wired.control.replay(identity.behind(asked, who), dead_letters.told)


async def _show(req: func.HttpRequest) -> Answer:
    most = people.most(req.params)
    known = await wiring.control().reading.came_in(req.route_params.get("path", "").strip("/"), most)
    return Answer(body=reports.came_in(known))
