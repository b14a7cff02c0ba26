"""Who looks at pages: a person whose link of ours came along, in the address, a header or the cookie made of it."""

from collections.abc import Mapping

from msgspec import Struct

from shared.errors import NotTrusted
from shared.release.tokens import verify
from shared.sources.bodies import header

COOKIE = "signalbox"
LONGEST = 12 * 3600
"""Seconds until a browser forgets who looked; the link in the mail brings them back."""
OPEN_LINK = "Nobody is known here yet: open the link in your mail, it is yours alone."


class Visitor(Struct, frozen=True):
    """A person who proved who they are, until `expires` in Unix seconds.

    `release` and `evidence` are what their link asks them about; empty when it asks nothing.
    """

    person: str
    expires: int
    release: str = ""
    evidence: str = ""


def visitor(key: bytes, now: int, query: Mapping[str, str], headers: Mapping[str, str]) -> Visitor:
    """Return who looks; `NotTrusted` when nobody is proven, `NotAllowed` when the proof expired."""
    token = bearer(headers) or query.get("token", "") or cookie(headers)
    if not token:
        raise NotTrusted(OPEN_LINK)
    grant = verify(key, token, now)
    return Visitor(grant.approver, grant.expires, grant.release, grant.evidence)


def bearer(headers: Mapping[str, str]) -> str:
    """Return the token of the Authorization header, or nothing."""
    scheme, _, token = header(headers, "Authorization").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def cookie(headers: Mapping[str, str]) -> str:
    """Return the token that a browser keeps, or nothing."""
    pairs = (pair.strip().partition("=") for pair in header(headers, "Cookie").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def kept(token: str, seconds: int, secure: bool) -> str:
    """Return the header that lets a browser keep a token, out of reach of scripts and of other sites' forms.

    Lax and not Strict: a link in a web mail is followed from another site, and a Strict cookie that is set on the way
    is not sent with the page which that leads to.
    """
    rest = "; Secure" if secure else ""
    return f"{COOKIE}={token}; Max-Age={max(0, min(seconds, LONGEST))}; Path=/api; HttpOnly; SameSite=Lax{rest}"
