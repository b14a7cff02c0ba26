"""What was served at a time: which release, by whose decision, on what evidence, of what commit, data and image."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from shared.errors import Conflict, NotFound, NotUnderstood
from shared.release import chain, facts, ids
from shared.streams import Streams, environment_stream, release_stream
from tools.audit.place import Place
from tools.audit.verifying import Verified, verify

F = TypeVar("F", bound=facts.Fact)


class Served(Struct, frozen=True):
    """One stretch of time in which one release answered; times are ISO 8601, empty when they are not known."""

    decided: facts.LiveDecided
    before: facts.LiveDecided | None
    """What may still have answered, for the other one was decided and not yet seen at that time."""
    alias: str
    since: str
    seen: str
    until: str
    approved: tuple[str, ...]
    glass: str
    """Who let it live alone, and whether a second person stood behind that; empty when nobody broke the glass."""
    evidence: str
    policy: str
    commit: str
    author: str
    data: str
    blobs: int
    verified: Verified


async def what_served(place: Place, project: str, at: str) -> Served:
    """Return what production of a project answered from at a time; `NotFound` when that was nothing.

    `Conflict` names the line because of which nobody can say.
    """
    try:
        return await _what_served(place, project, at)
    except chain.Broken as error:
        names = [name for name in await place.ledger.streams("") if name in str(error)]
        raise Conflict(proven(await verify(place, names))) from error


async def _what_served(place: Place, project: str, at: str) -> Served:
    moment, streams = when(at), place.read
    name = environment_stream(project, "production")
    rows = (await streams.read(name)).records
    if not rows:
        raise NotFound(f"production of {project} has no history here")
    decided = [row for row in rows if isinstance(row.fact, facts.LiveDecided)]
    before = [number for number, row in enumerate(decided) if when(row.at) <= moment]
    if not before:
        first = decided[0].at if decided else "never"
        raise NotFound(f"nothing served {project} at {at}: the first release went live {first}")
    row = decided[before[-1]]
    following = decided[before[-1] + 1].at if before[-1] + 1 < len(decided) else ""
    assert isinstance(row.fact, facts.LiveDecided)
    seen = next((each.at for each in rows if each.fact == facts.LiveSeen(row.fact.generation, row.fact.release)), "")
    sure = bool(seen) and when(seen) <= moment
    other = decided[before[-2]].fact if len(before) > 1 and not sure else None
    earlier = other if isinstance(other, facts.LiveDecided) else None
    verified = await verify(place, [name, release_stream(row.fact.release)])
    return await _served(streams, row.fact, earlier, (row.at, seen, following), verified)


async def _served(
    streams: Streams,
    decided: facts.LiveDecided,
    before: facts.LiveDecided | None,
    times: tuple[str, str, str],
    verified: Verified,
) -> Served:
    known = (await streams.read(release_stream(decided.release))).facts
    opened, code = _last(known, facts.ReleaseOpened), _last(known, facts.CodeRead)
    asked, approved = _last(known, facts.Asked), _last(known, facts.Approved)
    since, seen, until = times
    return Served(
        decided=decided,
        before=before,
        alias=ids.alias(decided.release),
        since=since,
        seen=seen,
        until=until,
        approved=approved.by if approved else (),
        glass=_glass(known) if approved and approved.glass else "",
        evidence=asked.evidence if asked else decided.evidence,
        policy=(asked.policy if asked else "") or (opened.policy if opened else ""),
        commit=opened.commit if opened else "",
        author=(code.email or code.author) if code else "",
        data=opened.data if opened else "",
        blobs=len(opened.blobs) if opened else 0,
        verified=verified,
    )


def _glass(known: Sequence[facts.Fact]) -> str:
    broken, confirmed = _last(known, facts.GlassBroken), _last(known, facts.GlassConfirmed)
    if broken is None:
        return ""
    second = f"confirmed by {confirmed.by}" if confirmed else "CONFIRMED BY NOBODY"
    return f"THE GLASS WAS BROKEN by {broken.by} ({broken.reason}), {second}"


def _last(known: Sequence[facts.Fact], kind: type[F]) -> F | None:
    return next((fact for fact in reversed(known) if isinstance(fact, kind)), None)


def when(text: str) -> datetime:
    """Read a time in ISO 8601; one without a zone is in UTC."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise NotUnderstood(f"{text!r} is no time: write it as 2026-03-03T14:00 (UTC) or with its zone") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def told(served: Served) -> str:
    """Return it as an auditor reads it."""
    one, proof = served.decided, served.verified
    seen = f" (seen {_short(served.seen)})" if served.seen else " (never seen to answer)"
    lines = [f"v{one.version} {served.alias}, live from {_short(served.since)}{seen} until {_short(served.until)}"]
    if served.before:
        sight = (
            f"was first seen to answer {_short(served.seen)}" if served.seen else "was decided, and not seen to answer"
        )
        lines.append(f"or still v{served.before.version} {ids.alias(served.before.release)}: v{one.version} {sight}")
    if served.glass:
        lines.append(served.glass)
    if one.why == "rolled back":
        lines.append(f"put back by {one.by}")
    by = " and ".join(served.approved) or "nobody"
    policy = f"   policy sha256:{served.policy.removeprefix('sha256:')[:12]}…" if served.policy else ""
    lines.append(f"approved by {by} on evidence {served.evidence[:19]}…{policy}")
    what = "package" if one.deploys else "image"
    lines.append(
        f"commit {served.commit[:7]} by {served.author or 'somebody unknown'}, data version {served.data[:12]} "
        f"({served.blobs} blobs), {what} {one.image[:19]}…"
    )
    return "\n".join([*lines, proven(proof)])


def proven(proof: Verified) -> str:
    """Say how far what was read is proven."""
    if not proof.whole:
        return "NOT PROVEN: " + "; ".join([*proof.wrong, *map(str, proof.findings)])
    count = sum(one.lines for one in proof.streams)
    upto = f"verified to checkpoint {proof.checkpoint}" if proof.checkpoint else "holds, and no checkpoint covers it"
    return f"chain {upto}, {count} facts, " + ("signatures good" if proof.signing else "signed by nobody")


def _short(at: str) -> str:
    return when(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S") if at else "now"
