"""What was read of a release or an environment: the fold beside the stream it came from."""

from msgspec import Struct

from shared.release import chain, environment, state


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
