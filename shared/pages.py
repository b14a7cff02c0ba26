"""Pages for people, rendered on the server; no script is needed to read or to decide."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from shared.answers import HTML, Answer

TEMPLATES = Path(__file__).parent / "templates"


def asking(headers: Mapping[str, str], asked: dict[str, Any], viewer: str, token: str) -> Answer:
    """Return what an approver is asked: as a page for a browser, as JSON for a program."""
    if not _wants_page(headers):
        return Answer(body=asked | {"viewer": viewer})
    return Answer(body=approval(asked, viewer, token), kind=HTML)


def deciding(headers: Mapping[str, str], answer: Answer) -> Answer:
    """Return the answer to a decision: as a page for a browser, as JSON for a program."""
    if not _wants_page(headers):
        return answer
    return replace(answer, body=_render("decided.html", told=answer.body), kind=HTML)


def refusing(headers: Mapping[str, str], answer: Answer) -> Answer:
    """Return an answer that says no: as a page for a browser; every other answer stays as it is."""
    if answer.status < 400 or not _wants_page(headers):
        return answer
    return replace(answer, body=_render("refused.html", told=answer.body), kind=HTML)


def _wants_page(headers: Mapping[str, str]) -> bool:
    return "text/html" in headers.get("accept", "")


def approval(asked: dict[str, Any], viewer: str, token: str) -> str:
    """Return the page that asks one approver; `asked` is `reports.question`."""
    return _render("approval.html", asked=asked, viewer=viewer, token=token, interval=interval(asked["evaluate"]))


def interval(evaluate: dict[str, Any]) -> dict[str, float] | None:
    """Return the 95 % interval of the gain as places from 0 to 100 on a line with no gain in it; None without one."""
    low, high, gain = evaluate["low"], evaluate["high"], evaluate["gain"]
    if low is None or high is None or gain is None:
        return None
    least, most = min(low, 0.0), max(high, 0.0)
    width = (most - least) * 1.2 or 1.0
    start = least - width / 12

    def place(value: float) -> float:
        return float(round(100 * (value - start) / width, 2))

    return {"low": place(low), "high": place(high), "gain": place(gain), "zero": place(0.0)}


def _render(name: str, **values: Any) -> str:
    return str(_environment().get_template(name).render(**values))


@cache
def _environment() -> Any:
    # Imported here because only a page needs it, and an import of the app must cost nothing.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined)
