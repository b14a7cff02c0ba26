"""The access log, and everything as JSON Lines for other programs."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from shared.release import audit, chain, facts
from tools.audit.place import Place

MONTHS = "access/"


async def accesses(place: Place, who: str = "") -> list[dict[str, str]]:
    """Return who read or decided what, newest first; of one person only, when named."""
    rows: list[dict[str, str]] = []
    for name in await place.ledger.streams(MONTHS):
        for record in (await place.streams.read(name)).records:
            if isinstance(record.fact, facts.Accessed) and who.casefold() in ("", record.fact.who.casefold()):
                rows.append({"at": record.at} | msgspec.to_builtins(record.fact))
    return rows[::-1]


async def exported(place: Place, prefix: str = "") -> AsyncIterator[dict[str, Any]]:
    """Yield every line of every stream, with its stream, its number, and the SHA-256 of its bytes."""
    for name in await place.ledger.streams(prefix):
        for number, line in enumerate(audit.lines_of(await place.ledger.read(name)), start=1):
            where = {"stream": name, "line": number, "sha256": chain.sha256(line)}
            read = audit.read_line(line)
            if read is None:
                yield where | {"unreadable": line.decode(errors="backslashreplace")}
                continue
            told = {"kind": read.kind, "at": read.at, "data": msgspec.json.decode(read.data)}
            yield where | told | {"signed": bool(read.sig), "redacted": read.was is not None}
