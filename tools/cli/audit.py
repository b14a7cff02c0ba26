"""`signalbox audit`: what an auditor asks of a ledger; no stack need be up."""

import asyncio
import base64
import json as js
import os
import secrets
import sys
from collections.abc import Coroutine, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from msgspec import to_builtins
from msgspec.structs import asdict
from rich.text import Text

from shared.backends.signing import Signer, key_id
from shared.errors import SignalboxError
from tools.audit import place, served, telling, verifying
from tools.audit.place import Place
from tools.cli.app import Json, State, app, tell
from tools.cli.provision import given_settings
from tools.cli.reach import Refused, command, find_state

audit = typer.Typer(help="What a ledger proves; no stack need be up.", no_args_is_help=True)
app.add_typer(audit, name="audit")

Of = Annotated[
    Path | None, typer.Option("--settings", help="A ledger elsewhere: a local.settings.json, or az's app settings.")
]
Second = Annotated[str, typer.Option("--checkpoints", help="Where the checkpoints are. [as set]")]
Trusted = Annotated[
    list[str] | None, typer.Option("--public-key", help="Believe only this one, whatever is set; may be repeated.")
]
T = TypeVar("T")


def opened(
    state: Path | None,
    settings: Path | None,
    checkpoints: str = "",
    new: bool = False,
    trusted: Sequence[str] | None = None,
) -> Place:
    """Return the ledger of a state folder, which may be a `new` one, or the one that settings name."""
    also = {"CHECKPOINTS": checkpoints} if checkpoints else {}
    if settings is not None:
        values, _, _ = given_settings(settings)
        return place.of_settings(values | also, trusted or ())
    return place.of_state(find_state(state), dict(os.environ) | also, new, trusted or ())


def done(work: Coroutine[Any, Any, T]) -> T:
    """Run what is asked; an error of ours is a refusal in its own words."""
    try:
        return asyncio.run(work)
    except SignalboxError as error:
        raise Refused(str(error)) from error


@audit.command("verify")
def verify_(
    release: Annotated[str, typer.Argument(help="Only this release, by its id; all when left out.")] = "",
    public_key: Trusted = None,
    checkpoints: Second = "",
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Prove every line by its signature, its chain and the checkpoints; exit 1 when one does not prove itself."""

    async def verified() -> verifying.Verified:
        at = opened(state, settings, checkpoints, trusted=public_key)
        return await verifying.verify(at, [f"release/{release}"] if release else None)

    found = done(verified())
    wrong = [*found.wrong, *map(str, found.findings)]
    lines = sum(one.lines for one in found.streams)
    signed = sum(one.signed for one in found.streams)
    shown = [f"{len(found.streams)} streams, {lines:,} lines, {signed:,} of them signed", covered(found)]
    if not found.signing:
        shown.append("Nobody signs here: the chain holds, and whoever can write the ledger can write it anew.")
    shown += [f"  !!  {said}" for said in wrong] or ["Nothing was changed, put in, taken out, moved or cut off."]
    answer = {
        "whole": found.whole,
        "checkpoint": found.checkpoint,
        "wrong": list(found.wrong),
        "findings": [asdict(one) for one in found.findings],
        "streams": [asdict(one) | {"findings": len(one.findings)} for one in found.streams],
    }
    tell(answer, "\n".join(shown), json, "restore what is wrong from a backup" if wrong else f"{command()} audit log")
    if wrong:
        raise typer.Exit(1)


def covered(found: verifying.Verified) -> str:
    """Say how far the checkpoints reach."""
    if not found.checkpoint:
        return f"No checkpoint covers them: lines cut off an end are not missed ({command()} audit checkpoint)."
    behind = sum(max(0, one.lines - one.covered) for one in found.streams)
    return f"Covered up to checkpoint {found.checkpoint}; {behind:,} line{'' if behind == 1 else 's'} came since."


@audit.command()
def key(
    public: Annotated[bool, typer.Option("--public", help="The public key of the one that signs here.")] = False,
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Make a key for AUDIT_KEY, with its public part; or show the public part of the one that signs (--public)."""
    if public:
        signer = done(_signer(state, settings))
        told = {"id": key_id(signer.public), "public": text(signer.public)}
        tell(told, f"{told['public']}    ({told['id']})", json)
        return
    made = secrets.token_bytes(32)
    signer = Signer(made)
    told = {"key": text(made), "id": key_id(signer.public), "public": text(signer.public)}
    shown = f"AUDIT_KEY={told['key']}\npublic key {told['public']}    ({told['id']})"
    tell(told, shown, json, "keep it in a key vault, and the old public key in AUDIT_PUBLIC_KEYS")


async def _signer(state: Path | None, settings: Path | None) -> Signer:
    signer = opened(state, settings).signer
    if signer is None:
        raise Refused(f"No key signs here: {command()} audit key makes one for AUDIT_KEY.")
    return signer


def text(one: bytes) -> str:
    """Return a key as settings hold it."""
    return base64.b64encode(one).decode()


@audit.command("checkpoint")
def checkpoint_(
    checkpoints: Second = "",
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Put the heads of all streams into the second place now, as the timer does each hour."""
    from shared.control.checkpointing import Checkpointing

    async def made() -> Any:
        at = opened(state, settings, checkpoints)
        if at.checkpoints is None:
            raise Refused("No second place is named: set CHECKPOINTS, or give --checkpoints PLACE.")
        return await Checkpointing(at.ledger, at.checkpoints, at.streams, at.prover).make()

    new = done(made())
    if new is None:
        tell({"made": None}, "Nothing came since the last checkpoint.", json, f"{command()} audit verify")
        return
    shown = [f"checkpoint {new.number}: {len(new.streams)} streams", *(f"  !!  {said}" for said in new.broken)]
    told = {"made": new.number, "streams": len(new.streams), "broken": list(new.broken)}
    tell(told, "\n".join(shown), json, f"{command()} audit verify")
    if new.broken:
        raise typer.Exit(1)


@audit.command("what-served")
def what_served_(
    project: Annotated[str, typer.Argument(help="As projects.toml names it.")],
    at: Annotated[str, typer.Option(help="A time, as 2026-03-03T14:00; in UTC unless it says its zone. [now]")] = "",
    public_key: Trusted = None,
    checkpoints: Second = "",
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Say what production answered from at a time: decided and seen, who approved on what, of what it was made."""

    async def asked() -> served.Served:
        moment = at or datetime.now(UTC).isoformat(timespec="seconds")
        at_rest = opened(state, settings, checkpoints, trusted=public_key)
        return await served.what_served(at_rest, project, moment)

    one = done(asked())
    answer = to_builtins(one) | {"verified": {"whole": one.verified.whole, "checkpoint": one.verified.checkpoint}}
    tell(answer, in_red(served.told(one).splitlines()), json, f"{command()} audit verify")
    if not one.verified.whole:
        raise typer.Exit(1)


@audit.command()
def log(
    who: Annotated[str, typer.Option(help="Only this person.")] = "",
    last: Annotated[int, typer.Option(help="How many, newest first.")] = 50,
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Who read or decided what, of those who proved who they are."""

    async def read() -> list[dict[str, str]]:
        return (await telling.accesses(opened(state, settings), who))[:last]

    found = done(read())
    shown = [f"{one['at'][:19]}  {one['who']}  {one['what']}  ({one['how']})" for one in found]
    tell({"accesses": found}, in_red(shown or ["Nobody who proved who they are has read anything yet."]), json)


def in_red(lines: Iterable[str]) -> list[Text]:
    """Return lines for people; those of a broken glass stand out."""
    marks = ("THE GLASS WAS BROKEN by ", "BREAK THE GLASS of ", "confirm the broken glass of ")
    return [Text(line, style="bold red" if any(mark in line for mark in marks) else "") for line in lines]


@audit.command()
def export(
    only: Annotated[str, typer.Option(help="Only streams whose names begin so, as release/.")] = "",
    settings: Of = None,
    state: State = None,
) -> None:
    """Write every line of every stream as JSON Lines, for other programs."""

    async def written() -> None:
        async for row in telling.exported(opened(state, settings), only):
            sys.stdout.write(js.dumps(row, ensure_ascii=False) + "\n")

    done(written())
