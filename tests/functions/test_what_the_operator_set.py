"""What the operator set: read once, everything that is wrong named at once, and no secret repeated."""

from pathlib import Path

import pytest

from shared import settings
from shared.errors import Misconfigured

PROJECTS = '[projects.houses]\nrepository = "file:///houses.git"\nsecrets = ["HOUSES"]\napprovers = ["ana"]\n'


def environ(tmp_path: Path, projects: bytes, **others: str) -> dict[str, str]:
    """Return settings that are whole but for what is given."""
    file = tmp_path / "projects.toml"
    file.write_bytes(projects)
    given = {"PROJECTS": str(file), "APPROVAL_KEY": "k" * 16, "PUBLIC_URL": "http://a", "LIVE_URL": "http://b"}
    return {**given, "STATE_DIR": str(tmp_path), "SECRET_HOUSES": "s" * 16, **others}


def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path) -> None:
    given = environ(tmp_path, PROJECTS.encode(), SECRET_HOUSES="short", APPROVAL_KEY="", BACKEND="azure")
    with pytest.raises(Misconfigured) as told:
        settings.read(given)
    for name in ("SECRET_HOUSES is shorter", "APPROVAL_KEY is missing", "BACKEND is 'azure'"):
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
    with pytest.raises(Misconfigured, match=r"STORAGE is 'azurite': it is local .* or blobs"):
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
