"""The table of all cases, as text for the terminal and as docs/conformance.md."""

import json
from collections.abc import Sequence
from typing import Any

from tests.conformance.interpreter import HOUSE, LOCK
from tests.conformance.verdicts import Case

PAGE = HOUSE / "docs/conformance.md"
_LONGEST = 60
BAR = "\\|"


def page(cases: Sequence[Case]) -> str:
    """What stands in docs/conformance.md."""
    apps = [one for one in cases if one.is_app]
    calls = [one for one in cases if not one.is_app]
    lines = [
        "# Conformance with Microsoft's worker",
        "",
        "The same function apps and the same invocations are judged by Microsoft's own worker and by our local host.",
        f"The worker is {_worker()} on Python 3.13, in a venv of its own that the test makes.",
        "`make conformance` runs both, prints the table, writes this page, and fails where they disagree.",
        "",
        "What the .NET host decides is no part of it: keys, routes, schedules, settings in bindings.",
        "",
        f"{len(apps)} function apps and {len(calls)} invocations; {summary(cases)}.",
        "",
        *_table("Function apps", apps),
        "",
        *_table("Invocations", calls),
    ]
    return "\n".join(lines) + "\n"


def summary(cases: Sequence[Case]) -> str:
    """How many agree, in words."""
    agree = sum(one.agree for one in cases)
    return f"in {agree} of {len(cases)} cases they agree"


def plain(cases: Sequence[Case]) -> str:
    """The table for a terminal."""
    rows = [(one.name[:56], brief(one.worker), brief(one.host), "yes" if one.agree else "NO") for one in cases]
    widths = (56, _LONGEST, _LONGEST, 3)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _table(title: str, cases: Sequence[Case]) -> list[str]:
    rows = [f"## {title}", "", "| case | worker | host | agree |", "|---|---|---|---|"]
    for one in cases:
        cells = [one.name, f"`{brief(one.worker)}`", f"`{brief(one.host)}`", "yes" if one.agree else "**no**"]
        rows.append(f"| {' | '.join(cell.replace('|', BAR) for cell in cells)} |")
    return rows


def brief(verdict: Any) -> str:
    """A verdict in one short line."""
    if verdict is None:
        return "not called"
    if "refused" in verdict:
        return "refused"
    if "failed" in verdict:
        return f"fails: {verdict['failed']}"
    if "functions" in verdict:
        return "taken"
    return _cut(" ".join(filter(None, [_returned(verdict["returned"]), _outputs(verdict["outputs"])])) or "succeeds")


def _returned(returned: Any) -> str:
    if returned is None:
        return ""
    if "status" in returned:
        return f"{returned['status']} {returned['headers'].get('content-type', '')} {returned['body']}".strip()
    return f"returns {json.dumps(returned)}"


def _outputs(outputs: Any) -> str:
    return f"outputs {json.dumps(outputs)}" if outputs else ""


def _cut(text: str) -> str:
    shown = "".join(one if one.isprintable() and one != "`" else "." for one in text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 3]}..."


def _worker() -> str:
    pinned = next(line for line in LOCK.read_text().splitlines() if line.startswith("azure-functions-runtime=="))
    return pinned.split()[0].replace("==", " ")
