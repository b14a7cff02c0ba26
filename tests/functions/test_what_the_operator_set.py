"""What the operator set: read once, everything that is wrong named at once, and no secret repeated."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from functions.approve import approve
from functions.environments import environments
from functions.health import health
from functions.on_push import on_push
from functions.pages import pages
from shared import settings, wiring
from shared.errors import Misconfigured
from shared.settings import AuditSettings, AzureSettings
from shared.wiring import Wired
from tests.functions.conftest import App
from tests.world import KEY, World

PROJECTS = '[projects.houses]\nrepository = "file:///houses.git"\nsecrets = ["HOUSES"]\napprovers = ["ana"]\n'


def environ(tmp_path: Path, projects: bytes, **others: str) -> dict[str, str]:
    """Return settings that are whole but for what is given."""
    file = tmp_path / "projects.toml"
    file.write_bytes(projects)
    given = {"PROJECTS": str(file), "APPROVAL_KEY": "k" * 16, "PUBLIC_URL": "http://a", "LIVE_URL": "http://b"}
    return {**given, "STATE_DIR": str(tmp_path), "SECRET_HOUSES": "s" * 16, **others}


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    given = environ(tmp_path, PROJECTS.encode(), SECRET_HOUSES="short", APPROVAL_KEY="", BACKEND="aws")
    with pytest.raises(Misconfigured) as told:
        settings.read(given)
    for name in ("SECRET_HOUSES is shorter", "APPROVAL_KEY is missing", "BACKEND is 'aws': it must be where"):
        assert name in str(told.value)


def test_an_operators_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="PROJECTS cannot be read"):
        settings.read(environ(tmp_path, b"\xff\xfe"))


@pytest.mark.parametrize("wrong", ["repostory", "branch"])
def test_a_password_in_an_address_is_not_repeated_by_an_error(tmp_path: Path, wrong: str) -> None:
    line = f'{wrong} = "https://robot:hunter2@git.example.org/houses.git"'
    text = f'[projects.houses]\n{line}\napprovers = "ana"\n'
    with pytest.raises(Misconfigured) as told:
        settings.read(environ(tmp_path, text.encode()))
    assert "hunter2" not in str(told.value)


SECRETIVE = PROJECTS.replace('["ana"]', '["ana@example.org"]')


@pytest.mark.parametrize(
    ("projects", "more", "shown"),
    [
        (SECRETIVE + 'approver = "ana@example.org"\n', {}, "projects.toml cannot be read"),
        (SECRETIVE + "quorum = 5\n", {}, "projects.toml cannot be read"),
        (SECRETIVE, {"SECRET_HOUSES": "hunter2"}, "a secret that projects.toml names is missing or wrong"),
        (SECRETIVE, {"PUBLIC_URL": "hunter2"}, "PUBLIC_URL is not what it must be"),
    ],
)
def test_whoever_proved_nothing_is_told_that_something_is_wrong_and_the_log_and_a_keys_holder_what(
    projects: str, more: dict[str, str], shown: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    for name, value in environ(tmp_path, projects.encode(), **more).items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    app = App(World())
    with pytest.raises(Misconfigured) as whole:
        settings.read()
    assert re.search("ouses|HOUSES|ana|hunter2", str(whole.value))
    for anybody in (
        app.http(health, "GET"),
        app.http(on_push, "POST", b"{}"),
        app.http(approve, "GET", route={"release": "r"}),
        app.http(pages, "GET", route={"path": ""}),
    ):
        said = anybody.get_body().decode().replace("/api/pages", "")
        assert not re.search("houses|HOUSES|ana@|hunter2", said)
    told = json.loads(app.http(health, "GET").get_body())
    assert shown in told["settings"][0]
    assert told["status"] == "degraded"
    assert str(whole.value) in "\n".join(str(record.args[-1]) for record in caplog.records if record.args)
    keyed = app.http(environments, "GET", route={"path": ""})
    assert (keyed.status_code, json.loads(keyed.get_body())["error"]) == (500, str(whole.value))


PRIVATE = PROJECTS.replace("file://", "https://git.example.org") + 'credential = "ACME_READ"\n'


@pytest.mark.parametrize("value", ["robot:hunter2", "hunter2", " hunter2\n"])
def test_a_credential_is_read_from_the_environment_by_the_name_of_its_secret(tmp_path: Path, value: str) -> None:
    two = PRIVATE + PRIVATE.replace("houses]", "rents]")
    read = settings.read(environ(tmp_path, two.encode(), SECRET_ACME_READ=value))
    assert read.credentials == (("https://git.example.org/houses.git", "ACME_READ", value.strip()),)


@pytest.mark.parametrize(("value", "what"), [("", "is missing"), ("robot:", "has no token"), (" ", "has no token")])
def test_a_missing_credential_is_named_with_everything_else(tmp_path: Path, value: str, what: str) -> None:
    with pytest.raises(Misconfigured) as told:
        settings.read(environ(tmp_path, PRIVATE.encode(), SECRET_ACME_READ=value, SECRET_HOUSES=""))
    said = f"SECRET_ACME_READ {what}: the repository of houses is read with it (user:token, or a token)"
    assert said in str(told.value)
    assert "SECRET_HOUSES is missing" in str(told.value)


def test_blobs_need_to_be_told_where_they_are(tmp_path: Path) -> None:
    given = environ(tmp_path, PROJECTS.encode(), STORAGE="blobs")
    with pytest.raises(Misconfigured, match="STORAGE_CONNECTION is missing: a storage account's connection string"):
        settings.read(given)
    with pytest.raises(Misconfigured, match=r"STORAGE is 'azurite': it must be local .* or blobs"):
        settings.read({**given, "STORAGE": "azurite"})


@pytest.mark.parametrize(
    ("given", "storage"),
    [
        ({}, ""),
        ({"AzureWebJobsStorage": "of the host"}, ""),
        ({"STORAGE": "local", "STORAGE_CONNECTION": "ours"}, ""),
        ({"STORAGE": "blobs", "AzureWebJobsStorage": "of the host"}, "of the host"),
        ({"STORAGE": "blobs", "AzureWebJobsStorage": "of the host", "STORAGE_CONNECTION": "ours"}, "ours"),
    ],
)
def test_the_storage_is_the_one_that_was_chosen(tmp_path: Path, given: dict[str, str], storage: str) -> None:
    assert settings.read(environ(tmp_path, PROJECTS.encode(), **given)).storage == storage


UUID = "11111111-2222-3333-4444-555555555555"
WORKSPACE = {
    "BACKEND": "azure",
    "AZURE_SUBSCRIPTION_ID": UUID,
    "AZURE_RESOURCE_GROUP": "models",
    "AZUREML_WORKSPACE": "models-ws",
    "STORAGE_CONNECTION": "https://models.blob.core.windows.net",
    "TOPIC_ENDPOINT": "https://signalbox.westeurope-1.eventgrid.azure.net/api/events",
}


def wrong(given: dict[str, str]) -> list[str]:
    with pytest.raises(Misconfigured) as told:
        settings.read(given)
    return str(told.value).split("; ")


def test_azure_needs_its_workspace_and_neither_a_folder_nor_a_scoring_address(tmp_path: Path) -> None:
    given = environ(tmp_path, PROJECTS.encode(), **WORKSPACE)
    read = settings.read({name: value for name, value in given.items() if name not in {"STATE_DIR", "LIVE_URL"}})
    assert read.azure == settings.AzureSettings(
        subscription=UUID,
        resource_group="models",
        workspace="models-ws",
        tenant="",
        client="",
        secret="",
        location="",
        compute="signalbox-cpu",
        vm_size="STANDARD_DS3_V2",
        aks="",
        image="",
        timeout=10.0,
        attempts=2,
        storage="https://models.blob.core.windows.net",
        state=read.state,
    )
    assert read.storage == "https://models.blob.core.windows.net"
    assert read.state.is_absolute()
    assert read.event_seconds == 18.0


def test_settings_of_azure_that_are_printed_show_no_secret(tmp_path: Path) -> None:
    account = "DefaultEndpointsProtocol=https;AccountName=models;AccountKey=a2V5"
    person = {"AZURE_TENANT_ID": UUID, "AZURE_CLIENT_ID": UUID, "AZURE_CLIENT_SECRET": "hunter2"}
    read = settings.read(environ(tmp_path, PROJECTS.encode(), **WORKSPACE | person | {"STORAGE_CONNECTION": account}))

    shown = repr(read.azure)

    assert read.azure is not None
    assert (read.azure.secret, read.azure.storage) == ("hunter2", account)
    assert shown == f"AzureSettings({UUID}/models/models-ws, as {UUID})"


def test_without_azure_nothing_of_it_is_read(tmp_path: Path) -> None:
    assert settings.read(environ(tmp_path, PROJECTS.encode(), AZURE_ATTEMPTS="many")).azure is None


def test_everything_that_azure_lacks_is_named_at_once(tmp_path: Path) -> None:
    lacking = environ(tmp_path, PROJECTS.encode(), BACKEND="azure", AZURE_CLIENT_SECRET="s" * 20)
    assert [one.partition(":")[0] for one in wrong(lacking)] == [
        "TOPIC_ENDPOINT is missing",
        "AZURE_SUBSCRIPTION_ID is missing",
        "AZURE_RESOURCE_GROUP is missing",
        "AZUREML_WORKSPACE is missing",
        "STORAGE_CONNECTION is missing",
        "AZURE_TENANT_ID is missing",
        "AZURE_CLIENT_ID is missing",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AZURE_SUBSCRIPTION_ID", "models"),
        ("AZURE_RESOURCE_GROUP", "ends.with.a."),
        ("AZUREML_WORKSPACE", "ws"),
        ("AZURE_TENANT_ID", "contoso"),
        ("AZURE_CLIENT_ID", "robot"),
        ("AZURE_LOCATION", "West Europe"),
        ("AZUREML_COMPUTE", "two words"),
        ("AZURE_TIMEOUT_SECONDS", "0"),
        ("AZURE_TIMEOUT_SECONDS", "nan"),
        ("AZURE_ATTEMPTS", "2.5"),
        ("AZURE_ATTEMPTS", "6"),
        ("EVENT_SECONDS", "30"),
        ("EVENT_SECONDS", "soon"),
        ("BRANCH_LOOK", "0"),
        ("HTTP_SECONDS", "0"),
        ("STORAGE", "local"),
        ("PUBLIC_URL", "signalbox.example.org"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_what_it_must_be(tmp_path: Path, name: str, value: str) -> None:
    told = wrong(environ(tmp_path, PROJECTS.encode(), **WORKSPACE | {name: value}))
    assert told == [f"{name} is {value!r}: it must be {settings.TABLE[name].what}"]


def test_an_empty_setting_is_an_absent_one(tmp_path: Path) -> None:
    empty = {name: "" for name, one in settings.TABLE.items() if not one.needed and name not in WORKSPACE}
    read = settings.read(environ(tmp_path, PROJECTS.encode(), **WORKSPACE, **empty))
    assert read == settings.read(environ(tmp_path, PROJECTS.encode(), **WORKSPACE))


def test_a_file_that_is_named_from_nowhere_stands_beside_the_host_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Misconfigured, match=r"PROJECTS cannot be read: .*/absent\.toml"):
        settings.read(environ(tmp_path, b"", PROJECTS="absent.toml"))
    (tmp_path / "here.toml").write_text(PROJECTS)
    assert settings.read(environ(tmp_path, b"", PROJECTS="here.toml")).projects.projects.keys() == {"houses"}


TELL = """
[projects.houses.tell]
to = ["TEAM"]
statuses = "github"
token = "HOST"
"""
HOOK, TOKEN = "json://ops:hunter2@hook.example.org/x", "somebody:hunter2"


def test_who_is_told_is_read_and_every_secret_of_it_that_is_missing_is_named(tmp_path: Path) -> None:
    told = (PROJECTS.replace("file:///", "https://git.example.org/") + TELL).encode()
    mail = "mailtos://me:hunter2@smtp.example.org?to={to}"
    read = settings.read(environ(tmp_path, told, SECRET_TEAM=HOOK, SECRET_HOST=TOKEN, MAIL=mail))
    assert (read.statuses, read.channels, read.mail) == (
        (("houses", "HOST", "hunter2"),),
        (("TEAM", HOOK),),
        mail,
    )
    assert wrong(environ(tmp_path, told)) == [
        "SECRET_HOST is missing: the token that writes the statuses of houses",
        "SECRET_TEAM is missing: the channel that hears of houses, as Apprise writes it",
    ]
    given = environ(tmp_path, told, SECRET_TEAM="hunter2", SECRET_HOST=TOKEN, MAIL="mailtos://hunter2@smtp.example.org")
    said = wrong(given)
    assert said[0].startswith("SECRET_TEAM is no address: the channel that hears of houses")
    assert said[1].startswith("MAIL cannot be used: it must be the address that Apprise mails people by, with {to}")
    assert "hunter2" not in "".join(said)


def test_no_value_of_a_secret_is_told(tmp_path: Path) -> None:
    assert [name for name, one in settings.TABLE.items() if one.secret and one.like] == []
    given = environ(
        tmp_path, PROJECTS.encode(), **WORKSPACE | {"AZURE_CLIENT_SECRET": "hunter2", "TOPIC_KEY": "hunter2"}
    )
    assert "hunter2" not in "".join(wrong(given))


def test_what_is_wrong_comes_apart_again_where_it_is_shown() -> None:
    assert [name for name, one in settings.TABLE.items() if ";" in one.what] == []


AUDIT = base64.b64encode(bytes(range(32))).decode()


def test_the_key_of_the_audit_is_read_in_either_alphabet_or_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "audit.key"
    file.write_text(f"{AUDIT}\n")
    urlsafe = AUDIT.replace("+", "-").replace("/", "_").rstrip("=")
    for given in ({"AUDIT_KEY": AUDIT}, {"AUDIT_KEY": urlsafe}, {"AUDIT_KEY_FILE": str(file)}):
        assert settings.read(environ(tmp_path, PROJECTS.encode(), **given)).audit_key == bytes(range(32))
    assert settings.read(environ(tmp_path, PROJECTS.encode())).audit_key == b""
    earlier = settings.read_audit({"AUDIT_PUBLIC_KEYS": f"{AUDIT}  {urlsafe}", "STATE_DIR": str(tmp_path)})
    assert earlier.public_keys == (bytes(range(32)),) * 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"AUDIT_KEY": "c2VjcmV0IGJ1dCBzaG9ydA=="}, "AUDIT_KEY holds no key: it must be 32 bytes"),
        ({"AUDIT_KEY": "no base64 ü"}, "AUDIT_KEY holds no key"),
        ({"AUDIT_KEY": AUDIT, "AUDIT_KEY_FILE": "here"}, "AUDIT_KEY and AUDIT_KEY_FILE are both set"),
        ({"AUDIT_KEY_FILE": "nowhere/audit.key"}, "AUDIT_KEY_FILE cannot be read"),
        ({"AUDIT_PUBLIC_KEYS": f"{AUDIT} c2hvcnQ="}, "AUDIT_PUBLIC_KEYS holds no key"),
    ],
)
def test_a_key_of_the_audit_that_is_none_is_named_and_not_repeated(
    tmp_path: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(Misconfigured, match=said) as told:
        settings.read(environ(tmp_path, PROJECTS.encode(), **given))
    with pytest.raises(Misconfigured, match=said):
        settings.read_audit({"STATE_DIR": str(tmp_path), **given})
    assert not any(secret in str(told.value) for secret in (AUDIT, "c2VjcmV0", "no base64", "c2hvcnQ"))


def test_what_is_shown_of_settings_and_of_what_they_made_holds_no_secret() -> None:
    hush, where = "kept-to-itself", Path("state")
    texts = {name: "" for name in AzureSettings.__struct_fields__} | {"secret": hush, "storage": hush}
    azure = AzureSettings(**(texts | {"timeout": 1.0, "attempts": 1, "state": where}))
    world = World()
    whole = replace(
        world.settings(hush.encode()),
        storage=f"AccountKey={hush}",
        topic_key=hush,
        approval_key=hush.encode(),
        credentials=(("https://git.example.org/houses", "HOUSES_READ", hush),),
        azure=azure,
        audit_key=hush.encode(),
        checkpoints=f"AccountKey={hush}",
    )
    audit = AuditSettings(whole.storage, where, whole.audit_key, (), whole.checkpoints)
    wired = Wired(world.control, whole, 0)
    shown = "".join([*map(repr, (whole, audit, azure, wired)), f"{whole} {audit} {wired}"])
    assert hush not in shown
    assert KEY.decode() not in shown
    assert "houses" in repr(whole)
