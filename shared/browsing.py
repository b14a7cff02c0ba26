"""What a person's browser asks for: who looks is proven, then what they may see is read and shown."""

from typing import Any

from shared import overviews, pages, reports, words
from shared.answers import Answer
from shared.control import Control, access
from shared.errors import NotFound
from shared.release import line
from shared.release.people import among
from shared.release.tokens import sign_form
from shared.sources import people, visits
from shared.sources.identity import Person
from shared.sources.visits import Visit

told = pages.refusing


async def walk(control: Control, visit: Visit, signed_in: bool) -> Answer:
    """Return a page, or a file that pages need."""
    _, _, path = visit.path.partition("/")
    area, _, rest = path.partition("/")
    if area == "assets":
        return pages.asset(rest)
    who = visits.visitor(visit, control.outside.approval_key, _now(control), signed_in)
    if came := _arriving(control, visit):
        return came
    await access.seen(control.streams, who, f"read {visit.path}")
    see = await control.looking.seen_by(who.email)
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


async def _about(control: Control, visit: Visit, who: Person, see: frozenset[str], name: str, view: str) -> Answer:
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


async def ask(control: Control, visit: Visit, release: str, signed_in: bool) -> Answer:
    """Return what is asked about a release: a page for a browser, JSON for a program; nothing is decided."""
    now, key = _now(control), control.outside.approval_key
    who = people.viewer(key, now, release, visit.query, visit.headers, signed_in)
    program = not pages.wants_page(visit.headers)
    if not program and (came := _arriving(control, visit)):
        return came
    if who.grant is None or who.grant.release != release:
        await control.looking.release(await control.looking.seen_by(who.email), release)
    # Before it is shown: what cannot be recorded is not read.
    await access.seen(control.streams, who, f"read {visit.path}")
    if program:
        return Answer(body=await _question(control, release, who) | {"viewer": who.email})
    asked = await _question(control, release, who)
    why_not = visits.asked_by_link(who, release, asked["evidence"]) or _may_not(who, asked)
    until = now + visits.LONGEST
    form = "" if why_not or asked["state"] else sign_form(key, who.email, release, asked["evidence"], until)
    return Answer(body=pages.approval(asked | {"why_not": why_not}, who.email, form), kind="text/html")


async def _question(control: Control, release: str, who: Person) -> dict[str, Any]:
    known, evidence = await control.reading.asked(release)
    asked = reports.question(known, evidence, control.outside.clock())
    before = await control.looking.before(known, evidence)
    agree = overviews.agreement(await control.looking.agreement(known, who.email))
    return asked | {"changed": overviews.changed(evidence, before), "newer": before.newer, "agree": agree}


def _may_not(who: Person, asked: dict[str, Any]) -> str:
    """Say why the form is not shown; whether a decision counts is asked again when it comes."""
    if among(who.email, [each["name"] for each in asked["approvers"] if each["decision"]]):
        return "You decided about it."
    return str(asked["agree"]["refused"].get("reject", ""))


def _now(control: Control) -> int:
    return int(control.outside.clock().timestamp())


def _arriving(control: Control, visit: Visit) -> Answer | None:
    """Send a browser that came by a link on to the same page without the secret.

    Who it is may have been proven otherwise, so a token that proves nobody is not kept.
    """
    if not (token := visit.query.get("token", "")):
        return None
    proven = visits.proves(token, control.outside.approval_key, _now(control))
    cookie = visits.kept(token, control.outside.public_url.startswith("https:")) if proven else ""
    return pages.arriving(visit.path, visit.query, cookie)


def _filter(visit: Visit, see: frozenset[str]) -> dict[str, Any]:
    return {"project": visit.query.get("project", ""), "projects": sorted(see)}


def _page(control: Control, name: str, who: Person, **values: Any) -> Answer:
    as_of = words.moment(_now(control))
    return pages.page(name, who.email, as_of=as_of, **values)
