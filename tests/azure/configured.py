"""An app whose settings are whole and which the double lets at everything."""

from collections.abc import Mapping
from pathlib import Path

from shared.settings import TABLE
from tests.azure.stand_in import StandIn
from tools.doctor import subscribing

PROJECTS = '[projects.houses]\nrepository = "https://git.example.org/houses.git"\napprovers = ["ana"]\n'
STORE = (
    "BlobEndpoint=https://signalboxmlstore.blob.core.windows.net;"
    "QueueEndpoint=https://signalboxmlstore.queue.core.windows.net;SharedAccessSignature=sv=2023-11-03&sig=signed"
)
TOPIC, KEY = "https://signalbox.westeurope-1.eventgrid.azure.net/api/events", "not-a-secret-of-the-topic"


def settings(double: StandIn, folder: Path) -> dict[str, str]:
    """Return the settings of the app; its projects.toml is written to a folder."""
    (folder / "projects.toml").write_text(PROJECTS)
    its = {name: value for name, value in double.environment.items() if name in TABLE}
    return its | {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": STORE,
        "BACKEND": "azure",
        "PROJECTS": str(folder / "projects.toml"),
        "APPROVAL_KEY": "3f9c0a7e5b1d8264c7f0e9a2b4d61857",
        "PUBLIC_URL": "https://signalbox.azurewebsites.net",
        "AZUREML_AKS": "signalbox-aks",
        "TOPIC_ENDPOINT": TOPIC,
        "TOPIC_KEY": KEY,
        "AZURE_TIMEOUT_SECONDS": "5",
        "AZURE_ATTEMPTS": "1",
    }


def sources(double: StandIn) -> Mapping[str, str]:
    """Return the ids under which ARM knows where events come from."""
    group = f"/subscriptions/{double.environment['AZURE_SUBSCRIPTION_ID']}/resourceGroups/signalbox/providers"
    return {
        "the workspace": f"{group}/Microsoft.MachineLearningServices/workspaces/signalbox-ml",
        "the storage account": f"{group}/Microsoft.Storage/storageAccounts/signalboxmlstore",
        "the container registry": f"{group}/Microsoft.ContainerRegistry/registries/signalboxmlreg",
        "the topic": f"{group}/Microsoft.EventGrid/topics/signalbox",
    }


def subscribe(double: StandIn, without: str = "", **more: object) -> None:
    """Let every function be told of its events, but one, and somebody send on what people are told."""
    told = [(one.source, one.function, one.types) for one in subscribing.wanted()]
    for source, function, types in [*told, ("the topic", "mail", (subscribing.PERSON_TOLD,))]:
        if function != without:
            row = {"source": sources(double)[source], "function": function, "types": types, **more}
            double.ask("POST", "/subscriptions", row)
