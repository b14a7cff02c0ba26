"""The one-time set-up: looked at first, made once, taken up where it stands, and never taken away."""

import json
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from shared.backends.azure import foundation
from shared.backends.azure.environments import Recipe, recipe
from shared.backends.azure.provisioning import Part, Setup
from shared.backends.azure.runs import OURS, SCRIPTS
from shared.backends.azure.workspace import Azure
from tests import storage
from tests.azure.stand_in import HOUSE, StandIn
from tools.cli.provision import app

RECIPE = Recipe("flights", "", ("pandas==2.2.3",))
CHANGES = {"PUT", "POST", "PATCH", "DELETE"}


def states(parts: list[Part]) -> dict[str, str]:
    """Return the state of each part by the first word of its name."""
    return {part.what.split()[0]: part.state for part in parts}


def changes(double: StandIn) -> list[str]:
    """Return what was changed in Azure; asking for a token changes nothing."""
    asked = [each for each in double.requests() if each["method"] in CHANGES]
    return [each["route"] for each in asked if "oauth2" not in each["route"]]


def test_an_empty_subscription_is_looked_at_without_changing_it(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")

    parts = Setup(azure, None, recipes=[RECIPE]).look()

    assert states(parts) == dict.fromkeys(("resource", "workspace", "cluster", "AKS", "environment"), "absent")
    assert parts[0].said == "would be made in westeurope"
    assert parts[1].said.startswith("would be made in westeurope, with storage account sbml")
    assert parts[1].said.endswith(", once there is resource group signalbox")
    assert changes(double) == []


def test_it_is_made_in_as_many_calls_as_azure_needs_and_each_thing_once(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")
    setup = Setup(azure, None, recipes=[RECIPE])

    first = states(setup.make())
    second = states(setup.make())
    third = states(setup.make())
    fourth = states(setup.make())

    assert (first["resource"], first["workspace"], first["cluster"]) == ("there", "making", "absent")
    assert second["workspace"] == "there" or third["workspace"] == "there"
    assert set(third.values()) == set(fourth.values()) == {"there"}
    assert changes(double) == [
        "PUT /subscriptions/{subscription}/resourceGroups/{name}",
        "PUT /subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Resources/deployments/{name}",
        "PUT {ws}/computes/{name}",
        "PUT /environment/v1.0{ws}/environments/{name}",
    ]


def test_the_deployment_adds_and_names_what_it_makes_after_the_workspace(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")
    Setup(azure, None).make()

    [asked] = [each for each in double.requests() if "deployments" in each["path"] and each["method"] == "PUT"]

    properties = msgspec.json.decode(asked["body"])["properties"]
    storage_, vault, workspace = properties["template"]["resources"]
    assert properties["mode"] == "Incremental"
    assert workspace["name"] == azure.scope.workspace
    assert workspace["properties"]["storageAccount"].endswith(f"/{storage_['name']}")
    assert vault["properties"]["tenantId"] == azure.scope.tenant
    assert foundation.names(azure.scope) == {"storage": storage_["name"], "vault": vault["name"]}
    assert foundation.names(msgspec.structs.replace(azure.scope, workspace="another"))["storage"] != storage_["name"]
    assert len(storage_["name"]) <= 24
    assert storage_["name"].isalnum()


def test_a_deployment_that_failed_tells_why_and_is_begun_again(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")
    double.plan("deployment", code="RequestDisallowedByPolicy", words="region westeurope is not allowed", times=1)
    setup = Setup(azure, None)

    workspace = setup.make()[1]
    assert workspace.state == "broken"
    assert "RequestDisallowedByPolicy" in workspace.said or "region westeurope is not allowed" in workspace.said
    assert setup.look()[1].state == "broken"

    assert setup.make()[1].state == "making"
    assert setup.make()[1].state == "there"


@pytest.mark.parametrize("state", ["Failed", "Canceled"])
def test_a_workspace_that_failed_is_broken_until_it_is_begun_again(double: StandIn, azure: Azure, state: str) -> None:
    body = {"location": "westeurope", "properties": {"provisioningState": state}}
    double.ask("POST", "/faults", {"route": "GET */workspaces/signalbox-ml", "status": 200, "body": body})
    setup = Setup(azure, None)

    found = setup.look()[1]
    begun = setup.make()[1]

    assert (found.state, found.said) == ("broken", f"westeurope, {state}")
    assert "activity log" in found.advice
    assert (begun.state, begun.said) == ("making", "the deployment signalbox-workspace is Running")


def test_an_answer_that_was_lost_makes_nothing_twice(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")
    double.fault("PUT */deployments/*", "lost", times=1)
    setup = Setup(azure, None)

    assert setup.make()[1].state == "broken"
    setup.make()
    assert setup.make()[1].state == "there"
    assert len([each for each in changes(double) if "deployments" in each]) == 1


def test_without_a_region_nothing_is_made_and_the_setting_is_named(double: StandIn, azure: Azure) -> None:
    double.ask("POST", "/empty")

    part = Setup(Azure(msgspec.structs.replace(azure.scope, location="")), None).make()[0]

    assert (part.state, part.said) == ("broken", "AZURE_LOCATION is not set")
    assert changes(double) == []


def test_a_missing_role_is_told_for_each_part_and_the_others_go_on(double: StandIn, azure: Azure) -> None:
    double.fault("GET */computes/*", "forbidden")

    parts = Setup(azure, None, recipes=[RECIPE]).make()

    assert states(parts) == {
        "resource": "there",
        "workspace": "there",
        "cluster": "broken",
        "AKS": "broken",
        "environment": "there",
    }
    assert "AuthorizationFailed" in parts[2].said
    assert "AzureML Compute Operator" in parts[2].said


def test_an_aks_cluster_that_is_not_attached_is_left_to_a_person(double: StandIn, azure: Azure) -> None:
    part = Setup(Azure(msgspec.structs.replace(azure.scope, aks="other")), None).make()[3]

    assert part.state == "absent"
    assert "az ml computetarget attach aks --name other" in part.said
    assert [each for each in changes(double) if "computes" in each] == ["PUT {ws}/computes/{name}"]


def test_containers_are_made_once_whatever_becomes_of_the_workspace(
    azurite: str, double: StandIn, azure: Azure, tmp_path: Path
) -> None:
    double.ask("POST", "/empty")
    account = storage.account(tmp_path)
    data = f"{storage.prefix(tmp_path)}data"
    setup = Setup(Azure(msgspec.structs.replace(azure.scope, location="")), account, [data, data])

    before = [part.state for part in setup.look() if part.what.startswith("container")]
    made = [part.state for part in setup.make() if part.what.startswith("container")]

    assert before == ["absent"] * 5
    assert made == ["there"] * 5
    assert data in account.containers()


@pytest.mark.parametrize("kind", ["503", "429"])
def test_what_cannot_be_asked_is_told_and_not_made(double: StandIn, azure: Azure, kind: str) -> None:
    double.fault("GET */workspaces/signalbox-ml", kind)

    parts = Setup(azure, None).make()

    assert parts[1].state == "broken"
    assert "could not be asked" in parts[1].said


def test_the_command_looks_unless_it_is_told_to_make(double: StandIn, tmp_path: Path) -> None:
    double.ask("POST", "/empty")
    values = {name: value for name, value in double.environment.items() if name.startswith("AZURE")}
    (tmp_path / "settings.json").write_text(json.dumps({"IsEncrypted": False, "Values": values}))
    told = ["provision", "--settings", str(tmp_path / "settings.json")]

    looked = CliRunner().invoke(app, told)
    assert (looked.exit_code, changes(double)) == (0, [])
    assert "would be made in westeurope" in looked.output
    assert "--yes" in looked.output.rpartition("Next:")[2]

    CliRunner().invoke(app, [*told, "--yes"])
    made = CliRunner().invoke(
        app, [*told, "--yes", "--json", "--project", f"flights={HOUSE / 'examples/flight-delays'}"]
    )

    answer = json.loads(made.stdout)
    ours = [(SCRIPTS / name).read_text() for name in OURS]
    of_a_run = recipe("flights", HOUSE / "examples/flight-delays", "requirements.txt", "", "", ours).name
    assert f"environment {of_a_run}" in [part["what"] for part in answer["parts"]]
    assert {part["state"] for part in answer["parts"]} == {"there"}
    by_hand = "\n".join(one["line"] for one in answer["by_hand"])
    assert 'az role assignment create --assignee "' in by_hand
    assert "az eventgrid event-subscription create --name signalbox-on-run-ended-workspace" in by_hand


def test_the_command_names_every_setting_that_is_missing(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps({"Values": {"AZURE_SUBSCRIPTION_ID": "none"}}))

    refused = CliRunner().invoke(app, ["provision", "--settings", str(tmp_path / "settings.json")])

    said = str(refused.exception)
    assert "AZURE_SUBSCRIPTION_ID is 'none': it must be the id of the subscription, a GUID" in said
    assert "AZURE_RESOURCE_GROUP is missing" in said
    assert "AZUREML_WORKSPACE is missing" in said


@pytest.fixture
def nobody(double: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine of a person: no managed identity, and an `az` whose token is nobody's; its settings name no secret."""
    for name in ("IDENTITY_ENDPOINT", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.delenv(name)
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(
        f"#!/bin/sh\necho '{json.dumps({'accessToken': 'none', 'expiresOn': '2099-01-01 00:00:00.000000'})}'\n"
    )
    az.chmod(0o755)
    monkeypatch.setenv("PATH", f"{az.parent}:/usr/bin:/bin")
    names = ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "AZUREML_WORKSPACE")
    at = tmp_path / "settings.json"
    at.write_text(json.dumps({"Values": {name: double.environment[name] for name in names}}))
    return at


def test_on_a_persons_machine_azure_is_asked_as_whoever_is_logged_in(double: StandIn, nobody: Path) -> None:
    told = CliRunner().invoke(app, ["provision", "--settings", str(nobody), "--json"])

    assert told.exit_code == 1
    assert "Azure does not take this app's token" in json.loads(told.stdout)["parts"][0]["said"]
    assert len(double.requests("GET /subscriptions/{subscription}/resourceGroups/{name}")) == 1
    assert double.requests("GET /msi/token") == []


def test_without_anybody_to_ask_as_the_command_says_how_to_log_in(
    nobody: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    told = CliRunner().invoke(app, ["provision", "--settings", str(nobody)])

    assert "az login" in str(told.exception)


def test_a_secret_in_a_key_vault_is_asked_for_by_name(tmp_path: Path) -> None:
    at = tmp_path / "settings.json"
    at.write_text(json.dumps({"Values": {"AZURE_CLIENT_SECRET": "@Microsoft.KeyVault(SecretUri=https://x)"}}))

    told = CliRunner().invoke(app, ["provision", "--settings", str(at)])

    assert "AZURE_CLIENT_SECRET cannot be read from a key vault here" in str(told.exception)
