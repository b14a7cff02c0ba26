"""Data and code of jobs on blobs: exactly the version that was decided, the same sentences as with files."""

from collections.abc import Callable
from pathlib import Path

import pytest
from azure.storage.blob import BlobServiceClient

from shared.backends.blobs import Account, BlobArtifacts
from shared.backends.local import stored
from shared.errors import StepFailed
from shared.ports import Blob
from tests import storage

Put = Callable[[str, bytes], Blob]


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> BlobServiceClient:
    """The storage that this process is told to use."""
    monkeypatch.setenv("STORAGE", "blobs")
    monkeypatch.setenv("STORAGE_CONNECTION", storage.connection())
    return BlobServiceClient.from_connection_string(storage.connection())


@pytest.fixture
def container(account: BlobServiceClient, tmp_path: Path) -> str:
    return account.create_container(storage.prefix(tmp_path) + "data").container_name


@pytest.fixture
def put(account: BlobServiceClient, container: str) -> Put:
    def put(name: str, content: bytes) -> Blob:
        told = account.get_blob_client(container, name).upload_blob(content, overwrite=True)
        return Blob(container, name, len(content), told["etag"].strip('"'))

    return put


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"0123456789" * 3_500_000])
def test_a_job_gets_the_bytes_of_its_data_version(tmp_path: Path, put: Put, content: bytes) -> None:
    stored.fetch(tmp_path, put("2026/a b.csv", content), tmp_path / "got")
    assert (tmp_path / "got/2026/a b.csv").read_bytes() == content


def test_data_that_was_replaced_since_is_not_taken(tmp_path: Path, put: Put) -> None:
    old = put("a.csv", b"old")
    put("a.csv", b"new")
    with pytest.raises(StepFailed, match=r"a\.csv in container .* has changed since this data version") as told:
        stored.fetch(tmp_path, old, tmp_path / "got")
    assert told.value.advice


def test_data_that_is_gone_is_named(tmp_path: Path, put: Put, account: BlobServiceClient, container: str) -> None:
    blob = put("a.csv", b"x")
    account.get_blob_client(container, "a.csv").delete_blob()
    with pytest.raises(StepFailed, match=r"a\.csv is no longer in container"):
        stored.fetch(tmp_path, blob, tmp_path / "got")
    account.delete_container(container)
    with pytest.raises(StepFailed, match=r"a\.csv is no longer in container") as told:
        stored.fetch(tmp_path, blob, tmp_path / "again")
    assert "put a.csv again" in told.value.advice


@pytest.mark.parametrize("name", ["../../keys.json", "/etc/passwd", "a//b"])
def test_a_blob_never_becomes_a_file_elsewhere(tmp_path: Path, put: Put, name: str) -> None:
    with pytest.raises(StepFailed, match="is not a path within got"):
        stored.fetch(tmp_path, Blob("diabetes", name, 1, "0"), tmp_path / "got")


def test_the_code_of_a_job_comes_from_blobs(account: BlobServiceClient, tmp_path: Path) -> None:
    digest = BlobArtifacts(Account(storage.connection())).put_now(b"code of " + str(tmp_path).encode())
    assert stored.artifact(tmp_path, digest) == b"code of " + str(tmp_path).encode()
