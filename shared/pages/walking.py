"""The pages between which a person walks: the first page, releases, one release, events."""

from typing import Any

from shared.answers import HTML, Answer
from shared.pages.rendering import render


def page(name: str, viewer: str, **values: Any) -> Answer:
    """Return the page `name` for a person."""
    return Answer(body=render(f"{name}.html", viewer=viewer, here=name, **values), kind=HTML)
