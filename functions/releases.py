"""HTTP: open one on demand, cancel, resume, rerun, list, one release, its evidence, timeline and logs."""

import typing

import azure.functions as func

from shared import reports, wiring
from shared.control import Answer
from shared.sources import identity, people

bp = func.Blueprint()


# Function level: programs and the command line have a key, people decide by their own token elsewhere.
@bp.route(route="releases/{*path}", methods=["GET", "POST"], auth_level=func.AuthLevel.FUNCTION)
@bp.queue_output(arg_name="orders", queue_name="steps", connection="AzureWebJobsStorage")
async def releases(req: func.HttpRequest, orders: func.Out[typing.List[str]]) -> func.HttpResponse:  # noqa: UP006
    """Somebody asks about releases, opens one, or cancels one."""
    name, _, view = req.route_params.get("path", "").strip("/").partition("/")
    work = _ask(req, name, view) if req.method == "POST" else _show(req, name, view)
    answer = await wiring.answered(work, keyed=True, function="releases")
    orders.set(answer.messages())
    return func.HttpResponse(
        answer.content(), status_code=answer.status, headers=answer.headers(), mimetype=answer.kind
    )


async def _ask(req: func.HttpRequest, name: str, view: str) -> Answer:
    wired, body = wiring.wired(), req.get_body()
    who = identity.sender(req.headers, req.params, wired.settings, wired.control.outside.clock())
    if not name:
        return await wired.control.take_in([identity.behind(people.open_request(req.headers, body), who)])
    asked = people.about_release(view, name, req.headers, body)
    return await wired.control.take_in([identity.behind(asked, who)])


async def _show(req: func.HttpRequest, name: str, view: str) -> Answer:
    reading = wiring.control().reading
    if not name:
        return Answer(body=reports.releases(await reading.releases(req.params.get("project", ""))))
    if view == "evidence":
        return Answer(body=await reading.evidence(name))
    if view == "log":
        return Answer(body=await reading.log(name, req.params.get("step", "train")), kind="text/plain")
    return Answer(body=reports.release_view(await reading.release(name), view))
