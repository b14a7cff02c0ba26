"""HTTP: the approval policy of a project; put a changed one in force."""

import azure.functions as func

from shared import wiring
from shared.control import Answer
from shared.sources import identity, people

bp = func.Blueprint()


# Function level, and whoever changes the rules proves who they are besides.
@bp.route(route="policies/{project}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
async def policies(req: func.HttpRequest) -> func.HttpResponse:
    """Somebody asks who may approve, or accepts a change of that."""
    answer = await wiring.answered(
        _accept(req) if req.method == "POST" else _show(req), keyed=True, function="policies"
    )
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _accept(req: func.HttpRequest) -> Answer:
    wired = wiring.wired()
    who = identity.sender(req.headers, req.params, wired.settings, wired.control.outside.clock())
    asked = people.policy_request(req.route_params["project"], req.headers, req.get_body())
    return await wired.control.take_in([identity.behind(asked, who)])


async def _show(req: func.HttpRequest) -> Answer:
    return Answer(body=(await wiring.control().ruling.show(req.route_params["project"])).plain())
