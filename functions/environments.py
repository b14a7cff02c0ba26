"""HTTP: what is live; roll back, hold, lift."""

import typing

import azure.functions as func

from shared import reports, wiring
from shared.control import Answer
from shared.sources import identity, people

bp = func.Blueprint()


# Function level: whoever may change production without an approval has a key of their own.
@bp.route(route="environments/{*path}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def environments(req: func.HttpRequest, orders: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    """Somebody asks what is live, or changes it."""
    answer = await wiring.answered(
        _govern(req) if req.method == "POST" else _show(req), keyed=True, function="environments"
    )
    orders.set(answer.messages())
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _govern(req: func.HttpRequest) -> Answer:
    project, _, environment = req.route_params.get("path", "").strip("/").partition("/")
    wired = wiring.wired()
    who = identity.sender(req.headers, req.params, wired.settings, wired.control.outside.clock())
    asked = people.environment_request(project, environment, req.headers, req.get_body())
    return await wired.control.take_in([identity.behind(asked, who)])


async def _show(req: func.HttpRequest) -> Answer:
    known = await wiring.control().reading.environments(req.route_params.get("path", "").strip("/"))
    return Answer(body=reports.environments(known))
