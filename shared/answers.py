"""What goes back to whoever asked, and the messages that ask for work."""

import json
from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

Kind = Literal["application/json", "text/html", "text/plain", "text/css"]
# Without a charset: the SDK adds it to whatever begins with text/.
HTML: Kind = "text/html"


class Order(Struct, frozen=True, omit_defaults=True):
    """A message that asks for work: a step of a release, or `look` at whichever it stands at, or `close` after its end;
    `converge` of an environment; `govern` of a project; `tell` what became of a release or an environment.
    """

    step: str
    release: str = ""
    round: int = 1
    project: str = ""
    environment: str = ""

    def text(self) -> str:
        """Return the queue message."""
        return msgspec.json.encode(self).decode()


class Answer(Struct, frozen=True):
    """What goes back to whoever asked, and the work that is now due; `json` bodies unless `kind` says otherwise.

    `also` are headers beside those that every answer has, or in their place.
    """

    status: int = 200
    body: Any = None
    orders: tuple[Order, ...] = ()
    kind: Kind = "application/json"
    also: Mapping[str, str] = {}

    def content(self) -> bytes:
        """Return the bytes of the body."""
        if isinstance(self.body, bytes):
            return self.body
        return self.body.encode() if isinstance(self.body, str) else json.dumps(self.body).encode()

    def headers(self) -> dict[str, str]:
        """Return headers that keep pages from being framed, stored, sniffed or leaking their address."""
        return {
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self' data:; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            **self.also,
        }

    def messages(self) -> list[str]:
        """Return the queue messages."""
        return [order.text() for order in self.orders]
