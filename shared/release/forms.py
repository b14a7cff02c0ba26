"""The secret of a form: that we showed it to this person, about this evidence, until then.

A cookie says who sends a form and nothing of who made them send it; this says the rest.
"""

import hashlib
import hmac

from shared.errors import NotAllowed
from shared.release.ids import canonical

# Bound into every mac, so that a form is never a link and a link never a form.
PURPOSE = b"signalbox form\x00"


def make(key: bytes, person: str, release: str, evidence: str, expires: int) -> str:
    """Return the secret of a form that is shown to a person; `expires` is in Unix seconds."""
    said = canonical([person, release, evidence, expires])
    return f"{expires}.{hmac.new(key, PURPOSE + said, hashlib.sha256).hexdigest()}"


def check(key: bytes, given: str, person: str, release: str, evidence: str, now: int) -> None:
    """Refuse a form that we did not show to this person about this evidence, or too long ago."""
    until, _, _ = given.partition(".")
    expires = int(until) if until.isascii() and until.isdigit() and len(until) <= 12 else 0
    expected = make(key, person, release, evidence, expires)
    if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode()):
        raise NotAllowed("This form is not one that we showed to you: open the page again and decide there.")
    if now >= expires:
        raise NotAllowed("This form was open for too long: open the page again and decide there.")
