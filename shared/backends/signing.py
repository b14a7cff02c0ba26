"""Ed25519 signatures of ledger lines and checkpoints: made with the operator's key, proven with public keys."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

NONCE = 8
"""Random bytes before each signature: no two lines are alike, so that a copied one is known as a copy."""


class Signer:
    """Signs with a private key of 32 bytes; `cryptography` is loaded at the first signature."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @cached_property
    def _private(self) -> "Ed25519PrivateKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return Ed25519PrivateKey.from_private_bytes(self._key)

    @cached_property
    def public(self) -> bytes:
        """The public key, 32 bytes."""
        return self._private.public_key().public_bytes_raw()

    @cached_property
    def _id(self) -> str:
        return key_id(self.public)

    def __call__(self, message: bytes) -> str:
        """Return `<id of the key>.<base64url of a nonce and the signature of message and nonce>`."""
        nonce = secrets.token_bytes(NONCE)
        signed = base64.urlsafe_b64encode(nonce + self._private.sign(message + nonce))
        return f"{self._id}.{signed.decode()}"


class Prover:
    """Proves signatures by any of these public keys."""

    def __init__(self, keys: Iterable[bytes]) -> None:
        # Lazily, for the public part of a key that signs loads `cryptography`.
        self._given = keys
        self._loaded: dict[str, Ed25519PublicKey] = {}

    @staticmethod
    def of(signer: Signer, earlier: Iterable[bytes]) -> "Prover":
        """Return what proves the signatures of a signer, and those of earlier keys."""

        def keys() -> Iterator[bytes]:
            yield signer.public
            yield from earlier

        return Prover(keys())

    @cached_property
    def _keys(self) -> dict[str, bytes]:
        return {key_id(key): key for key in self._given}

    def knows(self, sig: str) -> bool:
        """Say whether the key that a signature names is one of ours."""
        return sig.partition(".")[0] in self._keys

    def proves(self, message: bytes, sig: str) -> bool:
        """Say whether `sig` is that of `message` by the key it names."""
        from cryptography.exceptions import InvalidSignature

        named, _, text = sig.partition(".")
        if named not in self._keys:
            return False
        try:
            signed = base64.b64decode(text.encode(), altchars=b"-_", validate=True)
            self._public(named).verify(signed[NONCE:], message + signed[:NONCE])
        except (binascii.Error, InvalidSignature, UnicodeEncodeError):
            return False
        # The last character of base64 holds bits that nobody reads: only the text that was written is ours.
        return base64.urlsafe_b64encode(signed).decode() == text

    def _public(self, named: str) -> "Ed25519PublicKey":
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

        if named not in self._loaded:
            self._loaded[named] = Ed25519PublicKey.from_public_bytes(self._keys[named])
        return self._loaded[named]


def key_id(public: bytes) -> str:
    """Return the 8 hex digits by which signatures name a public key."""
    return hashlib.sha256(public).hexdigest()[:8]
