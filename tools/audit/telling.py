"""Who read or decided what, and everything as JSON Lines for other programs."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec

from shared.release import audit, chain, facts
from tools.audit.place import Place

MONTHS = "access/"
SAID = (MONTHS, "release/", "environment/")
"""Streams in which persons appear who read or decided something."""


async def accesses(place: Place, who: str = "") -> list[dict[str, str]]:
    """Return who read or decided what, newest first; of one person only, when named."""
    rows = [row for prefix in SAID for name in await place.ledger.streams(prefix) for row in await _of(place, name)]
    wanted = [row for row in rows if who.casefold() in ("", row["who"].casefold())]
    return sorted(wanted, key=lambda row: row["at"], reverse=True)


async def _of(place: Place, name: str) -> list[dict[str, str]]:
    told = ((record.at, _told(name.partition("/")[2], record.fact)) for record in (await place.read.read(name)).records)
    return [{"at": at} | row for at, row in told if row]


def _told(about: str, fact: facts.Fact) -> dict[str, str]:
    match fact:
        case facts.Accessed():
            return {"who": fact.who, "how": fact.how, "what": fact.what}
        case facts.Decided():
            return {"who": fact.approver, "how": fact.how, "what": f"{fact.decision} {about}: {fact.reason}"}
        case facts.GlassBroken() | facts.GlassConfirmed():
            what = "BREAK THE GLASS of" if isinstance(fact, facts.GlassBroken) else "confirm the broken glass of"
            return {"who": fact.by, "how": fact.how, "what": f"{what} {about}: {fact.reason}"}
        case facts.Held() | facts.Lifted():
            what = "hold" if isinstance(fact, facts.Held) else "lift"
            return {"who": fact.by, "how": fact.how or "claimed", "what": f"{what} {about}: {fact.reason}"}
        case facts.LiveDecided(why="rolled back"):
            return {"who": fact.by, "how": fact.how or "claimed", "what": f"roll {about} back to {fact.release}"}
    return {}


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
