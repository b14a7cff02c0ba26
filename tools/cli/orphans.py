"""`signalbox orphans`: what stands in the workspace and is used by no release; it deletes nothing."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec.structs import asdict

from shared.errors import Misconfigured, SignalboxError
from shared.release import line, state
from shared.release.facts import VersionAdopted
from shared.settings import Settings, read
from shared.streams import Streams, release_stream
from tools.cli.app import Json, app, tell
from tools.cli.provision import asked_as, given_settings
from tools.cli.reach import Refused, command

if TYPE_CHECKING:
    from shared.backends.azure.orphans import Orphan, Used


@app.command()
def orphans(
    settings: Annotated[
        Path | None,
        typer.Option(help="A local.settings.json, or az's list of app settings. [the environment of this process]"),
    ] = None,
    json: Json = False,
) -> None:
    """List versions, services and runs in Azure that no release uses, each with the reason; nothing is deleted."""
    values, _, _ = given_settings(settings)
    try:
        found = asyncio.run(_found(read(values)))
    except Misconfigured as error:
        raise Refused("\n".join(str(error).split("; "))) from error
    except SignalboxError as error:
        raise Refused(str(error)) from error
    answer = [asdict(each.made) | {"why": each.why} for each in found]
    shown = [f"{each.made.kind:<17}{each.made.name}: {each.why}" for each in found] or ["Nothing: all is used."]
    following = "delete in Azure ML studio what you know to be of no use" if found else f"{command()} status"
    tell(answer, shown, json, following)


async def _found(told: Settings) -> "list[Orphan]":
    if told.azure is None:
        raise Refused("Orphans are looked for in Azure, and these settings say BACKEND=local: give those of the app.")
    from shared.backends.azure.orphans import orphans as unused
    from shared.backends.azure.scope import Scope
    from shared.backends.azure.workspace import Azure
    from shared.backends.blobs import Account, BlobLedger

    projects = told.projects.projects
    streams = Streams(BlobLedger(Account(told.storage)), lambda: datetime.now(UTC))
    azure = Azure(Scope(**asdict(told.azure)), asked_as(told.azure))
    return await unused(azure, projects, await used(streams, projects))


async def used(streams: Streams, projects: Collection[str]) -> "Used":
    """Read of the ledger what its releases use; every release is read, so it is for people only."""
    from shared.backends.azure.orphans import Used

    releases: set[str] = set()
    still_open: set[str] = set()
    versions: dict[str, str] = {}
    slots: set[str] = set()
    for name in projects:
        known = await streams.project(name)
        releases |= known.numbered.keys()
        still_open |= known.numbered.keys() - known.closed.keys()
        for release in known.numbered:
            folded = state.fold((await streams.read(release_stream(release))).facts)
            if folded.opened and isinstance(adopted := line.outcome(folded, "register"), VersionAdopted):
                versions[release] = f"{adopted.name}:{adopted.number}"
        for which in ("staging", "production"):
            serves = await streams.environment(name, which)
            slots |= {*serves.slots, *(decided.slot for decided in (serves.live, serves.before) if decided)}
    return Used(releases, still_open, versions, slots)
