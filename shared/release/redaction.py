"""Redaction: personal texts are taken out of a line, and the lines behind it still fit."""

import re
from collections.abc import Callable

import msgspec

from shared.release import chain
from shared.release.chain import Line, Was


def taken_out(line: bytes, read: Line, head: str, data: bytes) -> bytes:
    """Return a line that holds `data` in place of what it held; `head` is the one that the original leads to.

    It keeps its signature, which is of what it was.
    """
    was = read.was or Was(chain.sha256(chain.without_signature(line, read.sig)), head)
    kept = Line(read.kind, read.at, read.prev, msgspec.Raw(data), read.sig, was)
    return msgspec.json.encode(kept) + b"\n"


WORD = "[redacted]"
TEXTS = frozenset("author email message reason advice by approver approvers makers required instead_of to who".split())
"""Fields that hold what a person is called, or wrote."""

ADDRESS = re.compile(r"[^\s<>\",;]+@[^\s<>\",;]+")


SAID = TEXTS | frozenset("subject said what note notes weaker notice".split())
"""Fields in which a person may be mentioned; the others hold words that the app itself goes by."""


def without_person(data: object, person: str) -> object:
    """Return what a line holds with every mention of a person taken out of its texts."""
    if not isinstance(data, dict):
        return data
    named = _named(person)

    def left(name: str, value: object) -> object:
        if name == "notice":
            return without_person(value, person)
        return _replaced(value, lambda text: named.sub(WORD, text)) if name in SAID else value

    return {name: left(name, value) for name, value in data.items()}


def mentions(text: str, person: str) -> bool:
    """Say whether a text names a person."""
    return _named(person).search(text) is not None


def _named(person: str) -> re.Pattern[str]:
    # Joana@example.org is not ana@example.org, and neither is ana@example.org.uk.
    return re.compile(rf"(?<![\w.%+@-]){re.escape(person)}(?![\w@-])(?!\.\w)", re.IGNORECASE)


def without_texts(data: object) -> object:
    """Return what a line holds with all texts taken out in which persons are named, or wrote something."""
    if not isinstance(data, dict):
        return data
    blank = {name: _replaced(value, lambda text: WORD if text else "") for name, value in data.items() if name in TEXTS}
    # A notice is what its sender wrote; without it the row tells what became of it, and cannot be taken in again.
    return data | blank | ({"notice": {}} if "notice" in data else {})


def without_addresses(data: object) -> object:
    """Return what a line holds with every e-mail address taken out."""
    return _replaced(data, lambda text: ADDRESS.sub(WORD, text))


def _replaced(value: object, text: Callable[[str], str]) -> object:
    match value:
        case str():
            return text(value)
        case list():
            return [_replaced(each, text) for each in value]
        case dict():
            return {name: _replaced(each, text) for name, each in value.items()}
        case _:
            return value
