"""Queue messages in a storage account, as the real host keeps them: it has a clock of its own, so `now` is not used.

A host that is killed cannot give back what it leased: it comes again when its lease ends.
"""

import base64
import binascii
import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from shared.backends.blobs.account import repeated
from tools.local.queue_store import WEEK, Message

log = logging.getLogger("host")
T = TypeVar("T")
_MOST = 32
_SOONEST = 0.1
_NEVER = 9999


class StorageQueues:
    """The queues of one account. `encoding` is host.json's messageEncoding; raises Unavailable when it is away."""

    lease = 30.0
    """Short, as a message of a host that was killed waits so long; it is renewed while its function runs."""

    def __init__(self, connection: str, encoding: str, longest_wait: float, **options: Any) -> None:
        self._account = QueueServiceClient.from_connection_string(
            connection, retry_total=0, connection_timeout=3, read_timeout=8, **options
        )
        self._encoded = encoding == "base64"
        self._longest_wait = longest_wait
        self._idle: dict[str, int] = defaultdict(int)

    def close(self) -> None:
        """Close the connections."""
        self._account.close()

    def put(self, messages: Sequence[tuple[str, str]], now: float) -> None:
        """Add `messages` (queue, body), one after another: an error leaves those before it, as on Azure."""
        for queue, body in messages:
            self._send(queue, self._written(body), WEEK)

    def take(self, queue: str, most: int, lease: float, now: float) -> Sequence[Message]:
        """Lease up to `most` visible messages of `queue` for `lease` seconds, mostly oldest first."""
        client, number = self._account.get_queue_client(queue), min(most, _MOST)

        def receive() -> list[QueueMessage]:
            return list(client.receive_messages(max_messages=number, visibility_timeout=int(lease)))

        try:
            # An answer that was lost costs a lease and a dequeue count, as on Azure.
            found = [_message(queue, one) for one in repeated(queue, receive)]
        except ResourceNotFoundError:
            found = []
        self._idle[queue] = 0 if found else self._idle[queue] + 1
        return [read for one in found if (read := self._read(one)) is not None]

    def renew(self, message: Message, lease: float, now: float) -> Message:
        """Keep the lease of `message`; what is returned is the one to go on with, as its receipt changes."""
        return self._until(message, lease)

    def release(self, message: Message, delay: float, now: float) -> None:
        """Give `message` back; it is visible again after `delay` seconds."""
        self._until(message, delay)
        self._idle[message.queue] = 0

    def delete(self, message: Message) -> None:
        """The work is done; `message` does not come again."""
        client = self._account.get_queue_client(message.queue)
        self._change(message, lambda: client.delete_message(message.id, message.receipt))

    def poison(self, message: Message, now: float) -> None:
        """Move `message` to its poison queue, where it never expires; a crash in between leaves it in both."""
        self._send(f"{message.queue}-poison", self._written(message.body), -1)
        self.delete(message)

    def free_all(self, now: float) -> int:
        """Nobody knows what a host leased that is gone: its leases end by themselves."""
        return 0

    def next_visible(self, queue: str, now: float) -> float:
        """When to look again: an account tells nobody of new messages, so a queue that stays empty is asked less."""
        return now + min(self._longest_wait, _SOONEST * 2.0 ** min(self._idle[queue], 16))

    def count(self, queue: str) -> int:
        """How many messages `queue` holds, leased and delayed ones included."""
        try:
            found = repeated(queue, self._account.get_queue_client(queue).get_queue_properties)
        except ResourceNotFoundError:
            return 0
        return int(found.approximate_message_count or 0)

    def _send(self, queue: str, content: str, lives: float) -> None:
        client = self._account.get_queue_client(queue)

        def send() -> None:
            client.send_message(content, time_to_live=int(lives))

        try:
            repeated(queue, send)
        except ResourceNotFoundError:
            _make(client)
            repeated(queue, send)

    def _until(self, message: Message, seconds: float) -> Message:
        client = self._account.get_queue_client(message.queue)

        def update() -> Message:
            told = client.update_message(message.id, message.receipt, visibility_timeout=int(seconds))
            return _with_lease(message, told)

        return self._change(message, update) or message

    @staticmethod
    def _change(message: Message, call: Callable[[], T]) -> T | None:
        """Do it if the lease of `message` is still ours; None when it is not."""

        def changed() -> T | None:
            try:
                return call()
            except HttpResponseError as error:
                if error.status_code == 404 or getattr(error, "error_code", "") == "PopReceiptMismatch":
                    return None
                raise

        return repeated(message.queue, changed)

    def _written(self, body: str) -> str:
        return base64.b64encode(body.encode()).decode() if self._encoded else body

    def _read(self, message: Message) -> Message | None:
        """Decode a message; one that cannot be goes to its poison queue as it is, as on the real host."""
        if not self._encoded:
            return message
        try:
            body = base64.b64decode(message.body, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            log.error("message %s is not base64 of text; moved to %s-poison", message.id, message.queue)
            self._send(f"{message.queue}-poison", message.body, -1)
            self.delete(message)
            return None
        return replace(message, body=body)


def _make(client: QueueClient) -> None:
    try:
        repeated(client.queue_name, client.create_queue)
    except ResourceExistsError:
        return


def _message(queue: str, found: QueueMessage) -> Message:
    return Message(
        id=found.id,
        queue=queue,
        body=found.content,
        inserted=_seconds(found.inserted_on),
        expires=None if found.expires_on is None or found.expires_on.year >= _NEVER else _seconds(found.expires_on),
        visible=_seconds(found.next_visible_on),
        dequeues=int(found.dequeue_count or 0),
        receipt=str(found.pop_receipt),
    )


def _with_lease(message: Message, told: QueueMessage) -> Message:
    return replace(message, visible=_seconds(told.next_visible_on), receipt=str(told.pop_receipt))


def _seconds(at: datetime | None) -> float:
    return at.timestamp() if at else 0.0
