"""A commit was pushed, or an outside CI ended: the git host proves itself by a secret; all else is refused."""

import typing

import azure.functions as func

from shared import wiring
from shared.control import Answer
from shared.errors import NotTrusted
from shared.sources.push import proofs, read_push
from shared.sources.signatures import Secret

bp = func.Blueprint()


# Anonymous for the host: a git host has no function key, and the signature says who it is.
@bp.route(route="push", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def on_push(req: func.HttpRequest, orders: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    """A git host says that a branch moved, or what its CI found."""
    answer = await wiring.answered(_take(req), function="on_push")
    orders.set(answer.messages())
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _take(req: func.HttpRequest) -> Answer:
    wired = wiring.wired()
    secrets = [Secret(*each) for each in wired.settings.secrets]
    try:
        trusted, notices = read_push(req.headers, req.get_body(), secrets)
    except NotTrusted as error:
        wired.control.turn_away(str(error))
        raise
    return await wired.control.take_in(notices, proofs(trusted))
