"""Templates: every text in them is escaped, and what a reader could not see in it is made visible."""

import unicodedata
from functools import cache
from pathlib import Path
from typing import Any

from shared.pages.assets import address

TEMPLATES = Path(__file__).parents[1] / "templates"
# What turns the direction of text, hides in it or moves the cursor: every control and format character.
HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Line ends and tabs are seen, and the joiners shape letters and emoji of living scripts.
SEEN = "\n\t\u200c\u200d"


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return str(_environment().get_template(template).render(**values))


def visible(value: Any) -> Any:
    """Return a text with every hidden character written as its number, so that nothing on a page pretends."""
    if type(value) is not str or value.isprintable():
        return value
    return "".join(_written(each) if _hides(each) else each for each in value)


def _hides(character: str) -> bool:
    return character not in SEEN and unicodedata.category(character) in HIDDEN


def _written(character: str) -> str:
    return f"[U+{ord(character):04X}]"


def short(digest: str) -> str:
    """Return the beginning of a digest or a commit, enough to recognise it."""
    return f"{digest[:19]}…" if digest.startswith("sha256:") else digest[:7]


def minute(at: str) -> str:
    """Return the time of a record to the minute."""
    return at[:16].replace("T", " ")


@cache
def _environment() -> Any:
    # Imported here because only a page needs it, and an import of the app must cost nothing.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(short=short, minute=minute)
    environment.globals.update(asset=address)
    return environment
