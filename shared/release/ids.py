"""Ids and names: computed from what they stand for, so that the same trigger twice is the same thing.

Every name given outside contains the release id verbatim, because an event that arrives must lead back to it.
"""

import hashlib
import json
import re

ADJECTIVES = (
    "able amber ample bold brave brief bright brisk calm civil clean clear clever cool coral crisp dapper deft early "
    "earnest easy even fair fine firm fond frank free fresh gentle glad golden grand green happy hardy honest humble "
    "jolly keen kind level light lively loyal lucid mellow merry mild modest neat noble patient plain prime proud "
    "quick quiet rapid ready royal silver sober steady sunny"
).split()
NOUNS = (
    "auk badger bear beaver bison bittern brant crane curlew deer dipper dove duck eagle egret eider elk falcon finch "
    "fox gannet goose grebe grouse gull hare hawk heron hobby ibis jay kestrel kite knot lark linnet lynx marten "
    "merlin mole moose newt osprey otter owl petrel pipit plover puffin quail raven robin ruff seal shrike skua snipe "
    "stork swan swift teal tern thrush wren"
).split()
_RELEASE = re.compile(r"(?<![0-9a-f])[0-9a-f]{20}(?![0-9a-f])")


def canonical(value: object) -> bytes:
    """Return the one JSON form of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode()


def sha256(content: bytes) -> str:
    """Return `sha256:` and 64 hex characters."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def release_id(project: str, commit: str, data: str, ask: str) -> str:
    """Return the 20 hex characters that name a release.

    `ask` is empty for a push or new data, the window for drift, the request's idempotency key for a person.
    """
    return hashlib.sha256(canonical(["release", project, commit, data, ask])).hexdigest()[:20]


def data_version(blobs: list[tuple[str, str, int, str]]) -> str:
    """Return the 16 hex characters of a data version: the head (container, name, size, etag) of every blob."""
    return hashlib.sha256(canonical(["data", *sorted(list(blob) for blob in blobs)])).hexdigest()[:16]


def alias(release: str) -> str:
    """Return the sayable name of a release, for people; not unique, never a key."""
    number = int(release[:12], 16)
    return f"{ADJECTIVES[number % len(ADJECTIVES)]}-{NOUNS[number // len(ADJECTIVES) % len(NOUNS)]}"


def run_name(release: str, step: str, round: int) -> str:
    """Return the name of the job a step submits in a round."""
    return f"{release}-{step}-{round}"


def slot_name(release: str, environment: str) -> str:
    """Return the name of the service slot of a release in an environment."""
    return f"{release}-{environment}"


def going_live(release: str) -> str:
    """Return the name of the act that makes a release live; once it is begun, cancelling is too late."""
    return f"{slot_name(release, 'production')}-live"


def release_in(name: str) -> str | None:
    """Return the release id a name from outside contains, None when it is no name of ours."""
    found = _RELEASE.search(name)
    return found.group() if found else None
