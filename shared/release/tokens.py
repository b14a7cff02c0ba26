"""Who may decide about what, who somebody is, and which form was shown to whom: signed, and nothing else is secret.

A token is `<version>.<content>.<mac>`.
The content is base64url of a JSON array, the mac is HMAC-SHA256 over what stands before it, with a purpose of its own:
what was signed for one purpose is never taken for another.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from shared.errors import Misconfigured, NotAllowed, NotTrusted

VERSION = "sb1"
PASS = "sp1"
FORM = "sf1"
# Bound into every mac: a signature that this key made for another purpose is never an approval.
PURPOSE = b"signalbox approval\x00"
PASS_PURPOSE = b"signalbox person\x00"
FORM_PURPOSE = b"signalbox form\x00"
SHORTEST_KEY = 16


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """One approver may decide about one sealed evidence of one release; `expires` is in Unix seconds."""

    release: str
    approver: str
    evidence: str
    expires: int


class Pass(msgspec.Struct, frozen=True, array_like=True):
    """Whoever holds it is this person until it expires, in Unix seconds; what they may do, the policies say."""

    person: str
    expires: int


class Form(msgspec.Struct, frozen=True, array_like=True):
    """This form was shown to this person: no page of another site can know its token."""

    person: str
    release: str
    evidence: str
    expires: int


_Content = TypeVar("_Content", Grant, Pass, Form)


def sign(key: bytes, grant: Grant) -> str:
    """Return the token for a grant, safe in a URL; `Misconfigured` when the key is shorter than 16 bytes."""
    return _signed(key, VERSION, PURPOSE, grant)


def verify(key: bytes, token: str, now: int) -> Grant:
    """Return what the token grants at `now` (Unix seconds).

    `NotTrusted` when we did not sign it, `NotAllowed` when it expired, `Misconfigured` when the key is too short.
    """
    advice = "open the link as it was sent, or ask for a new one"
    grant = _read(key, token, PURPOSE, Grant, "This approval link", advice)
    if now >= grant.expires:
        raise NotAllowed(f"This approval link expired at {_moment(grant.expires)}; ask for a new one.")
    return grant


def sign_pass(key: bytes, held: Pass) -> str:
    """Return the token that says who somebody is; only who has the key itself can make one, and nothing over HTTP."""
    return _signed(key, PASS, PASS_PURPOSE, held)


def verify_pass(key: bytes, token: str, now: int) -> Pass:
    """Return whose pass the token is at `now`; raises like `verify`."""
    held = _read(key, token, PASS_PURPOSE, Pass, "This pass", "make one with `signalbox login`")
    if now >= held.expires:
        raise NotAllowed(f"This pass expired at {_moment(held.expires)}; make one with `signalbox login`.")
    return held


def sign_form(key: bytes, person: str, release: str, evidence: str, expires: int) -> str:
    """Return the token of a form about one evidence of one release, as it is shown to one person."""
    return _signed(key, FORM, FORM_PURPOSE, Form(person, release, evidence, expires))


def check_form(key: bytes, token: str, person: str, release: str, evidence: str, now: int) -> None:
    """Raise `NotAllowed` unless this form was shown to this person by us, about this, and not too long ago."""
    advice = "open the page again and send its form"
    try:
        form = _read(key, token, FORM_PURPOSE, Form, "This form", advice)
    except NotTrusted as error:
        # Whoever sent it is known: what is not ours is the form.
        raise NotAllowed(str(error)) from error
    if now >= form.expires:
        raise NotAllowed(f"This form expired at {_moment(form.expires)}; {advice}.")
    if (form.person.casefold(), form.release, form.evidence) != (person.casefold(), release, evidence):
        raise NotAllowed(f"This form was shown to somebody else, or about something else; {advice}.")


def _signed(key: bytes, version: str, purpose: bytes, content: Grant | Pass | Form) -> str:
    signed = f"{version}.{_base64(msgspec.json.encode(content))}"
    return f"{signed}.{_mac(key, purpose, signed)}"


def _read(key: bytes, token: str, purpose: bytes, kind: type[_Content], what: str, advice: str) -> _Content:
    signed, _, mac = token.rpartition(".")
    # The text is compared, not its decoding: two texts of base64 can stand for the same bytes.
    if not hmac.compare_digest(_bytes(mac), _mac(key, purpose, signed).encode()):
        raise NotTrusted(f"{what} was not signed by us: {advice}.")
    payload = signed.partition(".")[2]
    return msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=kind)


def _mac(key: bytes, purpose: bytes, signed: str) -> str:
    if len(key) < SHORTEST_KEY:
        raise Misconfigured(f"APPROVAL_KEY has {len(key)} bytes; set at least {SHORTEST_KEY} random ones.")
    return _base64(hmac.new(key, purpose + _bytes(signed), hashlib.sha256).digest())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
