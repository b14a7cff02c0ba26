"""What pages show, derived from what was read: the first page, the lists, and what a release would change."""

from typing import Any

from shared import reports, words
from shared.release import facts, ids, line
from shared.release.known import Agreement, Before, CameInRow, KnownProject, Seen
from shared.release.state import State

MOST = 12
"""Names that are listed before the rest is counted."""


def home(known: list[KnownProject]) -> list[dict[str, Any]]:
    """Return one row for each project: what is where, what waits, what is under way."""
    return [_project(each) for each in known]


def _project(known: KnownProject) -> dict[str, Any]:
    staging, production = reports.environments(known.environments)["environments"]
    return {
        "project": known.name,
        "staging": staging["live"],
        "production": production["live"],
        "held": production["held"],
        "rules_wait": production.get("rules_wait", False),
        "glass": [{"release": each, "alias": ids.alias(each)} for each in production.get("glass", ())],
        "waiting": [each for each in production["waiting"] if each["approvers"]],
        "open": [_under_way(each.state) for each in known.newest],
        "more": known.open - len(known.newest),
    }


def _under_way(state: State) -> dict[str, Any]:
    opened = state.release
    standing = line.standing(state) or line.NAMES[-1]
    told = next((row for row in reports.release(state, "")["steps"] if row["step"] == standing), None)
    return {
        "release": opened.release,
        "alias": ids.alias(opened.release),
        "number": opened.number,
        "commit": opened.commit,
        "cause": opened.cause,
        "standing": standing,
        "state": told["state"] if told else "",
        "sentence": told["sentence"] if told else "",
    }


def numbered(seen: Seen[tuple[str, facts.ReleaseNumbered, str]]) -> dict[str, Any]:
    """Return a page of the list of releases."""
    rows = [
        {
            "project": name,
            "release": each.release,
            "alias": ids.alias(each.release),
            "number": each.number,
            "commit": each.commit,
            "cause": each.cause,
            "by": each.by,
            "reason": each.reason,
            "at": words.moment(each.at) if each.at else "",
            "state": how or "open",
        }
        for name, each, how in seen.rows
    ]
    return {"rows": rows, **_place(seen)}


def came_in(seen: Seen[CameInRow]) -> dict[str, Any]:
    """Return a page of what came in."""
    return {"rows": reports.came_in(seen.rows)["events"], **_place(seen)}


def _place(seen: Seen[Any]) -> dict[str, int | None]:
    newer = min(seen.count, seen.end + (seen.end - seen.start)) if seen.end < seen.count else None
    return {
        "count": seen.count,
        "first": seen.start + 1,
        "last": seen.end,
        "older": seen.start or None,
        "newer": newer,
    }


def agreement(known: Agreement) -> dict[str, Any]:
    """Return what is lacking, who answers for whom, and what somebody who looks may not decide."""
    rules = known.rules
    return {
        "lacking": known.verdict.lacking,
        "groups": list(known.verdict.groups),
        "delegates": [
            {"to": each.to, "giver": each.giver, "until": each.until.isoformat()} for each in rules.delegations
        ],
        "refused": dict(known.refused),
    }


def changed(evidence: dict[str, Any], before: Before) -> dict[str, Any]:
    """Return what differs between what is asked about and what it would replace, as people compare them."""
    old = before.old
    checked = line.known(old, "check", facts.Checked) if old and "check" in old.release.line else None
    return {
        "against": f"v{evidence['replaces']['version']}" if evidence["replaces"] else "",
        "old_commit": {"id": old.release.commit, "message": old.code.message if old.code else ""} if old else None,
        "same_commit": bool(old) and old.release.commit == evidence["commit"]["id"] if old else False,
        "pushes": [{"commit": each.commit, "by": each.by, "release": each.release} for each in before.between],
        "data": _data(evidence["data"], old, checked),
        "dependencies": _lines(before.old_requirements, before.requirements) if old else None,
        "environment": bool(checked) and checked.environment != evidence["check"]["environment"] if checked else False,
    }


def _data(data: dict[str, Any], old: State | None, checked: facts.Checked | None) -> dict[str, Any] | None:
    if old is None:
        return None
    were = {(blob.container, blob.name): blob.etag for blob in old.release.blobs}
    are = {(blob["container"], blob["name"]): blob["etag"] for blob in data["blobs"]}
    names = {
        "came": [name for _, name in sorted(are.keys() - were.keys())],
        "went": [name for _, name in sorted(were.keys() - are.keys())],
        "rewritten": [name for _, name in sorted(key for key in are.keys() & were.keys() if are[key] != were[key])],
    }
    columns, before = list(data["columns"]), list(checked.columns) if checked else []
    return {
        "same": old.release.data == data["version"],
        "rows": checked.rows if checked else None,
        "new_columns": [name for name in columns if checked and name not in before],
        "lost_columns": [name for name in before if name not in columns],
        "blobs": [(what, found[:MOST], len(found) - MOST) for what, found in names.items() if found],
    }


def _lines(before: str, now: str) -> list[str]:
    """Return the lines of a list of requirements that differ, with a sign before each."""
    were, are = _meant(before), _meant(now)
    return [f"- {each}" for each in sorted(were - are)] + [f"+ {each}" for each in sorted(are - were)]


def _meant(text: str) -> set[str]:
    return {each for each in (raw.strip() for raw in text.splitlines()) if each and not each.startswith("#")}
