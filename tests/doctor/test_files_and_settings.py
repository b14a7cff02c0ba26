"""What the doctor says of an app for Azure before it asks anybody: its settings, its files, its functions."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.doctor import blueprints, configured, examine, given, hosted
from tools.doctor.finding import Finding
from tools.doctor.given import Given

HOUSE = Path(__file__).resolve().parents[2]
PROJECTS = (
    '[projects.houses]\nrepository = "https://git.example.org/houses.git"\nsecrets = ["HOUSES"]\napprovers = ["a"]\n'
)
SIGNED = "3f9c0a7e5b1d8264c7f0e9a2b4d61857"


@pytest.fixture
def good(tmp_path: Path) -> dict[str, str]:
    """The settings of an app for Azure that lacks nothing."""
    (tmp_path / "projects.toml").write_text(PROJECTS)
    account = "DefaultEndpointsProtocol=https;AccountName=models;AccountKey=a2V5;EndpointSuffix=core.windows.net"
    return {
        "FUNCTIONS_WORKER_RUNTIME": "python",
        "AzureWebJobsStorage": account,
        "BACKEND": "azure",
        "PROJECTS": str(tmp_path / "projects.toml"),
        "APPROVAL_KEY": SIGNED,
        "SECRET_HOUSES": SIGNED[::-1],
        "PUBLIC_URL": "https://signalbox.azurewebsites.net",
        "TOPIC_ENDPOINT": "https://signalbox.westeurope-1.eventgrid.azure.net/api/events",
        "AZURE_SUBSCRIPTION_ID": "5f0c1d3e-0000-4000-8000-51a7a1b0c001",
        "AZURE_RESOURCE_GROUP": "models",
        "AZUREML_WORKSPACE": "models-ws",
        "WEBSITE_SITE_NAME": "signalbox",
    }


def said(settings: dict[str, str], mend: str = "set NAME in FILE") -> list[Finding]:
    return [one for one in configured.examine(Given(settings, mend)) if not one.ok]


def test_settings_that_lack_nothing_are_one_line(good: dict[str, str]) -> None:
    (one,) = configured.examine(Given(good, ""))
    assert (one.ok, one.found) == (True, "11 given, all that BACKEND=azure needs")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("AZUREML_WORKSPACE", "", "AZUREML_WORKSPACE is missing"),
        ("SECRET_HOUSES", "short", "SECRET_HOUSES is shorter than 16"),
        ("APPROVAL_KEY", "change-me-please-1", "APPROVAL_KEY can be guessed"),
        ("APPROVAL_KEY", "abababababababab", "APPROVAL_KEY can be guessed"),
        ("APPROVAL_KEY", SIGNED[::-1], "SECRET_HOUSES and APPROVAL_KEY are the same"),
        ("PUBLIC_URL", "http://127.0.0.1:7071", "PUBLIC_URL is 'http://127.0.0.1:7071', which leads to this machine"),
        ("PUBLIC_URL", "http://signalbox.example.org", "PUBLIC_URL is not https"),
        ("AzureWebJobsStorage", "UseDevelopmentStorage=true", "AzureWebJobsStorage is Azurite's"),
        ("FUNCTIONS_WORKER_RUNTIME", "node", "FUNCTIONS_WORKER_RUNTIME is 'node': this app needs 'python'"),
        ("FUNCTIONS_EXTENSION_VERSION", "~3", "FUNCTIONS_EXTENSION_VERSION is '~3': this app needs '~4'"),
        ("AZUREML_COMPUTES", "cpu", "AZUREML_COMPUTES is read by nobody: AZUREML_COMPUTE is meant"),
    ],
)
def test_a_setting_that_is_wrong_is_told_with_what_to_do(
    good: dict[str, str], name: str, value: str, told: str
) -> None:
    (one,) = said({**good, name: value})
    assert told in one.found
    assert one.do.startswith(f"set {told.split()[0] if 'meant' not in told else 'AZUREML_COMPUTE'} in FILE")
    assert value not in one.do or not value


def test_everything_that_is_wrong_is_told_at_once(good: dict[str, str]) -> None:
    found = [
        one.found for one in said({**good, "AZURE_SUBSCRIPTION_ID": "x", "SECRET_HOUSES": "", "EVENT_SECONDS": "99"})
    ]
    assert [one.split()[0] for one in found] == ["SECRET_HOUSES", "EVENT_SECONDS", "AZURE_SUBSCRIPTION_ID"]


def test_a_host_without_storage_is_told_and_one_with_an_identity_is_not(good: dict[str, str]) -> None:
    gone = {**good, "AzureWebJobsStorage": "", "STORAGE_CONNECTION": "https://models.blob.core.windows.net"}
    assert [one.found.split(":")[0] for one in said(gone)] == ["AzureWebJobsStorage is missing"]
    assert said({**gone, "AzureWebJobsStorage__accountName": "models"}) == []


def test_what_a_key_vault_holds_is_taken_to_be_right_and_said_so(good: dict[str, str]) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/a)"
    hidden = {**good, "APPROVAL_KEY": reference, "SECRET_HOUSES": reference, "AZURE_SUBSCRIPTION_ID": reference}
    assert said(hidden) == []
    told = [one.found for one in configured.examine(Given(hidden, ""))]
    assert sum("stands in a key vault" in one for one in told) == 3


def test_both_kinds_of_file_are_read_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"IsEncrypted": False, "Values": {"BACKEND": "azure", "AZURE_ATTEMPTS": 2}}))
    local = given.of_file(path)
    assert (local.values["BACKEND"], local.odd, local.to("X")) == ("azure", ("AZURE_ATTEMPTS",), f"set X in {path}")
    path.write_text(json.dumps([{"name": "WEBSITE_SITE_NAME", "value": "box", "slotSetting": False}, {"name": "A"}]))
    listed = given.of_file(path)
    assert (
        listed.to("X") == 'az functionapp config appsettings set --name box --resource-group GROUP --settings "X=..."'
    )
    assert listed.values["A"] == ""
    for content, told in (
        ("[1]", "not understood"),
        ("{", "no JSON"),
        ('{"IsEncrypted": true, "Values": {}}', "decrypt"),
    ):
        path.write_text(content)
        with pytest.raises(given.NoSettings, match=told):
            given.of_file(path)
    with pytest.raises(given.NoSettings, match="cannot be read"):
        given.of_file(tmp_path / "absent.json")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A small app that lacks nothing."""
    place = tmp_path / "house"
    (place / "functions").mkdir(parents=True)
    for name in ("host.json", ".funcignore", "requirements.txt"):
        shutil.copy(HOUSE / name, place)
    (place / "shared").mkdir()
    (place / "shared/a.py").write_text("")
    (place / "functions/__init__.py").write_text("")
    (place / "functions/on_a.py").write_text(blueprint("on_a", "things/{thing}", "GET"))
    (place / "function_app.py").write_text('MODULES = ("on_a", "on_b", "on_c")\n')
    return place


def blueprint(name: str, route: str, *methods: str) -> str:
    return (
        f"import azure.functions as func\n\nbp = func.Blueprint()\n\n\n"
        f"@bp.route(route={route!r}, methods={list(methods)!r})\n"
        f"async def {name}(req: func.HttpRequest) -> func.HttpResponse:\n    return func.HttpResponse('')\n"
    )


def test_an_app_that_lacks_nothing_is_told_so(house: Path) -> None:
    found = [*hosted.examine(house), *blueprints.examine(house)]
    assert [one.do for one in found] == ["", "", "", ""]
    assert found[-1].found == "1 in 1 blueprints load, and no two have one route and method"


def test_this_app_lacks_nothing() -> None:
    assert [one for one in (*hosted.examine(HOUSE), *blueprints.registered(HOUSE)) if not one.ok] == []


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"extensionBundle": {"id": hosted.BUNDLE, "version": "[3.*, 4.0.0)"}}, "the extension bundle is"),
        ({"extensionBundle": None}, "the extension bundle is none"),
        ({"extensions": {"queues": {"messageEncoding": "none"}}}, "messageEncoding is 'none'"),
        ({"extensions": {"queues": {"maxDequeueCount": 1}}}, "maxDequeueCount is under 2"),
        ({"functionTimeout": "-1"}, "functionTimeout is -1"),
        ({"functionTimeout": "02:00:00"}, "functionTimeout is 02:00:00"),
        ({"logging": {"logLevel": {"default": "Trace", "Azure": "Warning"}}}, "default is logged at Trace"),
        ({"logging": {}}, "the SDKs log every request"),
    ],
)
def test_a_host_json_that_would_lose_orders_or_tell_keys_is_named(
    house: Path, changed: dict[str, object], told: str
) -> None:
    raw = json.loads((house / "host.json").read_text())
    (house / "host.json").write_text(json.dumps({**raw, **changed}))
    (one,) = hosted.host(house)
    assert one.found.startswith(told)
    assert one.do


def test_what_would_be_deployed_by_chance_is_named(house: Path) -> None:
    (house / "customers.csv").write_text("")
    assert hosted.packed(house).found.startswith("customers.csv is no part of the app")


def broken(house: Path, **files: str) -> list[str]:
    for name, text in files.items():
        (house / f"functions/{name}.py").write_text(text)
    return [one.found for one in blueprints.examine(house) if not one.ok]


def test_a_blueprint_that_does_not_load_is_named_with_its_line(house: Path) -> None:
    (told,) = broken(house, on_b="import azure.functions as func\nbp = func.Blueprint()\nimport a_package_nobody_has\n")
    assert told.startswith("on_b does not load: ModuleNotFoundError: No module named 'a_package_nobody_has'")
    assert "on_b.py" in told
    assert "line 3" in told


def test_a_blueprint_that_ends_the_process_is_named_too(house: Path) -> None:
    (told,) = broken(house, on_b="import azure.functions as func\nimport os\nbp = func.Blueprint()\nos._exit(7)\n")
    assert told == "on_b does not load: it ended with 7"


def test_routes_that_clash_are_named_and_those_of_other_methods_are_not(house: Path) -> None:
    (told,) = broken(
        house, on_b=blueprint("on_b", "Things/{name}", "GET", "POST"), on_c=blueprint("on_c", "things/{a}", "PUT")
    )
    assert told == "on_a and on_b both answer GET /api/Things/{name}"


@pytest.mark.parametrize("route", ["admin/things", "runtime/x"])
def test_a_route_that_the_host_keeps_for_itself_is_named(house: Path, route: str) -> None:
    (told,) = broken(house, on_b=blueprint("on_b", route, "GET"))
    assert "begins with a word the host keeps for itself" in told


def test_a_blueprint_that_nobody_registers_is_named(house: Path) -> None:
    (told,) = broken(house, on_forgotten=blueprint("on_forgotten", "forgotten", "GET"))
    assert told == "functions/on_forgotten.py is named nowhere in function_app.py"


def test_two_functions_of_one_name_are_named(house: Path) -> None:
    (told,) = broken(house, on_b=blueprint("on_A", "others", "GET"))
    assert told == "two functions are called on_A"


def test_nothing_is_asked_while_the_settings_are_wrong(good: dict[str, str], house: Path) -> None:
    found = list(examine.examine(Given({**good, "APPROVAL_KEY": ""}, "set NAME"), house))
    assert found[-1].found == "nothing was asked: the settings above are wrong"
    hidden = {**good, "AZURE_CLIENT_SECRET": "@Microsoft.KeyVault(x)", "AZURE_TENANT_ID": "a.example.org"}
    found = list(examine.examine(Given({**hidden, "AZURE_CLIENT_ID": good["AZURE_SUBSCRIPTION_ID"]}, ""), house))
    assert found[-1].found == "nothing was asked: AZURE_CLIENT_SECRET cannot be read from a key vault here"


def test_the_command_tells_a_broken_configuration_with_what_to_do_first(good: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps([{"name": name, "value": value} for name, value in (good | {"BACKEND": "aws"}).items()]))
    command = [sys.executable, "-m", "tools.cli", "doctor", "--settings", str(path)]
    ran = subprocess.run([*command, "--offline"], cwd=HOUSE, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    do = 'az functionapp config appsettings set --name signalbox --resource-group models --settings "BACKEND=..."'
    assert "  !!  settings       BACKEND is 'aws': it must be where the work is done: local or azure" in ran.stdout
    assert ran.stdout.endswith(f"\nNext: {do}\n")
    path.write_text("")
    ran = subprocess.run(command, cwd=HOUSE, capture_output=True, text=True, check=False)
    assert (ran.returncode, "is no JSON" in ran.stderr) == (1, True)
