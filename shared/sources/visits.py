"""Who looks at pages: a proven person, whom a browser goes on to know by the cookie that their link became."""

from collections.abc import Mapping

from msgspec import Struct

from shared.errors import NotTrusted
from shared.release.tokens import Grant
from shared.sources.identity import COOKIE, Person, person

LONGEST = 12 * 3600
"""Seconds until a browser forgets who looked, and until a form is too old; the link in the mail brings them back."""
OPEN_LINK = "Nobody is known here yet: open the link in your mail, it is yours alone, or make one (signalbox login)."


class Visit(Struct, frozen=True):
    """One request to look: what is asked for, below `/api/`."""

    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


def visitor(visit: Visit, key: bytes, now: int, signed_in: bool) -> Person:
    """Return who looks; `NotTrusted` when nobody is proven, `NotAllowed` when the proof expired."""
    who = person(visit.headers, visit.query, key, now, signed_in)
    if who is None:
        raise NotTrusted(OPEN_LINK)
    return who


def asked_by_link(who: Person, release: str, evidence: str) -> str:
    """Say why what proves a person does not let them decide about this; nothing when it does."""
    link: Grant | None = who.grant
    if link is None:
        return ""
    if link.release != release:
        return "You came by the link of another release; to decide about this one, open the link in its own mail."
    if link.evidence != evidence:
        return "Production changed since your link was sent, and this is the newer question: open the newer link."
    return ""


def proves(token: str, key: bytes, now: int) -> bool:
    """Say whether a token proves who somebody is: anybody can write another one into an address."""
    try:
        return person({}, {"token": token}, key, now) is not None
    except NotTrusted:
        return False


def kept(token: str, secure: bool) -> str:
    """Return the header that lets a browser keep a token, out of reach of scripts and of other sites' forms.

    Lax and not Strict: a link in a web mail is followed from another site, and a Strict cookie that is set on the way
    is not sent with the page which that leads to.
    """
    rest = "; Secure" if secure else ""
    return f"{COOKIE}={token}; Max-Age={LONGEST}; Path=/api; HttpOnly; SameSite=Lax{rest}"
