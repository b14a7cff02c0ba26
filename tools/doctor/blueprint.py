"""One blueprint, loaded in a process of its own: `python -m tools.doctor.blueprint HOUSE NAME`.

Prints its functions as JSON, and what the host would refuse of each; an error at import ends it as it ends the app.
"""

import importlib
import json
import sys

import azure.functions as func

from tools.local.index import Function, NotIndexed, index


def main(house: str, name: str) -> None:
    """Load functions/NAME.py of a house and print what is in it."""
    sys.path.insert(0, house)
    module = importlib.import_module(f"functions.{name}")
    app = func.FunctionApp()
    app.register_functions(module.bp)
    print(json.dumps([looked_at(one) for one in app.get_functions()]))


def looked_at(declared: object) -> dict[str, object]:
    """Return a function as the host indexes it, or why it does not."""
    try:
        (one,) = index([declared])  # type: ignore[list-item]
    except NotIndexed as error:
        return {"refused": str(error)}
    return shown(one)


def shown(one: Function) -> dict[str, object]:
    """Return what matters of a function beside others."""
    route = one.route.text if one.route else ""
    shape = one.route.shape if one.route else ""
    return {"name": one.name, "kind": one.kind, "route": route, "shape": shape, "methods": sorted(one.methods)}


if __name__ == "__main__":
    main(*sys.argv[1:])
