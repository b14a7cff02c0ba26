"""The access log: who read or decided what, in one stream a month.

Only persons who proved who they are stand in it; a function key names nobody.
"""

from typing import Protocol

from shared.release import facts
from shared.streams import Streams


class Person(Protocol):
    """Somebody who proved who they are, and how."""

    @property
    def email(self) -> str:
        """Who it is."""

    @property
    def how(self) -> str:
        """What proves it, such as the login of the platform or a personal link."""


async def seen(streams: Streams, person: Person, what: str) -> None:
    """Record that a person read or decided `what`, such as `read release/<id>`."""
    await streams.add(stream_of(streams.clock().isoformat()), [facts.Accessed(person.email, person.how, what)])


def stream_of(at: str) -> str:
    """Return the stream of a month, from a time or a day in ISO 8601."""
    return f"access/{at[:7]}"
