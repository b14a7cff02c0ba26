"""Data in a storage account: the same endpoint and the same events as for files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient

from tests import storage
from tools.local.containers import Containers
from tools.local.files import write_json
from tools.local.watcher import Announced, Watcher


@pytest.fixture(scope="module")
def account() -> BlobServiceClient:
    return BlobServiceClient.from_connection_string(storage.connection())


@pytest.fixture
def container(tmp_path: Path) -> str:
    """The name of a container that is not there yet."""
    return storage.prefix(tmp_path) + "data"


@pytest.fixture(scope="module")
def grid(start: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    state = tmp_path_factory.mktemp("grid")
    write_json(state / "subscriptions.json", [])
    return start("tools.local.grid", state, STORAGE="blobs", STORAGE_CONNECTION=storage.connection())


@pytest.fixture
def web(grid: Any) -> httpx.Client:
    return httpx.Client(base_url=f"{grid.url}/data", headers={"x-functions-key": grid.keys.function})


def test_a_blob_that_was_put_is_in_the_account_and_can_be_read(
    web: httpx.Client, account: BlobServiceClient, container: str
) -> None:
    put = web.put(f"/{container}/2026/a%20b.csv", content=b"x,y\n1,2\n")
    assert (put.status_code, put.json()["size"]) == (201, 8)
    kept = account.get_blob_client(container, "2026/a b.csv").download_blob()
    assert (kept.readall(), kept.properties.etag) == (b"x,y\n1,2\n", put.headers["etag"])
    got = web.get(f"/{container}/2026/a%20b.csv")
    assert (got.content, got.headers["etag"]) == (b"x,y\n1,2\n", put.headers["etag"])
    head = web.head(f"/{container}/2026/a%20b.csv")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "8", b"")
    again = web.put(f"/{container}/2026/a%20b.csv", content=b"")
    assert again.headers["etag"] != put.headers["etag"]
    assert web.get(f"/{container}/2026/a%20b.csv").content == b""


def test_a_large_blob_is_whole(web: httpx.Client, container: str) -> None:
    content = bytes(range(256)) * 20_000
    assert web.put(f"/{container}/large.bin", content=content).json()["size"] == len(content)
    assert web.get(f"/{container}/large.bin").content == content


def test_what_is_not_there_and_who_may_not_are_told(grid: Any, web: httpx.Client, container: str) -> None:
    assert web.get(f"/{container}/nothing.csv").status_code == 404
    web.put(f"/{container}/a.csv", content=b"x")
    assert web.get(f"/{container}/nothing.csv").status_code == 404
    assert httpx.put(f"{grid.url}/data/{container}/a.csv", content=b"y").status_code == 401


class Told(list[Any]):
    """Keeps what is published."""

    def __call__(self, events: Sequence[Any]) -> None:
        self.extend(events)

    def about(self, container: str) -> list[str]:
        return [
            one["subject"].rpartition("/blobs/")[2] for one in self if f"/containers/{container}/" in one["subject"]
        ]


def test_every_version_in_every_container_is_announced_once(
    tmp_path: Path, account: BlobServiceClient, container: str
) -> None:
    told = Told()
    data = Containers(storage.connection())

    def watching() -> Watcher:
        return Watcher(data.blobs, Announced(tmp_path / "grid.db"), told, "http://127.0.0.1:1")

    first = account.create_container(container)
    uploaded = first.upload_blob("a.csv", b"one")
    one = watching()
    for _ in range(2):
        # At the first look already: a storage account shows a blob when it is whole.
        one.look()
        assert told.about(container) == ["a.csv"]
    mine = next(event for event in told if container in event["subject"])["data"]
    assert (mine["eTag"], mine["contentLength"]) == (uploaded.get_blob_properties().etag, 3)
    first.upload_blob("a.csv", b"two", overwrite=True)
    first.upload_blob("b/c.csv", b"three")
    another = watching()
    another.look()
    another.look()
    assert told.about(container) == ["a.csv", "a.csv", "b/c.csv"]


@pytest.mark.parametrize("name", ["signalbox-ledger", "signalbox-marks", "signalbox-artifacts"])
def test_what_the_app_keeps_for_itself_is_not_announced(account: BlobServiceClient, tmp_path: Path, name: str) -> None:
    ours = account.get_container_client(name)
    if not ours.exists():
        ours.create_container()
    ours.upload_blob("streams/release/x", b"x", overwrite=True)
    assert name not in {blob.container for blob in Containers(storage.connection()).blobs()}


def test_an_account_that_is_away_holds_nothing_up(tmp_path: Path) -> None:
    told = Told()
    nowhere = "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=YQ==;BlobEndpoint=http://127.0.0.1:1/a;"
    Watcher(Containers(nowhere).blobs, Announced(tmp_path / "grid.db"), told, "http://127.0.0.1:1").look()
    assert told == []


def test_a_blob_of_any_client_reaches_the_function(
    start: Callable[..., Any],
    tmp_path: Path,
    subscriber: Any,
    until: Callable[..., Any],
    account: BlobServiceClient,
    container: str,
) -> None:
    wanted = {
        "name": "data",
        "function": "on_new_data",
        "subject_begins": f"/blobServices/default/containers/{container}/",
    }
    write_json(tmp_path / "subscriptions.json", [wanted])
    chosen = {"STORAGE": "blobs", "STORAGE_CONNECTION": storage.connection()}
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url, **chosen)
    account.create_container(container).upload_blob("a.csv", b"12345")
    until("the delivery", lambda: len(subscriber.events()) == 1)
    (event,) = subscriber.events()[0]
    assert (event["eventType"], event["data"]["contentLength"]) == ("Microsoft.Storage.BlobCreated", 5)
    key = {"x-functions-key": grid.keys.function}
    assert httpx.get(event["data"]["url"], headers=key).content == b"12345"


def test_a_dead_letter_is_a_blob_of_the_account(
    start: Callable[..., Any],
    tmp_path: Path,
    subscriber: Any,
    until: Callable[..., Any],
    account: BlobServiceClient,
    container: str,
) -> None:
    subscriber.answers = [400]
    # The letter is a blob too: its own event must not be refused.
    refused = {"name": "all", "function": "f", "types": ["T"], "dead_letter": container}
    write_json(tmp_path / "subscriptions.json", [refused])
    chosen = {"STORAGE": "blobs", "STORAGE_CONNECTION": storage.connection()}
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url, "--time-scale", "0.0001", **chosen)
    event = {"id": "1", "subject": "s", "eventType": "T", "eventTime": "2026-11-24T00:00:00Z", "data": {}}
    headers = {"aeg-sas-key": grid.keys.topic}
    httpx.post(f"{grid.url}/topics/signalbox/api/events", json=[event], headers=headers)
    until("the end", lambda: grid.deliveries(id="1", state="dead"))
    letters = account.get_container_client(container)
    (name,) = (one.name for one in letters.list_blobs(name_starts_with="ALL/"))
    (told,) = json.loads(letters.download_blob(name).readall())
    assert (told["id"], told["deadLetterReason"]) == ("1", "UndeliverableDueToHttpBadRequest")
