"""The facts of a project: what came in, what is wanted, the numbers of its releases and what became of them."""

from collections.abc import Mapping
from typing import Any, Literal

from shared.release.facts.fact import Became, Cause, Fact, GovernedWhy, VersionSeen


class DataArrived(Fact, frozen=True):
    container: str
    name: str
    size: int
    etag: str
    sequencer: str
    time: str = ""
    """When it was written, in ISO 8601 and UTC, as its event says; empty when it does not."""


class CameIn(Fact, frozen=True):
    """Something came in and this became of it; `release` is empty when it led to none."""

    source: str
    subject: str
    became: Became
    reason: str
    delivery: str = ""
    release: str = ""
    secret: str = ""
    """The name of the project's secret that proved the sender; empty when nothing is proved by one."""
    notice: Mapping[str, Any] = {}
    """What it told, as `notices.kept` has it, so that it can be taken in again; empty when that is not kept."""


class ReleaseNumbered(Fact, frozen=True):
    """A release takes its place in the order of its project; with it stands all that was asked for.

    Its data are the arrivals that stand before this fact.
    """

    release: str
    number: int
    commit: str
    data: str
    cause: Cause
    ask: str = ""
    by: str = ""
    reason: str = ""
    at: int = 0
    """Seconds since 1970; the governor's budget is counted by it."""
    version: VersionSeen | None = None
    """The version that others registered and this release adopts; then `commit` is that of the code it is scored with,
    the last that passed check before this fact."""
    how: str = ""
    """What proved who `by` is; empty when they only said so."""


class TrainingWanted(Fact, frozen=True):
    """Data, drift or a schedule wants the project trained again; the governor says when.

    `key` is the same for a repeat, `at` in seconds since 1970.
    """

    key: str
    cause: Cause
    subject: str
    reason: str
    at: int
    ask: str = ""


class Governed(Fact, frozen=True):
    """What the governor decided about all that was wanted before this: it waits, or it is in a release already."""

    decision: Literal["waits", "merged"]
    why: GovernedWhy
    reason: str
    release: str = ""
    until: int = 0


class ScheduleSet(Fact, frozen=True):
    """The operator's schedule was seen for the first time; it comes due after `since`, seconds since 1970."""

    schedule: str
    since: int


class CommitPassed(Fact, frozen=True):
    """A commit passed check: new data and drift may train it again."""

    release: str
    number: int
    commit: str


class CiEnded(Fact, frozen=True):
    """The outside CI that the operator named came to its end for a commit, and `said` so.

    Of several runs the one with the highest (run, tries) counts, in whatever order they were heard.
    """

    name: str
    commit: str
    verdict: Literal["success", "failure"]
    said: str
    link: str = ""
    run: int = 0
    tries: int = 0


class ApprovalAsked(Fact, frozen=True):
    """People are asked about this release; older ones that still wait are superseded."""

    release: str
    number: int


class NewerBegun(Fact, frozen=True):
    """The code of this release was read, and `on_newer = "cancel"`: older ones that still run are superseded."""

    release: str
    number: int


class ReleaseParked(Fact, frozen=True):
    """It waits for a person: nothing waits for it."""

    release: str


class ReleaseResumed(Fact, frozen=True):
    release: str


class ReleaseClosed(Fact, frozen=True):
    release: str
    how: str


class GlassWaits(Fact, frozen=True):
    """Somebody breaks the glass of a release: the patrol sees to it that it is confirmed, or production held."""

    release: str
    round: int


class GlassSettled(Fact, frozen=True):
    """It was confirmed, or was not in time, or the glass was not broken after all."""

    release: str
    round: int
    how: Literal["confirmed", "unconfirmed", "unused"]


class PolicyBacked(Fact, frozen=True):
    """One of the two who must agree on a weaker approval policy has; `digest` is the new one, `old` that in force."""

    digest: str
    old: str
    by: str
    reason: str
    at: int = 0
    """Seconds since 1970; it counts for as long as people have to answer."""


class BackingEnded(Fact, frozen=True):
    """What was backed counts no more: the file says another policy since."""

    digest: str
    reason: str


class PolicySet(Fact, frozen=True):
    """This approval policy is in force in place of `old`, which is empty for the first.

    It counts only while `old` is in force. `weaker` says what it lets through that the old one stopped.
    """

    digest: str
    old: str
    by: tuple[str, ...]
    reason: str
    weaker: tuple[str, ...] = ()
