"""The files that pages need, under names that change with their content, so that a browser keeps them for good."""

import hashlib
from functools import cache
from pathlib import Path

from shared.answers import Answer, Kind

FOLDER = Path(__file__).parents[1] / "templates" / "assets"
KINDS: dict[str, Kind] = {".css": "text/css"}
FOR_GOOD = {"Cache-Control": "public, max-age=31536000, immutable"}


def address(name: str) -> str:
    """Return the address of a file that pages need."""
    return f"/api/pages/assets/{_digest(name)}/{name}"


def asset(path: str) -> Answer:
    """Return a file by what follows `assets/` in its address; 404 for any other path, and for another content."""
    digest, _, name = path.partition("/")
    # Only names that are listed are read: nothing of a path reaches the file system.
    if name not in _names() or digest != _digest(name):
        return Answer(404, {"error": "there is no such file; open the page again"})
    return Answer(body=(FOLDER / name).read_bytes(), kind=KINDS[Path(name).suffix], also=FOR_GOOD)


@cache
def _names() -> frozenset[str]:
    return frozenset(each.name for each in FOLDER.iterdir() if each.suffix in KINDS)


@cache
def _digest(name: str) -> str:
    return hashlib.sha256((FOLDER / name).read_bytes()).hexdigest()[:12]
