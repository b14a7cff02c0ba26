"""Where the stable address of each environment leads: one small file each, read by the router."""

from pathlib import Path

import msgspec
from msgspec import Struct

from shared.backends.local.durable import locked, write_durably
from shared.backends.local.workspace import NAME
from shared.errors import StepFailed


class Route(Struct, frozen=True):
    """The slot that is live; `url` without a path."""

    slot: str
    url: str
    generation: int
    release: str


def write_route(state: Path, project: str, environment: str, route: Route) -> None:
    """Let the stable address lead to `route`; an older generation than the present one changes nothing."""
    path = _path(state, project, environment)
    with locked(path.with_suffix(".lock")):
        present = _read(path)
        if present is None or present.generation <= route.generation:
            write_durably(path, msgspec.json.encode(route))


def move_routes(state: Path, slot: str, url: str) -> None:
    """Put the new address of a slot into every route that leads to it."""
    for path in sorted((state / "routes").glob("*/*.json")):
        with locked(path.with_suffix(".lock")):
            present = _read(path)
            if present is not None and present.slot == slot and present.url != url:
                write_durably(path, msgspec.json.encode(msgspec.structs.replace(present, url=url)))


def _path(state: Path, project: str, environment: str) -> Path:
    if not (NAME.fullmatch(project) and NAME.fullmatch(environment)):
        raise StepFailed(f"{project}/{environment} is not the name of an environment", "use letters, digits and dashes")
    return state / "routes" / project / f"{environment}.json"


def _read(path: Path) -> Route | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Route)
    except FileNotFoundError:
        return None
