"""Redaction: personal texts are taken out of a line, and the lines behind it still fit."""

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
