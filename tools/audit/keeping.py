"""Backup and restore: ledger, marks and artifacts as files, verified before they are put back."""

import asyncio
import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec
from msgspec import Struct

from shared.backends.local.durable import write_durably
from shared.backends.memory import MemoryArtifacts, MemoryLedger
from shared.errors import Conflict, NotFound, Unavailable
from shared.ports import Ledger
from shared.release import chain, facts
from shared.streams import AUDIT
from tools.audit.place import Place
from tools.audit.verifying import Verified, verify

LIST = "backup.json"
DIGEST = re.compile(rb"sha256:[0-9a-f]{64}")
LOOKS = 50
LISTED = re.compile(r"(ledger(?=/.*\.jsonl$)|marks|artifacts(?=/[0-9a-f]{64}$))/([^/\\]+)")
SCANNED = 1_000_000
"""An artifact of no more bytes is looked through for the names of others."""

NO_KEY = "no key is known that proves a line, so anybody may have written them; give the key, or take them --unproven"


class Listed(Struct, frozen=True):
    """The list of a backup: the SHA-256 of every file; it is written last, so one without it is not whole."""

    at: str
    files: dict[str, str]


class Held(Struct, frozen=True):
    """What a backup holds, by name."""

    at: str
    streams: dict[str, bytes]
    marks: dict[str, bytes]
    artifacts: dict[str, bytes]
    digest: str
    """SHA-256 of the list."""


async def backup(place: Place, folder: Path, at: str) -> Held:
    """Copy ledger and marks of one moment, and all artifacts they name, into a folder that is empty or not there."""
    if await asyncio.to_thread(_holds_something, folder):
        raise Conflict(f"{folder} is not empty: give a folder of its own to each backup")
    lengths, marks = await _moment(place.ledger)
    streams = {name: await _cut(place.ledger, name, length) for name, length in lengths.items() if length}
    # Whatever names an artifact was written after it.
    artifacts = await _artifacts(place, [*streams.values(), *marks.values()])
    files = {f"ledger/{_file(name)}.jsonl": content for name, content in streams.items()}
    files |= {f"marks/{_file(name)}": content for name, content in marks.items()}
    files |= {f"artifacts/{digest.removeprefix('sha256:')}": content for digest, content in artifacts.items()}
    for name, content in files.items():
        await asyncio.to_thread(write_durably, folder / name, content)
    listed = msgspec.json.encode(Listed(at, {name: _sha256(content) for name, content in files.items()}))
    await asyncio.to_thread(write_durably, folder / LIST, listed)
    return Held(at, streams, marks, artifacts, _sha256(listed))


async def _moment(ledger: Ledger) -> tuple[dict[str, int], dict[str, bytes]]:
    """Return how long every stream was at one moment, and the marks of that moment.

    Streams only grow: when two looks find the same, nothing came between them.
    One that is copied later than another would show what follows from a fact that is not in the copy.
    """
    before = None
    for _ in range(LOOKS):
        seen = await ledger.lengths(""), dict(await ledger.marks(""))
        if seen == before:
            return seen
        before = seen
    raise Unavailable(
        f"the ledger was written between any two of {LOOKS} looks: take the backup while less is going on"
    )


async def _cut(ledger: Ledger, name: str, length: int) -> bytes:
    content = (await ledger.read(name))[:length]
    if len(content) != length or not content.endswith(b"\n"):
        raise Unavailable(f"{name} was put back or redacted while it was copied: take the backup again")
    return content


async def _artifacts(place: Place, contents: Iterable[bytes]) -> dict[str, bytes]:
    """Return every artifact that is named, also by another one; images and models are named too and kept elsewhere."""
    wanted = {found.decode() for content in contents for found in DIGEST.findall(content)}
    held: dict[str, bytes] = {}
    asked: set[str] = set()
    while new := wanted - asked:
        asked |= new
        for digest in sorted(new):
            try:
                held[digest] = await place.artifacts.get(digest)
            except NotFound:
                continue
            if len(held[digest]) <= SCANNED:
                wanted |= {found.decode() for found in DIGEST.findall(held[digest])}
    return held


def read(folder: Path) -> Held:
    """Read a backup; `NotFound` without its list, `Unavailable` names the first file that is not as it was written."""
    try:
        list_ = (folder / LIST).read_bytes()
        listed = msgspec.json.decode(list_, type=Listed)
    except FileNotFoundError:
        raise NotFound(f"{folder} is no whole backup: it has no {LIST}, which is written last") from None
    except msgspec.MsgspecError as error:
        raise Unavailable(f"{folder / LIST} cannot be read: {error}") from error
    kinds: dict[str, dict[str, bytes]] = {"ledger": {}, "marks": {}, "artifacts": {}}
    for name, digest in listed.files.items():
        kind, held = _named(folder, name)
        content = _content(folder, name)
        if _sha256(content) != digest:
            raise Unavailable(f"{folder / name} is not what was written: take another backup")
        kinds[kind][held] = content
    streams = {name.removesuffix(".jsonl"): content for name, content in kinds["ledger"].items()}
    artifacts = {f"sha256:{name}": content for name, content in kinds["artifacts"].items()}
    return Held(listed.at, streams, kinds["marks"], artifacts, _sha256(list_))


def _named(folder: Path, entry: str) -> tuple[str, str]:
    """Return the kind and the name that an entry of the list stands for, if `backup` writes such ones.

    The list may be anybody's: nothing is read outside the folder, and nothing gets a name that leads elsewhere.
    """
    found = LISTED.fullmatch(entry)
    name = unquote(found[2]) if found else ""
    if found is None or _file(name) != found[2] or {"", ".", ".."} & set(name.split("/")):
        raise Unavailable(f"{folder / LIST} lists {entry!r}, which is no file of a backup: take another backup")
    return found[1], name


def _content(folder: Path, entry: str) -> bytes:
    path = folder / entry
    if path.is_symlink() or path.parent.is_symlink():
        raise Unavailable(f"{path} is a link, which no backup holds: take another backup")
    if not path.is_file():
        raise Unavailable(f"{path} is gone: take another backup")
    return path.read_bytes()


async def proven(held: Held, place: Place) -> Verified:
    """Verify what a backup holds by the keys and checkpoints of a place."""
    ledger = MemoryLedger()
    for name, content in held.streams.items():
        await ledger.append(name, content, 0)
    for name, content in held.marks.items():
        await ledger.mark(name, content)
    return await verify(Place(ledger, MemoryArtifacts(), place.checkpoints, place.signer, place.prover))


async def restore(held: Held, place: Place, by: str, unproven: bool = False) -> Verified:
    """Put a backup into an empty ledger; `Conflict` when it is not empty, or when a line does not prove itself.

    With `unproven` lines count that nobody signed; those that were changed do not.
    What came after the backup is lost, and the checkpoints tell how many lines that is.
    """
    if place.prover is None and not unproven:
        raise Conflict(f"nothing was restored: {NO_KEY}")
    if await place.ledger.lengths("") or await place.ledger.marks(""):
        raise Conflict("the ledger is not empty: restore into a new state folder, or into an empty account")
    streams, verified = place.streams, await proven(held, place)
    passed = ("truncated", "unsigned") if unproven else ("truncated",)
    if wrong := [str(found) for found in verified.findings if found.what not in passed]:
        raise Conflict("nothing was restored: " + "; ".join(wrong))
    _chained(held)
    for digest, content in held.artifacts.items():
        if await place.artifacts.put(content) != digest:
            raise Unavailable(f"the backup's {digest} holds other bytes")
    for name, content in held.streams.items():
        for start in range(0, len(content), SCANNED):
            await place.ledger.append(name, content[start : start + SCANNED], start)
    # Marks last: before them the patrol has nothing to look at.
    await streams.add(AUDIT, [facts.Restored(held.digest, held.at, by)])
    for name, content in held.marks.items():
        await place.ledger.mark(name, content)
    return verified


def _chained(held: Held) -> None:
    """Of a line that nobody signed the audit says no more than that: its chain is looked at in any case."""
    try:
        for name, content in held.streams.items():
            chain.decode(name, content)
    except chain.Broken as error:
        raise Conflict(f"nothing was restored: {error}") from error


def _holds_something(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _file(name: str) -> str:
    return quote(name, safe="")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
