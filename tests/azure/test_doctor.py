"""What the doctor says of an app whose Azure answers, and of one whose Azure does not let it in."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared import settings
from tests.azure import configured
from tests.azure.configured import STORE, sources, subscribe
from tests.azure.stand_in import StandIn
from tools.doctor import reached, subscribing
from tools.doctor.finding import Finding

HOUSE = Path(__file__).resolve().parents[2]


@pytest.fixture
def given(double: StandIn, tmp_path: Path) -> dict[str, str]:
    """The settings of an app that the double lets at everything."""
    return configured.settings(double, tmp_path)


def said(given: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Finding]]:
    """What is found over these settings, by what it is about."""
    monkeypatch.setenv("AzureWebJobsStorage", given["AzureWebJobsStorage"])
    found: dict[str, list[Finding]] = {}
    for one in reached.examine(settings.read(given), tmp_path, "signalbox", "apps"):
        found.setdefault(one.about, []).append(one)
    return found


def test_a_good_configuration_is_told_to_be_good_by_the_command(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(double)
    # What is set here is no part of that app.
    monkeypatch.setenv("EVENT_SECONDS", "99")
    path = tmp_path / "local.settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": given}))
    command = [sys.executable, "-m", "tools.cli", "doctor", "--settings", str(path), "--json"]
    ran = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    found = [Finding(**one) for one in json.loads(ran.stdout)]
    assert [str(one) for one in found if not one.ok] == []
    assert ran.returncode == 0, ran.stderr
    told = [(one.about, one.found) for one in found]
    for about, words in (
        ("identity", f"service principal {given['AZURE_CLIENT_ID']} is given a token"),
        ("storage", "signalboxmlstore may be read and written"),
        ("queues", "signalboxmlstore carries the orders"),
        ("workspace", "signalbox-ml in westeurope answers"),
        ("compute", "signalbox-cpu is not there yet: the first release makes it, of STANDARD_DS3_V2"),
        ("compute", "signalbox-aks is Succeeded, for production"),
        ("subscriptions", "on_image_pushed is told of ImagePushed by the container registry"),
        ("subscriptions", "on_new_data is told of BlobCreated by the storage account"),
        ("subscriptions", "on_data_drift is told of DataDrifted by the topic"),
        ("subscriptions", "what people are told is sent on by a subscriber of the topic"),
        ("topic", "signalbox.westeurope-1.eventgrid.azure.net takes events of ours"),
    ):
        assert (about, words) in told


def test_a_wrong_secret_ends_the_look_at_azure_and_not_at_the_rest(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = said({**given, "AZURE_CLIENT_SECRET": "expired-long-ago"}, tmp_path, monkeypatch)
    (identity,) = found["identity"]
    assert "AADSTS7000215" in identity.found
    assert "AZURE_CLIENT_SECRET are right" in identity.do
    assert "expired-long-ago" not in identity.found + identity.do
    assert "workspace" not in found
    assert [found[about][0].ok for about in ("storage", "queues", "topic")] == [True, True, True]


def test_a_wrong_workspace_and_a_missing_role_name_the_setting_and_the_role(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone,) = said({**given, "AZUREML_WORKSPACE": "gone"}, tmp_path, monkeypatch)["workspace"]
    assert "AZUREML_WORKSPACE" in gone.do
    double.fault("GET */workspaces/signalbox-ml", "forbidden")
    (refused,) = said(given, tmp_path, monkeypatch)["workspace"]
    assert "AuthorizationFailed" in refused.found
    assert "AzureML Data Scientist" in refused.do


def test_a_storage_and_a_topic_that_refuse_are_told_with_what_gives_access(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsigned = STORE.replace("&sig=signed", "")
    found = said({**given, "AzureWebJobsStorage": unsigned, "TOPIC_KEY": "another"}, tmp_path, monkeypatch)
    assert "(Unauthorized)" in found["storage"][0].found
    assert found["storage"][0].do.endswith("az storage account show-connection-string --name signalboxmlstore")
    assert "its queues could not be listed" in found["queues"][0].found
    assert found["topic"][0].found == "it takes no events of ours: it answers 401"
    assert found["topic"][0].do == "see TOPIC_ENDPOINT and TOPIC_KEY"


def test_a_service_that_is_silent_is_told_and_the_others_are_still_asked(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    double.fault("GET */eventSubscriptions", "503")
    found = said(given, tmp_path, monkeypatch)
    told = [one for one in found["subscriptions"] if not one.ok]
    assert len(told) == 4
    assert all("could not be asked for the event subscriptions of" in one.found for one in told)
    assert found["topic"][0].ok


def test_a_missing_subscription_is_told_with_the_line_that_makes_it(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(double, without="on_run_ended")
    (told,) = (one for one in said(given, tmp_path, monkeypatch)["subscriptions"] if not one.ok)
    assert told.found == "on_run_ended is not told of RunCompleted, RunStatusChanged by the workspace"
    for part in (
        "az eventgrid event-subscription create --name signalbox-on-run-ended-workspace",
        f'--source-resource-id "{sources(double)["the workspace"]}"',
        "az functionapp show --name signalbox --resource-group apps",
        "/functions/on_run_ended",
        "Microsoft.MachineLearningServices.RunCompleted Microsoft.MachineLearningServices.RunStatusChanged",
        "containers/signalbox-dead-letter",
    ):
        assert part in told.do


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"types": ["Microsoft.MachineLearningServices.RunCompleted"]}, "on_run_ended is not told of RunStatusChanged"),
        ({"state": "Failed"}, "the subscription of on_run_ended is Failed"),
        ({"deadLetter": False}, "what on_run_ended could not take for 24 h is dropped"),
    ],
)
def test_a_subscription_that_is_half_of_one_is_told(
    double: StandIn,
    given: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    more: dict[str, object],
    told: str,
) -> None:
    subscribe(double, without="on_run_ended")
    types = next(one.types for one in subscribing.wanted() if one.function == "on_run_ended")
    row = {"source": sources(double)["the workspace"], "function": "on_run_ended", "types": types, **more}
    double.ask("POST", "/subscriptions", row)
    (one,) = (each for each in said(given, tmp_path, monkeypatch)["subscriptions"] if not each.ok)
    assert one.found.startswith(told)
    assert "az eventgrid event-subscription create" in one.do


@pytest.mark.parametrize(
    ("aks", "told"), [("", "AZUREML_AKS is not set"), ("gone-aks", "gone-aks is not attached to signalbox-ml")]
)
def test_an_app_with_no_cluster_for_production_is_told(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aks: str, told: str
) -> None:
    found = said({**given, "AZUREML_AKS": aks}, tmp_path, monkeypatch)["compute"]
    (one,) = (each for each in found if not each.ok)
    assert one.found == f"{told}, so nothing goes to production"
    assert "set AZUREML_AKS" in one.do


def test_nobody_who_hears_that_an_approval_waits_is_told(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(double, without="mail")
    (told,) = (one for one in said(given, tmp_path, monkeypatch)["subscriptions"] if not one.ok)
    assert told.found == "nobody subscribes to Signalbox.PersonTold, so no approver hears that a release waits"
    assert f'--source-resource-id "{sources(double)["the topic"]}"' in told.do


def test_data_in_an_account_of_their_own_are_looked_at_there(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(double)
    apart = {**given, "STORAGE_CONNECTION": STORE.replace("signalboxmlstore", "signalboxdata")}
    (told,) = (one for one in said(apart, tmp_path, monkeypatch)["subscriptions"] if not one.ok)
    assert told.found == "on_new_data is not told of BlobCreated by the storage account"
    assert "/storageAccounts/signalboxdata" in told.do
    nowhere = {**given, "STORAGE_CONNECTION": STORE.replace("signalboxmlstore", "gone")}
    (told,) = (one for one in said(nowhere, tmp_path, monkeypatch)["subscriptions"] if not one.ok)
    assert told.found.startswith("the storage account was not found in the subscription")


def test_a_managed_identity_is_asked_where_the_app_runs_and_nowhere_else(
    double: StandIn, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: value for name, value in given.items() if name not in {"AZURE_CLIENT_SECRET", "AZURE_CLIENT_ID"}}
    assert said(own, tmp_path, monkeypatch)["identity"][0].found == "the app's managed identity is given a token"
    monkeypatch.delenv("IDENTITY_ENDPOINT")
    found = said({**own, "TOPIC_KEY": ""}, tmp_path, monkeypatch)
    assert found["identity"][0].found.startswith("not asked from here: the app's managed identity")
    assert found["topic"][0].found.startswith("not asked from here")
    assert "workspace" not in found
