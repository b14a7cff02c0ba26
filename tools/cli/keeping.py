"""What is kept of a ledger, and for how long: `signalbox backup`, `restore`, `audit redact` and `audit retain`."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from msgspec import to_builtins

from shared.backends.signing import Signer
from shared.settings import read_audit
from tools.audit import keeping, place, redacting, verifying
from tools.audit.place import Place
from tools.cli.app import Json, Reason, State, app, tell
from tools.cli.audit import Of, Second, Trusted, audit, done, opened, text
from tools.cli.people import By, who
from tools.cli.provision import given_settings
from tools.cli.reach import command, find_state
from tools.local.keys import make_keys

KeyFile = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="A file that holds the AUDIT_KEY that signed it.")
]
Unproven = Annotated[bool, typer.Option("--unproven", help="Take lines too that no key proves.")]


@audit.command()
def redact(
    about: Annotated[str, typer.Argument(help="The id of a release that has ended, or a person's e-mail address.")],
    reason: Reason,
    by: By = None,
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Take what people wrote out of a release, or every mention of a person out of all streams."""

    async def redacted() -> redacting.Done:
        at, asked = opened(state, settings), redacting.Asked(who(by), reason)
        if re.fullmatch(r"[0-9a-f]{20}", about):
            return await redacting.of_release(at, about, asked)
        return await redacting.of_person(at, about, asked)

    shown_redaction(done(redacted()), json)


@audit.command()
def retain(
    older_than: Annotated[int, typer.Option("--older-than", min=1, help="Days since the end.")],
    reason: Reason,
    by: By = None,
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Take what people wrote out of all releases that ended so long ago, and out of the access log of those months."""

    async def redacted() -> redacting.Done:
        asked = redacting.Asked(who(by), reason)
        return await redacting.older_than(opened(state, settings), older_than, datetime.now(UTC), asked)

    shown_redaction(done(redacted()), json)


def shown_redaction(made: redacting.Done, as_json: bool) -> None:
    """Show in which streams lines were redacted."""
    shown = [f"  {count:>5} lines of {name}" for name, count in made.lines.items()] or ["Nothing was to be redacted."]
    shown += [f"  !!  {name} was left: it is still at work" for name in made.left if name != "audit"]
    if "audit" in made.left:
        shown.append("  !!  audit was left: it says who had what redacted, and is redacted by nobody")
    shown += [f"  !!  {name} names them also where no text stands: that was left" for name in made.stands]
    shown.append("Artifacts and mails are not lines of the ledger: docs/audit.md says what is left in them.")
    tell(to_builtins(made), "\n".join(shown), as_json, f"{command()} audit verify")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(help="A folder that is empty, or not there yet.")],
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Copy ledger, marks and artifacts into a folder; a stack may be up."""
    held = done(_backup(state, settings, folder))
    size = sum(map(len, [*held.streams.values(), *held.artifacts.values()]))
    told = {"streams": len(held.streams), "marks": len(held.marks), "artifacts": len(held.artifacts), "bytes": size}
    shown = "{streams} streams, {marks} marks, {artifacts} artifacts, {bytes:,} bytes".format(**told)
    tell(told, f"{shown} in {folder}", json, f"{command()} restore {folder} --state NEW")


async def _backup(state: Path | None, settings: Path | None, folder: Path) -> keeping.Held:
    return await keeping.backup(opened(state, settings), folder, datetime.now(UTC).isoformat(timespec="seconds"))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="What `backup` wrote.")],
    by: By = None,
    key_file: KeyFile = None,
    public_key: Trusted = None,
    unproven: Unproven = False,
    checkpoints: Second = "",
    settings: Of = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Put a backup into an empty ledger, once every line of it has proven itself by the keys that are given."""

    async def restored() -> tuple[keeping.Held, verifying.Verified]:
        held, trusted = keeping.read(folder), list(public_key or ())
        into = _into(state, settings, checkpoints, key_file.read_text().strip() if key_file else "", trusted)
        return held, await keeping.restore(held, into, who(by), unproven)

    held, verified = done(restored())
    lost = [found.said for found in verified.findings]
    told = {"at": held.at, "streams": len(held.streams), "artifacts": len(held.artifacts), "lost": lost}
    told["proven"] = verified.signing and not unproven
    shown = [f"{len(held.streams)} streams and {len(held.artifacts)} artifacts as they were at {held.at}"]
    shown += [f"  !!  {found}" for found in map(str, verified.findings)]
    shown += ["  !!  Not every line of it was proven: you took it as it was."] if unproven else []
    shown += [f"Start it with AUDIT_PUBLIC_KEYS='{' '.join(public_key)}': these prove its lines."] if public_key else []
    shown.append("Give CHECKPOINTS a new place: those of before tell of what was lost.")
    tell(told, "\n".join(shown), json, f"{command()} audit verify")


def _into(state: Path | None, settings: Path | None, checkpoints: str, key: str, trusted: list[str]) -> Place:
    """Return where it is put: what is restored is signed from now on, so a new state folder gets its keys first."""
    believed = [*trusted, *([text(Signer(read_audit({"AUDIT_KEY": key}).key).public)] if key else [])]
    if settings is not None and key:
        values, _, _ = given_settings(settings)
        second = {"CHECKPOINTS": checkpoints} if checkpoints else {}
        return place.of_settings(values | second | {"AUDIT_KEY": key, "AUDIT_KEY_FILE": ""}, believed)
    if settings is None and (believed or os.environ.get("AUDIT_PUBLIC_KEYS")):
        make_keys(_made(find_state(state)), key)
    return opened(state, settings, checkpoints, True, believed)


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder
