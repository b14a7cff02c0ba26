"""What people ask over HTTP: decide, open, cancel, and move an environment."""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from shared.errors import Conflict, NotAllowed, NotFound, NotTrusted, NotUnderstood
from shared.release.notices import (
    CancelAsked,
    DecisionGiven,
    Environment,
    EnvironmentAsked,
    OpenAsked,
    PolicyAccepted,
    ReplayAsked,
    RerunAsked,
    ResumeAsked,
)
from shared.release.tokens import Grant, check_form
from shared.sources.bodies import Shape, header, length_checked, read_form, read_json, understood
from shared.sources.identity import Person, person
from shared.sources.texts import exact, prose

LARGEST = 64 * 1024
LONGEST_NAME = 200
MOST_ROWS = 10_000
ENVIRONMENTS: tuple[Environment, ...] = ("staging", "production")

SEND_DECISION = 'Send {"decision": "approve" or "reject", "reason": "...", "evidence": "sha256:..."} and the token.'
SEND_OPEN = 'Send {"project": "...", "reason": "...", "by": "..."}.'
SEND_CANCEL = 'Send {"reason": "...", "by": "..."}.'
KEY = (
    "The header Idempotency-Key must have 1 to 200 visible ASCII characters: send a new one for a new release, "
    "the same one to repeat a request whose answer was lost."
)
SEND_POLICY = 'Send {"digest": "sha256:...", "reason": "...", "by": "..."}; GET the same address for the digest.'
SEND_ENVIRONMENT = 'Send {"action": "rollback", "hold" or "lift", "reason": "...", "by": "...", "to": "..."}.'


class DecisionBody(Struct, forbid_unknown_fields=True):
    """The fields of a decision; the token may come in the Authorization header instead."""

    decision: Literal["approve", "reject", "break-glass", "confirm"]
    reason: str = ""
    evidence: str = ""
    token: str = ""
    form: str = ""
    """The secret of the page's form, which a person who is known by cookie or sign-in must send."""


class OpenBody(Struct, forbid_unknown_fields=True):
    """The fields of a release on demand."""

    project: str
    reason: str
    by: str


class CancelBody(Struct, forbid_unknown_fields=True):
    """The fields of a cancellation, of letting a parked release go on, and of a rerun."""

    reason: str
    by: str


class ReplayBody(Struct, forbid_unknown_fields=True):
    """The fields of a replay."""

    reason: str
    by: str


class PolicyBody(Struct, forbid_unknown_fields=True):
    """The fields of accepting a changed policy."""

    digest: str
    reason: str
    by: str


class EnvironmentBody(Struct, forbid_unknown_fields=True):
    """The fields of an action on an environment."""

    action: Literal["rollback", "hold", "lift"]
    reason: str
    by: str
    to: str = ""


def decision(
    key: bytes,
    now: int,
    release: str,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    body: bytes,
    signed_in: bool = False,
) -> DecisionGiven:
    """Return what an approver decides about the evidence that their link was made for, or whose form they were shown.

    What proves who they are is in the Authorization header, else in the field `token`, else in the query;
    else it is the platform's sign-in or the cookie of a page, which count with the secret of that page's form.
    `NotTrusted` without a proof; `NotAllowed` from another site, for another release, or too late;
    `Conflict` when another evidence is named than the link's; `NotUnderstood` for the rest.
    """
    fields = _fields(headers, body, SEND_DECISION)
    said = fields.get("token")
    who = _proven(person(headers, query, key, now, signed_in, said if isinstance(said, str) else ""))
    evidence = _evidence(key, now, release, fields, headers, who)
    given = _shaped(fields, DecisionBody, "The decision", SEND_DECISION)
    if given.evidence and given.evidence != evidence:
        raise Conflict("The evidence changed since you were asked: open the newest link, read it, and decide again.")
    reason = prose("reason", given.reason)
    if given.decision != "approve" and not reason:
        what = "A rejection" if given.decision == "reject" else "An emergency"
        raise NotUnderstood(f"{what} needs a reason: the next person must know what to change. {SEND_DECISION}")
    return DecisionGiven(release, who.email, given.decision, reason, evidence, who.how)


def _evidence(
    key: bytes, now: int, release: str, fields: Mapping[str, object], headers: Mapping[str, str], who: Person
) -> str:
    """Return what the decision is about: the link's evidence, that of the form that was shown, or what is named."""
    named = fields.get("evidence")
    evidence = named if isinstance(named, str) else ""
    if who.ambient:
        if not header(headers, "Origin") and not header(headers, "Sec-Fetch-Site"):
            raise NotAllowed("This request does not say which page sent it: open the link itself and decide there.")
        form = fields.get("form")
        check_form(key, form if isinstance(form, str) else "", who.email, release, evidence, now)
        return evidence
    if who.grant is not None:
        return _of_this(who.grant, release).evidence
    if not evidence:
        raise NotUnderstood("The field evidence is empty; name the evidence that you read. " + SEND_DECISION)
    return evidence


def viewer(
    key: bytes, now: int, release: str, query: Mapping[str, str], headers: Mapping[str, str], signed_in: bool = False
) -> Person:
    """Return who looks at what is asked: by a link of this release, or by what proves a person everywhere."""
    who = _proven(person(headers, query, key, now, signed_in))
    if who.grant is not None and not who.ambient:
        _of_this(who.grant, release)
    return who


def open_request(headers: Mapping[str, str], body: bytes) -> OpenAsked:
    """Return a release that a person asks for; the same Idempotency-Key is the same ask."""
    given = _shaped(_fields(headers, body, SEND_OPEN), OpenBody, "The request", SEND_OPEN)
    key = _idempotency_key(headers)
    if not key:
        raise NotUnderstood(KEY)
    return OpenAsked(_name("project", given.project), _name("by", given.by), _reason(given.reason), key)


def about_release(
    what: str, release: str, headers: Mapping[str, str], body: bytes
) -> CancelAsked | ResumeAsked | RerunAsked:
    """Return what a person asks of a release: `cancel`, `resume` a parked one, or `rerun` an ended one.

    A rerun without an Idempotency-Key is made once; each new key is one more.
    """
    if what not in ("cancel", "resume", "rerun"):
        raise NotFound(f"There is no {what[:LONGEST_NAME]!r} of a release; there are cancel, resume and rerun.")
    given = _shaped(_fields(headers, body, SEND_CANCEL), CancelBody, "The request", SEND_CANCEL)
    by, reason = _name("by", given.by), _reason(given.reason)
    if what == "rerun":
        return RerunAsked(release, by, reason, _idempotency_key(headers))
    return CancelAsked(release, by, reason) if what == "cancel" else ResumeAsked(release, by, reason)


def replay_request(path: str, headers: Mapping[str, str], body: bytes) -> ReplayAsked:
    """Return what a person wants taken in again; `path` is `<event>/replay`."""
    row, _, verb = path.strip("/").rpartition("/")
    if verb != "replay" or not row:
        raise NotFound(f"There is no {path[:LONGEST_NAME]!r} of events; there is POST /api/events/<id>/replay.")
    given = _shaped(_fields(headers, body, SEND_CANCEL), ReplayBody, "The request", SEND_CANCEL)
    return ReplayAsked(_name("event", row), _name("by", given.by), _reason(given.reason))


def most(query: Mapping[str, str]) -> int:
    """Return how many rows a person wants to see: 50 unless `limit` says otherwise."""
    wanted = query.get("limit", "50")
    digits = len(wanted) <= len(str(MOST_ROWS)) and wanted.isascii() and wanted.isdigit()
    if not (digits and 0 < int(wanted) <= MOST_ROWS):
        raise NotUnderstood(f"The limit {wanted[:20]!r} is no number from 1 to {MOST_ROWS}.")
    return int(wanted)


def upto(query: Mapping[str, str]) -> int | None:
    """Return how far from its oldest a list is shown; None: to its newest."""
    wanted = query.get("upto", "")
    if not wanted:
        return None
    if not (len(wanted) <= 9 and wanted.isascii() and wanted.isdigit() and int(wanted)):
        raise NotUnderstood(f"The place {wanted[:20]!r} is no number of a row; begin at the newest.")
    return int(wanted)


def environment_request(project: str, environment: str, headers: Mapping[str, str], body: bytes) -> EnvironmentAsked:
    """Return what a person wants of an environment; `NotFound` when there is no such environment."""
    known = next((each for each in ENVIRONMENTS if each == environment), None)
    if known is None:
        raise NotFound(f"There is no environment {environment[:LONGEST_NAME]!r}; there are staging and production.")
    fields = _fields(headers, body, SEND_ENVIRONMENT)
    given = _shaped(fields, EnvironmentBody, "The request", SEND_ENVIRONMENT)
    if given.to and given.action != "rollback":
        raise NotUnderstood(f"The field to belongs to a rollback; leave it out to {given.action}.")
    to = _name("to", given.to) if given.to else ""
    return EnvironmentAsked(project, known, given.action, _name("by", given.by), _reason(given.reason), to)


def policy_request(project: str, headers: Mapping[str, str], body: bytes) -> PolicyAccepted:
    """Return which policy of `projects.toml` a person puts in force."""
    given = _shaped(_fields(headers, body, SEND_POLICY), PolicyBody, "The request", SEND_POLICY)
    return PolicyAccepted(project, _name("digest", given.digest), _name("by", given.by), _reason(given.reason))


def _proven(who: Person | None) -> Person:
    if who is None:
        raise NotTrusted("No token came with this request: open the link as it was sent, or ask for a new one.")
    return who


def _of_this(grant: Grant, release: str) -> Grant:
    if grant.release != release:
        raise NotAllowed(f"This link is for the release {grant.release} and no other; open the link of this release.")
    return grant


def _fields(headers: Mapping[str, str], body: bytes, send: str) -> dict[str, object]:
    """Return the fields of a JSON or form body that were given; null and blank are as if left out."""
    _refuse_other_sites(headers)
    length_checked(headers, body, LARGEST)
    # curl -d calls everything a form, and no form of ours begins with a brace.
    if body.lstrip().startswith(b"{"):
        fields = read_json(body)
    elif header(headers, "Content-Type").lower().startswith("application/x-www-form-urlencoded"):
        fields = read_form(body)
    else:
        raise NotUnderstood(f"The body is neither JSON nor a form. {send}")
    return {name: value for name, value in fields.items() if value is not None and value != ""}


def _refuse_other_sites(headers: Mapping[str, str]) -> None:
    """Refuse what a page of another site made a browser send with what the person has open there."""
    site, origin = header(headers, "Sec-Fetch-Site").lower(), header(headers, "Origin").lower()
    host = header(headers, "Host").lower()
    # Under a no-referrer policy a browser writes null even on a page of our own.
    ours = (origin == "null" and site == "same-origin") or (host != "" and origin.partition("://")[2] == host)
    if site not in ("", "same-origin", "none") or (origin and not ours):
        raise NotAllowed("This request was sent by a page of another site: open the link itself and decide there.")


def _shaped(fields: dict[str, object], shape: type[Shape], what: str, send: str) -> Shape:
    allowed = ", ".join(getattr(shape, "__struct_fields__", ()))
    return understood(fields, shape, what, f"The fields are {allowed}. {send}")


def _idempotency_key(headers: Mapping[str, str]) -> str:
    key = header(headers, "Idempotency-Key")
    if len(key) > LONGEST_NAME or not all("!" <= each <= "~" for each in key):
        raise NotUnderstood(KEY)
    return key


def _name(field: str, text: str) -> str:
    return exact(field, text, LONGEST_NAME).strip()


def _reason(text: str) -> str:
    reason = prose("reason", text)
    if not reason:
        raise NotUnderstood("The field reason is empty; say why, for the people who read it later.")
    return reason
