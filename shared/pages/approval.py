"""The page that asks one person, and the answers to what they decide."""

from collections.abc import Mapping
from typing import Any

from msgspec.structs import replace

from shared.answers import HTML, Answer
from shared.pages.rendering import render

NOT_DONE = "This was not done.", "Nothing was changed. Go back, or open the link in your mail again."
NOBODY: dict[str, Any] = {"lacking": 0, "groups": [], "delegates": [], "refused": {}}
HEADINGS = {
    401: ("Who are you?", "Open the link in the mail that asked you. It is yours alone, and looking decides nothing."),
    404: ("There is nothing here.", "It may be of a project that you do not approve for."),
    500: ("Something broke.", "It is logged. Try the same again."),
    503: ("Not now.", "Nothing was changed. Try the same again in a minute."),
}


def deciding(headers: Mapping[str, str], answer: Answer) -> Answer:
    """Return the answer to a decision: as a page for a browser, as JSON for a program."""
    if not wants_page(headers):
        return answer
    return replace(answer, body=render("decided.html", told=answer.body), kind=HTML)


def refusing(headers: Mapping[str, str], answer: Answer) -> Answer:
    """Return an answer that says no: as a page for a browser; every other answer stays as it is."""
    if answer.status < 400 or answer.kind == HTML or not wants_page(headers):
        return answer
    heading, advice = HEADINGS.get(answer.status, NOT_DONE)
    return replace(answer, body=render("refused.html", told=answer.body, heading=heading, advice=advice), kind=HTML)


def wants_page(headers: Mapping[str, str]) -> bool:
    """Say whether a browser asks, which shows a page; a program gets JSON."""
    return "text/html" in headers.get("accept", "")


def approval(asked: dict[str, Any], viewer: str, form: str) -> str:
    """Return the page that asks one approver; `asked` is `reports.question`, with what browsing knows beside it.

    `form` is the secret of the form in which they decide; without one they only read, and `why_not` says why.
    """
    asked = {"changed": None, "agree": NOBODY, "newer": "", "why_not": ""} | asked
    return render("approval.html", asked=asked, viewer=viewer, form=form, interval=interval(asked["evaluate"]))


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
