"""Who may decide about what, until when: signed, and nothing else in it is secret.

A token is `<version>.<grant>.<mac>`.
The grant is base64url of a JSON array, the mac is HMAC-SHA256 over what stands before it.
"""

import base64
import hashlib
import hmac
from datetime import UTC, datetime

import msgspec

from shared.errors import Misconfigured, NotAllowed, NotTrusted

VERSION = "sb1"
# Bound into every mac: a signature that this key made for another purpose is never an approval.
PURPOSE = b"signalbox approval\x00"
SHORTEST_KEY = 16


class Grant(msgspec.Struct, frozen=True, array_like=True):
    """One approver may decide about one sealed evidence of one release; `expires` is in Unix seconds."""

    release: str
    approver: str
    evidence: str
    expires: int


def sign(key: bytes, grant: Grant) -> str:
    """Return the token for a grant, safe in a URL; `Misconfigured` when the key is shorter than 16 bytes."""
    signed = f"{VERSION}.{_base64(msgspec.json.encode(grant))}"
    return f"{signed}.{_mac(key, signed)}"


def verify(key: bytes, token: str, now: int) -> Grant:
    """Return what the token grants at `now` (Unix seconds).

    `NotTrusted` when we did not sign it, `NotAllowed` when it expired, `Misconfigured` when the key is too short.
    """
    signed, _, mac = token.rpartition(".")
    # The text is compared, not its decoding: two texts of base64 can stand for the same bytes.
    if not hmac.compare_digest(_bytes(mac), _mac(key, signed).encode()):
        raise NotTrusted("This approval link was not signed by us: open the link as it was sent, or ask for a new one.")
    payload = signed.partition(".")[2]
    grant = msgspec.json.decode(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)), type=Grant)
    if now >= grant.expires:
        raise NotAllowed(f"This approval link expired at {_moment(grant.expires)}; ask for a new one.")
    return grant


def _mac(key: bytes, signed: str) -> str:
    if len(key) < SHORTEST_KEY:
        raise Misconfigured(f"APPROVAL_KEY has {len(key)} bytes; set at least {SHORTEST_KEY} random ones.")
    return _base64(hmac.new(key, PURPOSE + _bytes(signed), hashlib.sha256).digest())


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _moment(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
