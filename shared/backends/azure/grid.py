"""Event Grid as the way to people: a notice is an event, and whoever subscribes sends it on as mail or to a chat.

Nothing is kept here: what is to be told is in the ledger, and a step that could not tell it comes again.
The id of an event is computed, so a notice told twice is one notice to whoever looks at ids.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

from shared.backends.azure.workspace import Azure
from shared.errors import Blocked, Unavailable
from shared.release.ids import canonical, sha256

PERSON_TOLD = "Signalbox.PersonTold"
AUDIENCE = "https://eventgrid.azure.net"
CONNECT = 3.0
LIFE = 3600
"""Seconds that the client may think a token lasts: the client itself lasts for one event."""
PAUSE = 0.5
"""Seconds before it is sent again."""


class Topic:
    """One Event Grid topic; without a `key` as whoever this app runs as.

    The client's own retries do not cover a refused connection or a full topic, and sending twice is harmless here:
    so it is sent `Scope.attempts` times from here, and never by the client itself.
    """

    def __init__(self, endpoint: str, key: str, azure: Azure, pause: Callable[[float], None] = time.sleep) -> None:
        self._endpoint, self._key, self._azure, self._pause = endpoint, key, azure, pause

    async def publish(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        """Publish one event, whose id is computed from all of it.

        `Unavailable` when the topic did not take it, `Blocked` when it does not let us or we cannot sign in.
        """
        try:
            await asyncio.to_thread(self._publish, kind, subject, data)
        except Blocked:
            if not self._key:
                # The token may be older than the role it needs.
                self._azure.tokens().forget()
            raise

    def _publish(self, kind: str, subject: str, data: Mapping[str, Any]) -> None:
        from azure.eventgrid import EventGridEvent, EventGridPublisherClient

        scope = self._azure.scope
        named = sha256(canonical([kind, subject, dict(data)]))[7:39]
        event = EventGridEvent(subject, kind, dict(data), "1.0", id=named)
        bounds: dict[str, Any] = {"retry_total": 0, "connection_timeout": CONNECT, "read_timeout": scope.timeout}
        with EventGridPublisherClient(self._endpoint, self._signed()) as client:
            for left in reversed(range(scope.attempts)):
                problem = _sent(lambda: client.send(event, **bounds))
                if problem is None:
                    return
                if left:
                    self._pause(PAUSE)
        raise Unavailable(f"the topic did not take {kind} for {subject} ({problem}); it is sent again")

    def _signed(self) -> Any:
        from azure.core.credentials import AccessToken, AzureKeyCredential

        if self._key:
            return AzureKeyCredential(self._key)
        token = self._azure.ask("a token for the topic", self._azure.tokens().of, AUDIENCE)
        return _Held(AccessToken(token, int(time.time()) + LIFE))


class _Held:
    """A token that is had already, as the client asks for one: kept and renewed where all tokens of this app are."""

    def __init__(self, token: Any) -> None:
        self._token = token

    def get_token(self, *scopes: str, **options: Any) -> Any:
        """Return it."""
        return self._token


def _sent(send: Callable[[], None]) -> str | None:
    """Send once; the answer is why it was not taken. `Blocked` when sending again is of no use."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        send()
    except (ClientAuthenticationError, HttpResponseError) as error:
        if error.status_code in (401, 403):
            advice = "see TOPIC_KEY, or without it give this app the role 'EventGrid Data Sender' on the topic"
            raise Blocked(f"the topic does not take events of ours ({_said(error)}); {advice}") from error
        return _said(error)
    except AzureError as error:
        return _said(error)
    return None


def _said(error: Exception) -> str:
    """Return the first line of what was said: what follows may be the whole request."""
    message = getattr(error, "message", None)
    first = message.strip().splitlines() if isinstance(message, str) else []
    return first[0][:300] if first else type(error).__name__


class GridNotifier:
    """`Notifier` over a topic: Signalbox.PersonTold with {name, to, subject, text}."""

    def __init__(self, topic: Topic) -> None:
        self._topic = topic

    async def notify(self, name: str, to: str, subject: str, text: str) -> None:
        """Publish one notice to one person; the same name to the same person is the same event."""
        data = {"name": name, "to": to, "subject": subject, "text": text}
        await self._topic.publish(PERSON_TOLD, f"people/{to}", data)
