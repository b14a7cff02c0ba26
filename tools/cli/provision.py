"""`signalbox provision`: the one-time set-up in Azure, looked at by default, made with --yes."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from shared.errors import Misconfigured, NotUnderstood, SignalboxError
from shared.release.config import read_projects
from shared.release.project_file import read_project_file
from shared.settings import AzureSettings, read_azure
from tools.cli.app import HOUSE, Json, app, tell
from tools.cli.reach import Refused, command

if TYPE_CHECKING:
    from shared.backends.azure.environments import Recipe
    from shared.backends.azure.provisioning import Part
    from shared.backends.azure.workspace import Azure

MARKS = {"there": "ok", "making": "..", "absent": " +", "broken": "!!"}
ROLES = ("AzureML Data Scientist", "AzureML Compute Operator")


@dataclass(frozen=True)
class Hand:
    """One thing that a person does, since it is not this app's to do."""

    about: str
    line: str


@app.command()
def provision(
    settings: Annotated[
        Path | None,
        typer.Option(help="A local.settings.json, or az's list of app settings. [the environment of this process]"),
    ] = None,
    project: Annotated[
        list[str] | None, typer.Option(help="NAME=DIR of a project whose environment is registered beforehand.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only look, which is what happens without --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Make what is absent; nothing is ever deleted.")] = False,
    json: Json = False,
) -> None:
    """Show what is set up in Azure and what would be made; with --yes, make it, then show how far it is."""
    if dry_run and yes:
        raise typer.BadParameter("--dry-run only looks and --yes makes: choose one.")
    values, app_name, group = given_settings(settings)
    try:
        place = read_azure(values)
        parts, hands = set_up(place, values, project or [], yes, app_name, group)
    except Misconfigured as error:
        raise Refused("\n".join(str(error).split("; "))) from error
    except SignalboxError as error:
        raise Refused(str(error)) from error
    answer = {
        "made": yes,
        "parts": [msgspec.structs.asdict(part) for part in parts],
        "by_hand": [vars(one) for one in hands],
    }
    tell(answer, list(_shown(place, parts, hands, yes)), json, _next(parts, hands, yes, settings))
    if any(part.state == "broken" for part in parts):
        raise typer.Exit(1)


def given_settings(settings: Path | None) -> tuple[dict[str, str], str, str]:
    from tools.doctor import given

    try:
        told = given.of_process() if settings is None else given.of_file(settings)
    except given.NoSettings as error:
        raise Refused(str(error)) from error
    hidden = [name for name in ("AZURE_CLIENT_SECRET", "STORAGE_CONNECTION") if told.is_hidden(name)]
    if hidden:
        raise Refused(f"{', '.join(hidden)} cannot be read from a key vault here: give a file that holds the values.")
    return dict(told.values), told.app, told.group


def asked_as(place: AzureSettings) -> Any:
    """Return whoever is logged in with the Azure CLI, where there is neither a secret nor a managed identity."""
    if place.secret or any(os.environ.get(name) for name in ("IDENTITY_ENDPOINT", "MSI_ENDPOINT")):
        return None
    from azure.identity import AzureCliCredential

    if not shutil.which("az"):
        raise Refused(
            "Nobody is here to ask Azure as: install the Azure CLI and `az login`, or set AZURE_CLIENT_SECRET."
        )
    return AzureCliCredential()


def set_up(
    place: AzureSettings, values: dict[str, str], projects: list[str], making: bool, app_name: str, group: str
) -> tuple[list["Part"], list[Hand]]:
    """Look at the set-up, or make what is absent; return its parts, and what is left to a person."""
    from shared.backends.azure.provisioning import Setup
    from shared.backends.azure.scope import Scope
    from shared.backends.azure.workspace import Azure
    from shared.backends.blobs import Account

    azure = Azure(Scope(**msgspec.structs.asdict(place)), asked_as(place))
    recipes = [_recipe(each, place) for each in projects]
    # A storage account named by its URL is asked as whoever the settings say.
    os.environ.update({name: values[name] for name in values if name.startswith("AZURE_") and values[name]})
    account = Account(place.storage) if place.storage else None
    setup = Setup(azure, account, _data(values.get("PROJECTS", "")), recipes)
    parts = setup.make() if making else setup.look()
    is_there = any(part.what == f"workspace {place.workspace}" and part.state == "there" for part in parts)
    hands = [*_roles(place, app_name, group), *_subscriptions(azure, values, app_name, group)] if is_there else []
    return parts, hands


def _data(projects: str) -> list[str]:
    if not projects:
        return []
    try:
        listed = read_projects((Path(projects) if Path(projects).exists() else HOUSE / projects).read_text())
    except (OSError, NotUnderstood) as error:
        raise Misconfigured(f"PROJECTS cannot be read: {error}") from error
    return [entry.data.container for entry in listed.projects.values() if entry.data]


def _recipe(told: str, place: AzureSettings) -> "Recipe":
    from shared.backends.azure.environments import recipe
    from shared.backends.azure.runs import OURS, SCRIPTS

    name, _, folder = told.partition("=")
    if not folder:
        raise Refused(f"{told!r} is not NAME=DIR: the project's name in projects.toml, and its folder")
    code = Path(folder)
    try:
        train = read_project_file((code / "signalbox.toml").read_text()).train
    except (OSError, NotUnderstood) as error:
        raise Refused(f"{code / 'signalbox.toml'} cannot be read: {error}") from error
    ours = [(SCRIPTS / each).read_text() for each in OURS]
    return recipe(name, code, train.requirements, train.conda, train.image or place.image, ours)


def _roles(place: AzureSettings, app_name: str, group: str) -> Iterator[Hand]:
    """Yield the roles that Azure shows to nobody but an owner: given twice, they are given once."""
    who = place.client
    if not place.secret and not who:
        who = f"$(az functionapp identity show --name {app_name} --resource-group {group} --query principalId -o tsv)"
    workspace = (
        f"$(az ml workspace show --name {place.workspace} --resource-group {place.resource_group} --query id -o tsv)"
    )
    for role in ROLES:
        line = f'az role assignment create --assignee "{who}" --role "{role}" --scope "{workspace}"'
        yield Hand(f"the app's role {role}", line)
    if place.storage.startswith("https://"):
        from tools.doctor.reached import named

        account = f"$(az storage account show --name {named(place.storage)} --query id -o tsv)"
        compute = f"$(az ml compute show --name {place.compute} --workspace-name {place.workspace} --resource-group "
        compute += f"{place.resource_group} --query identity.principal_id -o tsv)"
        for who_, role in ((who, "Storage Blob Data Contributor"), (compute, "Storage Blob Data Reader")):
            line = f'az role assignment create --assignee "{who_}" --role "{role}" --scope "{account}"'
            yield Hand(f"{'the app' if who_ == who else 'the cluster'}'s role {role}", line)


def _subscriptions(azure: "Azure", values: dict[str, str], app_name: str, group: str) -> Iterator[Hand]:
    """Yield the event subscriptions that are missing, or that cannot be seen from here."""
    from tools.doctor import subscribing
    from tools.doctor.reached import named

    place = azure.now("the workspace's parts", subscribing.resources)
    account = named(azure.scope.storage) if azure.scope.storage else ""
    for one in subscribing.examine(azure, place, account, values.get("TOPIC_ENDPOINT", ""), app_name, group):
        about, _, line = one.found.partition(", made by ")
        if line or one.do:
            yield Hand(about, line or one.do)


def _shown(place: AzureSettings, parts: list["Part"], hands: list[Hand], making: bool) -> Iterator[str]:
    looked = "Made what was absent" if making else "Looked only, nothing was changed"
    yield f"{looked}: subscription {place.subscription}, resource group {place.resource_group}\n"
    if not place.storage:
        yield "  ..  The containers were not looked at: STORAGE_CONNECTION names no account"
    for part in parts:
        yield f"  {MARKS[part.state]}  {part.state:<7} {part.what:<40} {part.said}"
        if part.advice:
            yield f"      do: {part.advice}"
    if hands:
        yield "\nBy hand, once each:\n"
    for one in hands:
        yield f"  {one.about}\n      {one.line}"


def _next(parts: list["Part"], hands: list[Hand], making: bool, settings: Path | None) -> str:
    told = f" --settings {settings}" if settings else ""
    states: set[Any] = {part.state for part in parts}
    if "broken" in states:
        return f"{command()} provision{told}    (once what is marked !! is mended)"
    if "making" in states:
        return f"{command()} provision{told} --yes    (in a minute: nothing here waits)"
    if "absent" in states and not making:
        return f"{command()} provision{told} --yes"
    return f"{command()} doctor{told or ' --environment'}"
