"""What a person's browser asks for: who looks is proven, then what they may see is read and shown."""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from shared import overviews, pages, reports, words
from shared.answers import Answer
from shared.control import Control
from shared.errors import NotFound
from shared.release import forms, line
from shared.release.state import State
from shared.sources import people, visits
from shared.sources.visits import Visitor

told = pages.refusing


class Visit(Struct, frozen=True):
    """One request to look: what is asked for, below `/api/`."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


async def walk(control: Control, visit: Visit) -> Answer:
    """Return a page, or a file that pages need."""
    _, _, path = visit.path.partition("/")
    area, _, rest = path.partition("/")
    if area == "assets":
        return pages.asset(rest)
    who = _visitor(control, visit)
    if came := _arriving(control, visit, who):
        return came
    see = control.looking.seen_by(who.person)
    match area, rest:
        case "", "":
            projects = overviews.home(await control.looking.projects(see))
            return _page(control, "home", who, projects=projects)
        case "releases", "":
            listed = await control.looking.numbered(see, visit.query.get("project", ""), people.upto(visit.query))
            return _page(control, "releases", who, seen=overviews.numbered(listed), **_filter(visit, see))
        case "events", "":
            came_in = await control.looking.came_in(see, visit.query.get("project", ""), people.upto(visit.query))
            return _page(control, "events", who, seen=overviews.came_in(came_in), **_filter(visit, see))
        case "releases", _:
            return await _about(control, visit, who, see, *rest.partition("/")[::2])
    raise NotFound("there is no such page; begin at /api/pages")


async def _about(control: Control, visit: Visit, who: Visitor, see: frozenset[str], name: str, view: str) -> Answer:
    known = await control.looking.release(see, name)
    release = known.state.release.release
    if view == "evidence":
        return Answer(body=await control.reading.evidence(release))
    if view == "log":
        return Answer(body=await control.reading.log(release, visit.query.get("step", "train")), kind="text/plain")
    if view:
        raise NotFound(f"there is no {view} of a release; there are evidence and log")
    shown = reports.release_view(known, "")
    return _page(control, "release", who, release=shown, timeline=reports.timeline(known.stream), jobs=line.JOBS)


async def ask(control: Control, visit: Visit, release: str) -> Answer:
    """Return what is asked about a release: a page for a browser, JSON for a program; nothing is decided."""
    now = int(control.outside.clock().timestamp())
    key = control.outside.approval_key
    if not pages.wants_page(visit.headers):
        grant = people.viewer(key, now, release, visit.query, visit.headers)
        asked, _ = await _question(control, release)
        return Answer(body=asked | {"viewer": grant.approver})
    if visit.query.get("token"):
        people.viewer(key, now, release, visit.query, {})
    who = _visitor(control, visit)
    if came := _arriving(control, visit, who):
        return came
    await control.looking.release(control.looking.seen_by(who.person), release)
    asked, known = await _question(control, release)
    why_not = _may_not(who, asked, known)
    until = min(who.expires, now + visits.LONGEST)
    form = "" if why_not or asked["state"] else forms.make(key, who.person, release, asked["evidence"], until)
    return Answer(body=pages.approval(asked | {"why_not": why_not}, who.person, form), kind="text/html")


async def _question(control: Control, release: str) -> tuple[dict[str, Any], State]:
    known, evidence = await control.reading.asked(release)
    asked = reports.question(known, evidence, control.outside.clock())
    before = await control.looking.before(known, evidence)
    return asked | {"changed": overviews.changed(evidence, before), "newer": before.newer}, known


def _may_not(who: Visitor, asked: dict[str, Any], known: State) -> str:
    """Say why the form is not shown; whether a decision counts is asked again when it comes."""
    if who.person in {each["name"] for each in asked["approvers"] if each["decision"]}:
        return "You decided about it."
    if who.person not in {each["name"] for each in asked["approvers"]}:
        return "You were not asked about it."
    if who.release and who.release != known.release.release:
        return "You came by the link of another release; to decide about this one, open the link in its own mail."
    if who.release and who.evidence != asked["evidence"]:
        return "Production changed since your link was sent, and this is the newer question: open the newer link."
    return ""


def _visitor(control: Control, visit: Visit) -> Visitor:
    now = int(control.outside.clock().timestamp())
    return visits.visitor(control.outside.approval_key, now, visit.query, visit.headers)


def _arriving(control: Control, visit: Visit, who: Visitor) -> Answer | None:
    """Send a browser that came by its link on to the same page, without the secret."""
    token = visit.query.get("token", "")
    if not token:
        return None
    now = int(control.outside.clock().timestamp())
    secure = control.outside.public_url.startswith("https:")
    return pages.arriving(visit.path, visit.query, visits.kept(token, who.expires - now, secure))


def _filter(visit: Visit, see: frozenset[str]) -> dict[str, Any]:
    return {"project": visit.query.get("project", ""), "projects": sorted(see)}


def _page(control: Control, name: str, who: Visitor, **values: Any) -> Answer:
    as_of = words.moment(int(control.outside.clock().timestamp()))
    return pages.page(name, who.person, as_of=as_of, **values)
