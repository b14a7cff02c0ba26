"""What every fact is made of."""

from typing import Literal

import msgspec
from msgspec import Struct

Cause = Literal["push", "data", "drift", "schedule", "person", "rerun", "adopted"]
Ending = Literal["live", "kept", "failed", "rejected", "expired", "superseded", "cancelled", "stale", "unchanged"]
Became = Literal["release", "recorded", "refused", "waiting", "duplicate"]
GovernedWhy = Literal["commit", "quiet", "running", "breaker", "cooldown", "hourly", "daily", "trained"]
Verdict = Literal["first", "better", "not better", "inconclusive"]


class Fact(Struct, frozen=True):
    """Base of every fact; its kind in the ledger is the name of its class."""


class BlobSeen(Struct, frozen=True):
    """One blob of a data version; `size` in bytes, `etag` without quotes."""

    container: str
    name: str
    size: int
    etag: str


class VersionSeen(Struct, frozen=True):
    """One version in the model registry that no release of ours made; `digest` is empty when nobody knows it."""

    name: str
    number: int
    digest: str


class Claim(Struct, frozen=True):
    """One thing said of a model or a service, and whether it holds."""

    name: str
    verdict: Literal["certified", "warning", "refused"]
    sentence: str
    value: float | None = None
    bound: float | None = None


class Unknown(Fact, frozen=True):
    """A kind this version does not know: kept as it is, folded into nothing."""

    named: str
    content: msgspec.Raw
