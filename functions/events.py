"""HTTP: what came in, and what became of it."""

import azure.functions as func

from shared import reports, wiring
from shared.control import Answer
from shared.sources import people

bp = func.Blueprint()


# Function level: what came in names repositories, people and monitors.
@bp.route(route="events/{project?}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
async def events(req: func.HttpRequest) -> func.HttpResponse:
    """Somebody asks what came in, and why it trained something or not."""
    answer = await wiring.answered(_show(req), function="events")
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _show(req: func.HttpRequest) -> Answer:
    most = people.most(req.params)
    known = await wiring.control().reading.came_in(req.route_params.get("project", ""), most)
    return Answer(body=reports.came_in(known))
