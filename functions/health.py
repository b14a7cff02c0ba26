"""HTTP: what loaded, what did not and why, which settings are missing, what was last heard from whom."""

import json

import azure.functions as func

from shared import wiring
from shared.errors import SignalboxError

bp = func.Blueprint()
LOADED: list[str] = ["health"]
FAILED: dict[str, str] = {}


# Anonymous: a probe has no key, and nothing here tells the value of a setting.
@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Is the app whole?"""
    heard: dict[str, str] = {}
    settings: list[str] = []
    try:
        heard = dict(wiring.control().heard)
    except SignalboxError as error:
        settings = str(error).split("; ")
    status = "degraded" if FAILED or settings else "ok"
    body = {"status": status, "functions": LOADED, "failed": FAILED, "settings": settings, "heard": heard}
    return func.HttpResponse(json.dumps(body), status_code=200, mimetype="application/json")
