"""Text from outside: what a reader could not see in it.

What a person or a name says is refused with hidden characters, for it must be recorded exactly as it was written.
What is only shown (commit messages, reasons of machines) is stripped of them, for an event must not be lost over them.
"""

import unicodedata
from datetime import UTC, datetime

from shared.errors import NotUnderstood

# Controls, format characters (every bidi control is one), lone surrogates, line and paragraph separators.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# The joiners shape letters and emoji of living scripts.
_JOINERS = "\u200c\u200d"


def hidden_in(text: str, allowed: str = "") -> str:
    """Return the first character that a reader cannot see, or nothing; `allowed` are let through."""
    for character in text:
        if unicodedata.category(character) in _HIDDEN and character not in allowed and character not in _JOINERS:
            return character
    return ""


def shown(text: str, limit: int = 2000) -> str:
    """Return text for the eye: lines kept, hidden characters stripped, cut at `limit` characters."""
    # Twice the limit is enough to look at: nobody is made to wait by a message of megabytes.
    lines = text[: 2 * limit].replace("\r\n", "\n")
    return "".join(each for each in lines if not hidden_in(each, "\n\t")).strip()[:limit]


def exact(field: str, text: str, limit: int = 1024) -> str:
    """Return a name of one line unchanged; `NotUnderstood` when it is empty, too long or has hidden characters."""
    if not text.strip():
        raise NotUnderstood(f"The field {field} is empty; it must be given.")
    return _accepted(field, text, limit, "")


def prose(field: str, text: str, limit: int = 2000) -> str:
    """Return what a person wrote, line ends unified and edges trimmed; may be empty; refuses like `exact`."""
    return _accepted(field, text.replace("\r\n", "\n").strip(), limit, "\n\t")


def _accepted(field: str, text: str, limit: int, allowed: str) -> str:
    if len(text) > limit:
        raise NotUnderstood(f"The field {field} has {len(text)} characters; at most {limit} are allowed.")
    if found := hidden_in(text, allowed):
        raise NotUnderstood(
            f"The field {field} has a hidden or control character, U+{ord(found):04X}; write it without."
        )
    return text


def link(address: str, limit: int = 1024) -> str:
    """Return an address that a person may follow, unchanged; nothing when it is not of the web, too long or hidden."""
    seen = len(address) <= limit and not hidden_in(address) and " " not in address
    return address if seen and address.startswith(("https://", "http://")) else ""


def in_utc(time: str) -> str:
    """Return an ISO 8601 time in UTC, to the microsecond, so that such texts are in the order of time; else nothing."""
    try:
        moment = datetime.fromisoformat(time)
        return moment.astimezone(UTC).isoformat(timespec="microseconds") if moment.tzinfo else ""
    except (ValueError, OverflowError):
        return ""
