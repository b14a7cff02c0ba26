"""Channels of teams and mailboxes of people, over Apprise.

The address of a channel holds its secret, so nothing that Apprise or its transport says reaches a log or a fact.
"""

import logging
import re
import threading
from collections.abc import Mapping
from functools import partial
from urllib.parse import quote

from shared.backends.beside import SECONDS, Beside
from shared.errors import Blocked, Unavailable

# What they say at the level DEBUG holds the path of a request, which is the secret of many a channel.
_SAYS_PATHS = ("urllib3.connectionpool", "requests_oauthlib")

_SPEAKS = re.compile(
    r"(?<![\w.])@(?=(?:everyone|here|channel|all|room|group)\b)"  # calls everybody
    r"|<(?=[@!#&]|[a-z][a-z0-9+.-]*:\S)"  # calls one, or hides an address behind words
    r"|\](?=[(\[])",  # likewise in Markdown, where an image is fetched too
    re.IGNORECASE,
)
_NOTHING = "\u200b"
"""A space of no width: between two signs that mean something only together."""


def plain(text: str) -> str:
    """Return a text that calls nobody, and hides no address: authors and the code of projects wrote parts of it."""
    return _SPEAKS.sub(lambda found: found[0] + _NOTHING, text)


class AppriseChannels:
    """`Channels`; `mail` is an address with `{to}` in it, empty when people get no mails."""

    def __init__(self, channels: Mapping[str, str], mail: str, seconds: float = SECONDS) -> None:
        self._channels, self._mail, self._beside = channels, mail, Beside(seconds)
        self.mails = bool(mail)

    async def send(self, channel: str, subject: str, text: str) -> None:
        """Send to a channel by the name of its secret."""
        named = f"SECRET_{channel}"
        sent = partial(_send, named, self._channels[channel], plain(subject), plain(text))
        await self._beside.run(f"the service behind {named}", sent)

    async def mail(self, person: str, subject: str, text: str) -> None:
        """Send to one person."""
        sent = partial(_send, "MAIL", self._mail.replace("{to}", quote(person, safe="")), subject, text)
        await self._beside.run("the service behind MAIL", sent)


class _Silence(logging.Filter):
    """Lets nothing of Apprise through, and keeps the number that the target of this thread answered with."""

    def __init__(self) -> None:
        super().__init__()
        self.of_thread = threading.local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Look for the number."""
        if found := re.search(r"error=(\d{3})\b", record.getMessage()):
            self.of_thread.answered = found[1]
        return False


_SILENCE = _Silence()


def _send(named: str, address: str, subject: str, text: str) -> None:
    import apprise

    for name in _SAYS_PATHS:
        logging.getLogger(name).setLevel(logging.INFO)
    logging.getLogger("apprise").addFilter(_SILENCE)
    _SILENCE.of_thread.answered = ""
    asset = apprise.AppriseAsset(
        app_id="Signalbox",
        app_desc="Signalbox",
        app_url="",
        image_url_mask="",
        image_url_logo="",
        http_redirects=False,
    )
    channel = apprise.Apprise.instantiate(address, asset=asset)
    if not isinstance(channel, apprise.NotifyBase):
        raise Blocked(f"{named} is no address that Apprise knows; set it as the list of services of Apprise says")
    # Also where its address says otherwise: what it says is for whoever the operator named, and for nobody they name.
    channel.redirects = False
    if not channel.notify(body=text, title=subject, body_format=apprise.NotifyFormat.TEXT):
        how = f"answered {_SILENCE.of_thread.answered}" if _SILENCE.of_thread.answered else "did not take it"
        raise Unavailable(f"the service behind {named} {how}; see that it is up and that the secret is its address")
