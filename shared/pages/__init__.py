"""Pages for people, rendered on the server; no script is needed to read or to decide."""

from shared.pages.approval import approval, deciding, interval, refusing, wants_page
from shared.pages.assets import asset
from shared.pages.walking import page
from shared.pages.way import arriving

__all__ = [
    "approval",
    "arriving",
    "asset",
    "deciding",
    "interval",
    "page",
    "refusing",
    "wants_page",
]
