"""Notices to people as e-mail files in a folder, which any mail program opens."""

import asyncio
import hashlib
import logging
import re
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

from shared.backends.local.durable import locked, write_durably

log = logging.getLogger("signalbox")


class OutboxNotifier:
    """`Notifier` in `<state>/outbox/<name>-<to>.eml`; nothing leaves this machine."""

    def __init__(self, state: Path) -> None:
        self._folder = state / "outbox"

    async def notify(self, name: str, to: str, subject: str, text: str) -> None:
        """Write one message to one person; the same name to the same person is written once."""
        await asyncio.to_thread(self._notify, name, to, subject, text)

    def _notify(self, name: str, to: str, subject: str, text: str) -> None:
        path = self._folder / f"{_plain(name)}-{_plain(to)}.eml"
        with locked(self._folder / ".lock"):
            if not path.exists():
                write_durably(path, _message(name, to, subject, text))
                log.info("mail to %s: %s (%s)", to, subject, path)


def _message(name: str, to: str, subject: str, text: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["From"] = "signalbox@localhost"
    # A line break in a header would let its author write further headers.
    message["To"], message["Subject"] = (" ".join(value.split()) for value in (to, subject))
    message["Message-ID"] = f"<{hashlib.sha256(f'{name}|{to}'.encode()).hexdigest()[:32]}@signalbox.localhost>"
    message.set_content(text)
    return message.as_bytes()


def _plain(name: str) -> str:
    """Return a file name; names that become the same are told apart by a digest."""
    plain = re.sub(r"[^A-Za-z0-9@._-]", "_", name).lstrip(".")
    if plain == name and len(name) <= 100:
        return plain
    return f"{plain[:80]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
