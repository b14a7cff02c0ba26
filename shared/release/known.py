"""What was read of a release or an environment: the fold beside the stream it came from."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import msgspec
from msgspec import Struct

from shared.release import chain, environment, facts, project, state
from shared.release.policy import ApprovalPolicy, Verdict

Row = TypeVar("Row")


class KnownRelease(Struct, frozen=True):
    """A release as read; `address` is the stable production address of its project."""

    state: state.State
    stream: chain.Stream
    address: str


class KnownEnvironment(Struct, frozen=True):
    """An environment as read, with the releases that wait to get into it."""

    project: str
    name: str
    state: environment.EnvironmentState
    stream: chain.Stream
    waiting: tuple[KnownRelease, ...]
    address: str
    pending: str = ""
    """What data, drift or a schedule want of the project, and why it waits; empty when nothing is wanted."""
    rules_wait: bool = False
    """Whether projects.toml says another approval policy than the one in force."""
    glass: tuple[str, ...] = ()
    """The releases whose glass somebody broke, and that nobody confirmed yet."""


class KnownPolicy(Struct, frozen=True):
    """The approval policy in force and the one that is written in the file, which waits when it is another.

    `weaker` says what the written one lets through that the other stops, `backed` who agreed to it already.
    """

    project: str
    in_force: ApprovalPolicy
    written: ApprovalPolicy
    weaker: tuple[str, ...]
    backed: tuple[str, ...]
    set: facts.PolicySet | None
    """None while no release of the project was asked about."""

    @property
    def waits(self) -> bool:
        """Whether the written policy is another than the one in force."""
        return self.in_force.digest != self.written.digest

    def plain(self) -> dict[str, Any]:
        """Return it as people and programs read it."""
        sides = {"in_force": self.in_force, "written": self.written}
        told = {name: {"digest": rules.digest} | msgspec.to_builtins(rules) for name, rules in sides.items()}
        since = {"by": list(self.set.by), "reason": self.set.reason} if self.set else {"by": [], "reason": ""}
        waits = {"waits": self.waits, "weaker": list(self.weaker), "agreed": list(self.backed)}
        return {"project": self.project, **told, "set": since, **waits, "may_accept": list(self.in_force.admins)}


class CameInRow(Struct, frozen=True):
    """Something that came in, or was decided about it; `project` is empty for what is no project's."""

    project: str
    record: chain.Record
    line: int = 0
    """Its place in its stream, from 1, by which it is replayed; 0 for what a release keeps."""
    release: str = ""
    """The release that keeps it."""


class LastHeard(Struct, frozen=True):
    """When a source last told a project something; `at` is empty when it never did.

    `expected` is in hours, how long it may be silent; 0 when nothing is expected of it.
    """

    project: str
    source: str
    at: str
    expected: float = 0.0
    previous: str = ""
    """The secret that proved it then, when it is not the first of the project's: it is to be given the first."""


class KnownProject(Struct, frozen=True):
    """A project as read, with the newest of its open releases, of which there are `open`."""

    name: str
    state: project.ProjectState
    environments: tuple[KnownEnvironment, ...]
    newest: tuple[KnownRelease, ...]
    open: int


class Seen(Struct, Generic[Row], frozen=True):
    """Rows `start` to `end` of a list that only grows, counted from its oldest, newest first; there are `count`."""

    rows: Sequence[Row]
    count: int
    start: int
    end: int


class Before(Struct, frozen=True):
    """What a release would replace, and what tells how it differs; `old` is None when nothing is live."""

    old: state.State | None
    between: tuple[facts.ReleaseNumbered, ...]
    requirements: str
    old_requirements: str
    newer: str = ""
    """The release that people are asked about in place of this one; empty when it is the newest."""


class Agreement(Struct, frozen=True):
    """What a question is judged by, what was decided so far comes to, and why somebody who looks may not decide.

    `refused` says it by decision, and holds none that they may take.
    """

    rules: ApprovalPolicy
    verdict: Verdict
    refused: Mapping[str, str]
