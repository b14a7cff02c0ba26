"""HTTP: pages for people: what is live, what waits, every release, what came in."""

import azure.functions as func

from shared import browsing, wiring
from shared.control import Answer
from shared.sources import visits

bp = func.Blueprint()


# Anonymous for the host: a function key names no person, the link in the mail does.
@bp.route(route="pages/{*path}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def pages(req: func.HttpRequest) -> func.HttpResponse:
    """A person looks around."""
    answer = browsing.told(req.headers, await wiring.answered(_show(req), function="pages"))
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _show(req: func.HttpRequest) -> Answer:
    path = req.route_params.get("path", "").strip("/")
    visit = visits.Visit(f"pages/{path}".strip("/"), req.params, req.headers)
    return await browsing.walk(wiring.control(), visit, wiring.wired().settings.signed_in)
