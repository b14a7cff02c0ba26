"""The facts about the ledger itself, and who read or decided what."""

from shared.release.facts.fact import Fact


class Accessed(Fact, frozen=True):
    """A person, known by `how`, read or decided `what`."""

    who: str
    how: str
    what: str


class CheckpointMade(Fact, frozen=True):
    """A checkpoint was put into the second place; `digest` is the SHA-256 of it.

    `length` is how many bytes are covered of all other streams together.
    """

    number: int
    digest: str
    length: int = 0


class Redacted(Fact, frozen=True):
    """Personal texts were taken out of a line; it counts as long as its SHA-256 is `now`."""

    stream: str
    line: int
    now: str
    by: str
    reason: str


class Restored(Fact, frozen=True):
    """The ledger was put back from a backup made `at`, whose list has this SHA-256: what came after it is lost."""

    backup: str
    at: str
    by: str
