"""HTTP: show what is asked (GET, decides nothing), decide (POST), by a named person with a signed expiring token."""

import typing

import azure.functions as func

from shared import browsing, pages, wiring
from shared.control import Answer
from shared.sources import people, visits

bp = func.Blueprint()


# Anonymous for the host: a function key names no person, the token in the link does.
@bp.route(route="approvals/{release}", methods=["GET", "POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def approve(req: func.HttpRequest, orders: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    """An approver reads the evidence, or decides."""
    work = _decide(req) if req.method == "POST" else _show(req)
    answer = pages.refusing(req.headers, await wiring.answered(work, function="approve"))
    orders.set(answer.messages())
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _show(req: func.HttpRequest) -> Answer:
    release = req.route_params["release"]
    visit = visits.Visit(f"approvals/{release}", req.params, req.headers)
    return await browsing.ask(wiring.control(), visit, release, wiring.wired().settings.signed_in)


async def _decide(req: func.HttpRequest) -> Answer:
    wired, release = wiring.wired(), req.route_params["release"]
    key, now = wired.settings.approval_key, int(wired.control.outside.clock().timestamp())
    proof = (req.params, req.headers, req.get_body(), wired.settings.signed_in)
    given = people.decision(key, now, release, *proof)
    return pages.deciding(req.headers, await wired.control.take_in([given]))
