"""Channels of teams and mailboxes of people, over Apprise.

The address of a channel holds its secret, so nothing that Apprise or its transport says reaches a log or a fact.
"""

import asyncio
import logging
import re
from collections.abc import Mapping
from urllib.parse import quote

from shared.errors import Blocked, Unavailable

_QUIET = ("apprise", "urllib3.connectionpool", "requests_oauthlib")
SECONDS = "cto=5&rto=5"
"""How long a channel is waited for, to connect and to answer, as an address says it."""


class AppriseChannels:
    """`Channels`; `mail` is an address with `{to}` in it, empty when people get no mails."""

    def __init__(self, channels: Mapping[str, str], mail: str) -> None:
        self._channels, self._mail = channels, mail
        self.mails = bool(mail)

    async def send(self, channel: str, subject: str, text: str) -> None:
        """Send to a channel by the name of its secret."""
        await asyncio.to_thread(_send, f"SECRET_{channel}", self._channels[channel], subject, text)

    async def mail(self, person: str, subject: str, text: str) -> None:
        """Send to one person."""
        await asyncio.to_thread(_send, "MAIL", self._mail.replace("{to}", quote(person, safe="")), subject, text)


class _Heard(logging.Handler):
    """Keeps of what Apprise says the number its target answered with: the rest may hold the address."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.answered = ""

    def emit(self, record: logging.LogRecord) -> None:
        """Look for the number."""
        found = re.search(r"error[ =:]+(\d{3})\b", record.getMessage())
        self.answered = found[1] if found else self.answered


def _send(named: str, address: str, subject: str, text: str) -> None:
    import apprise

    for name in _QUIET:
        logging.getLogger(name).propagate = False
    channel = apprise.Apprise.instantiate(address, suppress_exceptions=True)
    if channel is None:
        raise Blocked(f"{named} is no address that Apprise knows; see its list of services and set the secret anew")
    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    try:
        sent = channel.notify(body=text, title=subject, body_format=apprise.NotifyFormat.TEXT)
    finally:
        logger.removeHandler(heard)
    if not sent:
        how = f"answered {heard.answered}" if heard.answered else "did not take it"
        raise Unavailable(f"the service behind {named} {how}; see that it is up and that the secret is its address")
