"""HTTP: what can be asked over HTTP, made from the routes that loaded."""

import importlib
import json
from collections.abc import Iterator

import azure.functions as func
from azure.functions.decorators.function_app import FunctionBuilder

from functions import health
from shared.openapi import Route, document

bp = func.Blueprint()


# Anonymous: it tells no more than the source does, and names no project.
@bp.route(route="openapi.json", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
async def openapi(req: func.HttpRequest) -> func.HttpResponse:
    """A program asks what it may ask."""
    return func.HttpResponse(json.dumps(document(routes())), status_code=200, mimetype="application/json")


def routes() -> Iterator[Route]:
    """Yield the route of every HTTP function that loaded, as its decorators declare it."""
    for module in map(importlib.import_module, [f"functions.{name}" for name in health.LOADED]):
        for name, declared in vars(module).items():
            if isinstance(declared, FunctionBuilder):
                trigger = declared._function.get_trigger()
                binding = trigger.get_dict_repr() if trigger else {}
                if "route" in binding:
                    methods = tuple(str(getattr(each, "value", each)) for each in binding["methods"])
                    yield Route(
                        name, binding["route"], methods, str(binding["authLevel"]).lower().endswith("anonymous")
                    )
