"""What people read of the code, written by the code.

`python -m tools.docs` writes between the markers of README.md the picture and table of the line and the table of
functions, and the whole of docs/settings.md and local.settings.sample.json; or it writes only the page that is named.
`--check` fails instead when what stands there is not what the code says.
"""

import difflib
import inspect
import itertools
import sys
from pathlib import Path
from typing import Any

from shared.release.line import LINE
from tools import settings
from tools.local.subscriptions import DEFAULT

HOUSE = Path(__file__).resolve().parents[1]
README = HOUSE / "README.md"


def picture() -> str:
    """Return the line as a Mermaid flowchart; a dotted arrow leads to where a new round begins."""
    again = [step.name for step in LINE if step.again]
    names = [step.name for step in LINE]
    rows = ["```mermaid", "flowchart LR", '  asked(["git push, new data, drift, a person"]) --> ' + names[0]]
    rows += [f"  {one} --> {following}" for one, following in itertools.pairwise(names)]
    rows += [f'  {names[-1]} --> live(["live"])', '  evaluate -- "not better" --> kept(["production stays"])']
    rows += [f"  {one} -. production changed .-> {again[0]}" for one in again[1:]]
    return "\n".join([*rows, "```"])


def steps() -> str:
    """Return the table of the line: step, what it does, what ends it."""
    rows = ["| step | what it does | ends by |", "|---|---|---|"]
    rows += [f"| {step.name} | {step.does} | {', '.join(step.waits_for)} |" for step in LINE]
    return "\n".join(rows)


def functions() -> str:
    """Return the table of functions, from their bindings as the Functions host reads them."""
    from function_app import app

    rows = ["| function | what starts it | who may | when |", "|---|---|---|---|"]
    rows += [f"| `{one.get_function_name()}` | {' | '.join(described(one))} |" for one in app.get_functions()]
    return "\n".join(rows)


def described(function: Any) -> tuple[str, str, str]:
    """Return what triggers a function, at which auth level, and the first line of its docstring."""
    trigger = function.get_trigger().get_dict_repr()
    about = (inspect.getdoc(function.get_user_function()) or "").splitlines()[0]
    match trigger["type"]:
        case "httpTrigger":
            methods = ", ".join(str(getattr(method, "value", method)) for method in trigger["methods"])
            level = str(getattr(trigger["authLevel"], "value", trigger["authLevel"])).lower()
            return f"{methods} `/api/{trigger['route']}`", level, about
        case "eventGridTrigger":
            name = function.get_function_name()
            types = [kind.rpartition(".")[2] for one in DEFAULT if one.function == name for kind in one.types]
            return f"Event Grid: {', '.join(types)}", "system key", about
        case "queueTrigger":
            return f"queue `{trigger['queueName']}`", "", about
        case "timerTrigger":
            return f"timer `{trigger['schedule']}`", "", about
        case other:
            return str(other), "", about


def filled(text: str) -> str:
    """Return the text with what stands between each pair of markers made anew."""
    for name, made in (("picture", picture()), ("steps", steps()), ("functions", functions())):
        start, end = f"<!-- {name}: written by tools/docs.py -->", f"<!-- end of {name} -->"
        before, found, rest = text.partition(start)
        _, ended, after = rest.partition(end)
        if not (found and ended):
            raise SystemExit(f"{README.name} has no place for {name}: put {start} and {end} into it.")
        text = f"{before}{start}\n{made}\n{end}{after}"
    return text


def wanted(page: Path | None) -> dict[Path, str]:
    """Return what each page should hold: the given one, or all."""
    if page is not None:
        return {page: filled(page.read_text())}
    whole = {HOUSE / "docs/settings.md": settings.page(), HOUSE / "local.settings.sample.json": settings.sample()}
    return {README: filled(README.read_text())} | whole


def main(arguments: list[str]) -> int:
    """Write, or with --check compare; 1 when they differ."""
    pages = wanted(next((Path(given) for given in arguments if given != "--check"), None))
    if "--check" not in arguments:
        for page, text in pages.items():
            page.write_text(text)
        return 0
    stale = [page.name for page, text in pages.items() if differs(page, text)]
    if stale:
        print(f"{', '.join(stale)}: not in step with the code: .venv/bin/python -m tools.docs")
    return int(bool(stale))


def differs(page: Path, text: str) -> bool:
    """Print how a page differs from what the code says, and say whether it does."""
    stands = page.read_text() if page.exists() else ""
    rows = list(difflib.unified_diff(stands.splitlines(), text.splitlines(), page.name, "the code", lineterm=""))
    for row in rows:
        print(row)
    return bool(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
