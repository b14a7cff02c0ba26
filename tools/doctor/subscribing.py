"""Which function is told of which events, and the line of the Azure CLI that makes a subscription that is missing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from shared.errors import SignalboxError
from tools.doctor.finding import Finding
from tools.local.subscriptions import DEFAULT

if TYPE_CHECKING:
    from shared.backends.azure.workspace import Azure

ARM = "https://management.azure.com"
VERSION = "2022-06-15"
OF_RESOURCES = "2021-04-01"
ACCOUNTS, TOPICS = "Microsoft.Storage/storageAccounts", "Microsoft.EventGrid/topics"
PERSON_TOLD = "Signalbox.PersonTold"
"""Published by the app for each notice to a person; whoever subscribes sends it on."""
DEAD_LETTERS = "signalbox-dead-letter"
SOURCES = {
    "Microsoft.MachineLearningServices": "the workspace",
    "Microsoft.Storage": "the storage account",
    "Microsoft.ContainerRegistry": "the container registry",
    "Signalbox": "the topic",
}


@dataclass(frozen=True)
class Resources:
    """What the workspace says of itself: ids of ARM, empty for what it has none of."""

    location: str
    workspace: str
    storage: str
    registry: str


@dataclass(frozen=True)
class Wanted:
    """One subscription: what a function is to be told of by one source."""

    function: str
    source: str
    types: tuple[str, ...]


def resources(workspace: Any) -> Resources:
    """Return where the events of a workspace come from; called with the SDK's Workspace."""
    told = workspace.get_details()
    return Resources(
        location=str(told.get("location", "")),
        workspace=str(told.get("id", "")),
        storage=str(told.get("storageAccount") or ""),
        registry=str(told.get("containerRegistry") or ""),
    )


def wanted() -> Iterator[Wanted]:
    """Yield every subscription that the app lives by: one for each function and source."""
    for one in DEFAULT:
        for begin, source in SOURCES.items():
            types = tuple(kind for kind in one.types if kind.startswith(f"{begin}."))
            if types:
                yield Wanted(one.function, source, types)


def examine(azure: "Azure", place: Resources, account: str, topic: str, app: str, group: str) -> Iterator[Finding]:
    """Look at the subscriptions of every source of events."""
    ids = {"the workspace": place.workspace, "the container registry": place.registry}
    told: dict[str, Sequence[Mapping[str, Any]]] = {}
    try:
        # The data and the topic may be in another group than the workspace.
        ids["the storage account"] = azure.ask(f"the id of {account}", located, azure, ACCOUNTS, account)
        name = (urlsplit(topic).hostname or "").split(".")[0]
        ids["the topic"] = azure.ask("the id of the topic", located, azure, TOPICS, name)
    except SignalboxError as error:
        do = "give whoever asks here the role 'Reader' on the subscription"
        yield Finding("subscriptions", " ".join(str(error).split()), do)
    for source, resource in ids.items():
        if resource:
            try:
                told[source] = azure.ask(f"the event subscriptions of {source}", listed, azure, resource)
            except SignalboxError as error:
                do = f"give whoever asks here the role 'EventGrid EventSubscription Reader' on {resource}"
                yield Finding("subscriptions", " ".join(str(error).split()), do)
    for one in wanted():
        line = command(one, origin(one.source, ids, account, topic), account, app, group)
        if one.source in told:
            yield judged(one, told[one.source], line)
        elif ids.get(one.source) == "":
            what = f"{one.source} was not found in the subscription, so {one.function} is not looked at"
            yield Finding("subscriptions", what, line)
    if "the topic" in told:
        yield people(told["the topic"], origin("the topic", ids, account, topic))


def people(rows: Sequence[Mapping[str, Any]], source: str) -> Finding:
    """Say whether somebody sends on what people are told: without it nobody knows that an approval waits."""
    if any(PERSON_TOLD.lower() in _types(row["properties"], (PERSON_TOLD,)) for row in rows):
        return Finding("subscriptions", "what people are told is sent on by a subscriber of the topic")
    line = (
        f'az eventgrid event-subscription create --name signalbox-people --source-resource-id "{source}" '
        f"--endpoint-type webhook --endpoint ADDRESS --included-event-types {PERSON_TOLD}"
    )
    told = f"nobody subscribes to {PERSON_TOLD}, so no approver hears that a release waits"
    return Finding("subscriptions", told, f"{line}    (ADDRESS: a Logic App or webhook that sends it as mail or chat)")


def located(azure: "Azure", kind: str, name: str) -> str:
    """Return the ARM id of a resource of the subscription, nothing when there is none of that name."""
    if not name:
        return ""
    rows = asked_of_arm(
        azure,
        f"/subscriptions/{azure.scope.subscription}/resources",
        {"api-version": OF_RESOURCES, "$filter": f"resourceType eq '{kind}' and name eq '{name}'"},
    )
    return str(rows[0]["id"]) if rows else ""


def listed(azure: "Azure", resource: str) -> Sequence[Mapping[str, Any]]:
    """Return the event subscriptions of one resource, as ARM shows them."""
    return asked_of_arm(azure, f"{resource}/providers/Microsoft.EventGrid/eventSubscriptions", {"api-version": VERSION})


def asked_of_arm(azure: "Azure", path: str, query: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
    """Return the rows of a list of ARM."""
    import requests

    headers = {"Authorization": f"Bearer {azure.tokens().of(ARM)}"}
    answer = requests.get(f"{ARM}{path}", params=query, headers=headers)
    answer.raise_for_status()
    rows: list[Mapping[str, Any]] = answer.json().get("value", [])
    return rows


def judged(one: Wanted, rows: Sequence[Mapping[str, Any]], line: str) -> Finding:
    """Say whether a function is told of what it waits for, and whether what is given up is kept."""
    ours = [row["properties"] for row in rows if leads_to(row["properties"], one.function)]
    heard = set().union(*(_types(its, one.types) for its in ours))
    lacking = [kind for kind in one.types if kind.lower() not in heard]
    short = ", ".join(kind.rpartition(".")[2] for kind in lacking or one.types)
    if lacking:
        return Finding("subscriptions", f"{one.function} is not told of {short} by {one.source}", line)
    broken = [its for its in ours if its.get("provisioningState", "Succeeded") != "Succeeded"]
    if broken:
        state = broken[0]["provisioningState"]
        return Finding("subscriptions", f"the subscription of {one.function} is {state}", f"delete it, then: {line}")
    if not all(its.get("deadLetterDestination") for its in ours):
        lost = f"what {one.function} could not take for 24 h is dropped: its subscription has no dead-letter container"
        return Finding("subscriptions", lost, line)
    return Finding("subscriptions", f"{one.function} is told of {short} by {one.source}")


def _types(its: Mapping[str, Any], all_of: Sequence[str]) -> set[str]:
    """The types that a subscription lets through, in lower case; one without a list lets all through."""
    return {kind.lower() for kind in its.get("filter", {}).get("includedEventTypes") or all_of}


def leads_to(its: Mapping[str, Any], function: str) -> bool:
    """Say whether a subscription ends in a function, named by its id or in the address of the host's webhook."""
    end = its.get("destination", {}).get("properties", {})
    told = f"{end.get('resourceId', '')} {end.get('endpointBaseUrl', '')} {end.get('endpointUrl', '')}".lower()
    return f"/functions/{function} " in f"{told} " or f"functionname={function}" in told


def origin(source: str, ids: Mapping[str, str], account: str, topic: str) -> str:
    """Return the id of a source, or what the shell asks it from."""
    if ids.get(source):
        return ids[source]
    if source == "the storage account":
        return f"$(az storage account show --name {account or 'ACCOUNT'} --query id --output tsv)"
    if source == "the topic" and not topic:
        return "TOPIC-ID"
    if source == "the topic":
        return f"$(az eventgrid topic list --query \"[?endpoint=='{topic}'].id\" --output tsv)"
    return "$(az acr show --name REGISTRY --query id --output tsv)"


def command(one: Wanted, source: str, account: str, app: str, group: str) -> str:
    """Return the line that makes a subscription."""
    function = f"$(az functionapp show --name {app} --resource-group {group} --query id --output tsv)"
    letters = f"$(az storage account show --name {account or 'ACCOUNT'} --query id --output tsv)"
    name = f"signalbox-{one.function}-{one.source.rpartition(' ')[2]}".replace("_", "-")
    return (
        f'az eventgrid event-subscription create --name {name} --source-resource-id "{source}" '
        f'--endpoint-type azurefunction --endpoint "{function}/functions/{one.function}" '
        f"--included-event-types {' '.join(one.types)} "
        f'--deadletter-endpoint "{letters}/blobServices/default/containers/{DEAD_LETTERS}"'
    )
