"""Who somebody is, proven: by the platform's sign-in, or by a token that we signed for one person.

A function key names no person, and neither does a header that the platform did not write.
"""

import base64
from collections.abc import Mapping
from datetime import datetime
from typing import Literal, Protocol, TypeVar

import msgspec
from msgspec import Struct

from shared.errors import NotAllowed, NotTrusted
from shared.release.notices import (
    CancelAsked,
    EnvironmentAsked,
    OpenAsked,
    PolicyAccepted,
    ReplayAsked,
    RerunAsked,
    ResumeAsked,
)
from shared.release.people import same
from shared.release.tokens import PASS, VERSION, Grant, verify, verify_pass
from shared.sources.bodies import header
from shared.sources.texts import hidden_in

COOKIE = "signalbox"
PRINCIPAL = "X-MS-CLIENT-PRINCIPAL"
LARGEST = 64 * 1024
LONGEST_NAME = 200
# In a directory these names are its administrators' to give; an `email` claim is whatever its owner wrote there.
NAMES = ("preferred_username", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn", "upn")


class Person(Struct, frozen=True):
    """A person and what proves it: `entra`, a `pass`, or the `link` that was sent to them about one release.

    `ambient` proof is sent by a browser whichever page asks for it, so a form must prove that it is ours.
    """

    email: str
    how: Literal["entra", "pass", "link"]
    grant: Grant | None = None
    """What a link is about; it proves nothing about another release."""
    ambient: bool = False


def person(
    headers: Mapping[str, str],
    query: Mapping[str, str],
    key: bytes,
    now: int,
    signed_in: bool = False,
    field: str = "",
) -> Person | None:
    """Return who sent a request, None when nothing in it says so.

    `signed_in` says that the platform signs people in before us (WEBSITE_AUTH_ENABLED): only then its header counts.
    A token is in the Authorization header, else in `field` of a form, else in the query, else in the cookie.
    `NotTrusted` for a proof that is none, `NotAllowed` for one that expired, or for two of different people.
    """
    principal = _principal(headers) if signed_in else None
    token = _bearer(headers) or field or query.get("token", "")
    # The platform takes tokens of its own in the same header, and leaves them there.
    if token and (principal is None or token.startswith((f"{VERSION}.", f"{PASS}."))):
        held = _held(key, token, now)
        if principal and not same(principal.email, held.email):
            raise NotAllowed(f"This link is for {held.email}, and you are signed in as {principal.email}.")
        return held
    kept = _cookie(headers)
    if principal is None and kept:
        return msgspec.structs.replace(_held(key, kept, now), ambient=True)
    return principal


class Gate(Protocol):
    """What the operator set about who comes in."""

    @property
    def approval_key(self) -> bytes:
        """Signs tokens."""

    @property
    def signed_in(self) -> bool:
        """Whether the platform signs people in before us."""


def sender(headers: Mapping[str, str], query: Mapping[str, str], gate: Gate, now: datetime) -> Person | None:
    """Return who sent a request, None when nothing in it says so; raises like `person`."""
    return person(headers, query, gate.approval_key, int(now.timestamp()), gate.signed_in)


_Said = TypeVar(
    "_Said",
    OpenAsked,
    CancelAsked,
    ResumeAsked,
    RerunAsked,
    CancelAsked | ResumeAsked | RerunAsked,
    ReplayAsked,
    EnvironmentAsked,
    PolicyAccepted,
)


def behind(asked: _Said, who: Person | None) -> _Said:
    """Return what a person asks with the proof of who they are; `NotAllowed` when they ask in another's name.

    Without a proof it stays what somebody claims, and a link proves nothing beyond its release.
    """
    if who is None or who.how == "link":
        return asked
    if not same(who.email, asked.by):
        raise NotAllowed(f"You are {who.email}, and nobody asks in another's name: let `by` be you.")
    return msgspec.structs.replace(asked, by=who.email, how=who.how)


def _held(key: bytes, token: str, now: int) -> Person:
    if token.startswith(f"{PASS}."):
        return Person(verify_pass(key, token, now).person, "pass")
    grant = verify(key, token, now)
    return Person(grant.approver, "link", grant)


def _bearer(headers: Mapping[str, str]) -> str:
    scheme, _, token = header(headers, "Authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: Mapping[str, str]) -> str:
    pairs = (pair.strip().partition("=") for pair in header(headers, "Cookie").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


class _Claim(Struct):
    typ: str
    val: str


class _Principal(Struct):
    auth_typ: str
    claims: tuple[_Claim, ...]


def _principal(headers: Mapping[str, str]) -> Person | None:
    """Return whom the platform signed in: by what the identity provider claims, never by a header that says a name."""
    given = header(headers, PRINCIPAL)
    if not given:
        return None
    if len(given) > LARGEST:
        raise NotTrusted(f"The header {PRINCIPAL} has {len(given)} characters; sign in again.")
    try:
        read = msgspec.json.decode(base64.b64decode(given, validate=True), type=_Principal)
    # RecursionError is how deep JSON ends, ValueError how base64 meets what is no ASCII.
    except (ValueError, msgspec.MsgspecError, RecursionError) as error:
        raise NotTrusted(f"The header {PRINCIPAL} cannot be read: sign in again.") from error
    if read.auth_typ != "aad":
        raise NotTrusted(f"You are signed in by {_short(read.auth_typ)}; sign in with Microsoft Entra ID.")
    return Person(_named(read.claims), "entra", ambient=True)


def _named(claims: tuple[_Claim, ...]) -> str:
    for kind in NAMES:
        found = {claim.val.strip() for claim in claims if claim.typ == kind}
        if len(found) > 1:
            raise NotTrusted("The sign-in says two names of one person: sign in again.")
        for name in found:
            if not name or len(name) > LONGEST_NAME or hidden_in(name):
                raise NotTrusted(f"The sign-in says no name that can be read ({kind}): sign in again.")
            return name
    raise NotTrusted("The sign-in names nobody: let the app registration send the claim preferred_username.")


def _short(text: str) -> str:
    return repr(text[:40])
