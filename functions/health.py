"""HTTP: what loaded, what did not and why, which settings are missing, what was heard from whom, who hears nothing."""

import json
import logging

import azure.functions as func

from shared import reports, wiring
from shared.control import Answer, within
from shared.errors import Misconfigured, SignalboxError

bp = func.Blueprint()
log = logging.getLogger("signalbox")
LOADED: list[str] = ["health"]
FAILED: dict[str, str] = {}


# Anonymous: a probe has no key, and nothing here names a project or tells the value of a setting.
@bp.route(route="health", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def health(req: func.HttpRequest) -> func.HttpResponse:
    """Is the app whole?"""
    body: dict[str, object] = {"functions": LOADED, "failed": FAILED, "settings": [], "ledger": "", "heard": {}}
    try:
        wired = wiring.wired()
        body |= {"heard": dict(wired.control.heard), "turned_away": dict(wired.control.turned_away)}
        body |= {"proof": wired.control.proof}
        body |= (await within(wired.settings.http_seconds, _sources())).body
    except Misconfigured as error:
        log.error("function='health' error=%r", error)
        body["settings"] = error.shown.split("; ")
    except SignalboxError as error:
        body["ledger"] = str(error)
    broken = FAILED or body["settings"] or body["ledger"]
    body = {"status": "degraded" if broken else "amber" if body["amber"] else "ok"} | body
    return func.HttpResponse(json.dumps(body), status_code=200, mimetype="application/json")


async def _sources() -> Answer:
    control = wiring.control()
    sources = reports.sources(await control.reading.last_heard(), control.outside.clock())
    waits = {"untold": await control.outgoing.untold(), "policies_wait": await control.ruling.waiting()}
    waits |= await control.checkpointing.last()
    amber = bool(sources["silent"] or waits["untold"] or waits.get("checkpoint_late"))
    return Answer(body=sources | waits | {"amber": amber})
