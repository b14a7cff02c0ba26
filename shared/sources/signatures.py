"""How a sender proves itself: nothing here parses a body, raises, or tells by its timing how near a guess was."""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from msgspec import Struct


class Secret(Struct, frozen=True):
    """A shared secret of a project; one project may have two while it is changed."""

    project: str
    name: str
    value: bytes

    def __repr__(self) -> str:
        """Name the secret without its value, which must not reach a log."""
        return f"Secret(project={self.project!r}, name={self.name!r})"


def matching_hmac(given: str, body: bytes, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets under which `given` is `sha256=<hex HMAC-SHA256 of body>`."""
    claim = given.encode("ascii", "replace")
    return [
        secret
        for secret in secrets
        # Everybody can sign with an empty secret.
        if secret.value and hmac.compare_digest(claim, b"sha256=" + _hex_mac(secret.value, body))
    ]


def matching_text(given: str, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that `given` equals word for word: they are ASCII, for a header carries nothing else well."""
    claim = given.encode("utf-8", "replace")
    return [secret for secret in secrets if secret.value and hmac.compare_digest(claim, secret.value)]


def matching_password(authorization: str, secrets: Iterable[Secret]) -> list[Secret]:
    """Return the secrets that equal the password of `Basic <base64 of user:password>`; the user is ignored."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        decoded = base64.b64decode(credentials.strip().encode("ascii", "replace"), validate=True)
    except ValueError:
        return []
    password = decoded.partition(b":")[2]
    return [secret for secret in secrets if secret.value and hmac.compare_digest(password, secret.value)]


def _hex_mac(key: bytes, body: bytes) -> bytes:
    return hmac.new(key, body, hashlib.sha256).hexdigest().encode()
