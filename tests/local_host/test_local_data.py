"""Data: blobs by PUT and files that are dropped, each announced once it is whole."""

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import azure.functions as func
import httpx
import pytest

from tools.local.blobs import BadName, Blob, parts_of
from tools.local.files import write_json
from tools.local.folder import blobs_in
from tools.local.watcher import Announced, NotPublished, Watcher

Start = Callable[..., Any]
Until = Callable[..., Any]


@pytest.fixture(scope="module")
def grid(start: Start, tmp_path_factory: pytest.TempPathFactory) -> Any:
    state = tmp_path_factory.mktemp("grid")
    write_json(state / "subscriptions.json", [])
    return start("tools.local.grid", state)


@pytest.fixture
def web(grid: Any) -> httpx.Client:
    return httpx.Client(base_url=f"{grid.url}/data", headers={"x-functions-key": grid.keys.function})


def test_a_blob_that_was_put_is_a_file_and_can_be_read(grid: Any, web: httpx.Client) -> None:
    put = web.put("/diabetes/2026/a%20b.csv", content=b"x,y\n1,2\n")
    assert put.status_code == 201
    assert put.json() == {"name": "diabetes/2026/a b.csv", "size": 8, "etag": put.headers["etag"]}
    path = grid.state / "data/diabetes/2026/a b.csv"
    assert path.read_bytes() == b"x,y\n1,2\n"
    assert stat.S_IMODE((grid.state / "data/diabetes").stat().st_mode) == 0o700
    got = web.get("/diabetes/2026/a%20b.csv")
    assert (got.content, got.headers["etag"], got.headers["content-type"][:8]) == (
        b"x,y\n1,2\n", put.headers["etag"], "text/csv",
    )  # fmt: skip
    head = web.head("/diabetes/2026/a%20b.csv")
    assert (head.status_code, head.headers["content-length"], head.content) == (200, "8", b"")


def test_a_blob_is_replaced_and_its_etag_changes(web: httpx.Client) -> None:
    first, second = (web.put("/diabetes/again.csv", content=text) for text in (b"one", b"two"))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json()["etag"] != second.json()["etag"]
    assert web.get("/diabetes/again.csv").content == b"two"


def test_a_large_body_is_streamed_whole(grid: Any, web: httpx.Client) -> None:
    pieces = [bytes([number]) * 700_000 for number in range(10)]
    assert web.put("/diabetes/large.bin", content=iter(pieces)).json()["size"] == 7_000_000
    assert web.get("/diabetes/large.bin").content == b"".join(pieces)
    assert list((grid.state / "incoming").iterdir()) == []


def test_a_blob_needs_a_key(grid: Any, web: httpx.Client) -> None:
    for key, status in (("", 401), (grid.keys.topic, 401), (grid.keys.master, 201)):
        assert web.put("/diabetes/k.csv", content=b"", headers={"x-functions-key": key}).status_code == status
    assert httpx.get(f"{grid.url}/data/diabetes/k.csv").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "a/../b.csv", "../b.csv", "/etc/passwd", "a//b.csv", ".hidden", "a/.git/config", "a/", "x.part", "x.tmp",
        "a\\b", "line\nbreak", "nul\0", "n" * 256, "",
    ],
)  # fmt: skip
def test_a_name_that_is_no_plain_blob_name_is_refused(path: str) -> None:
    with pytest.raises(BadName):
        parts_of("diabetes", path)


@pytest.mark.parametrize("container", ["", "..", "Upper", "a", "-ab", "ab-", "a" * 64, "a/b", ".ab"])
def test_a_name_that_is_no_container_is_refused(container: str) -> None:
    with pytest.raises(BadName):
        parts_of(container, "a.csv")


def test_a_path_out_of_its_container_is_refused_over_http(grid: Any, web: httpx.Client) -> None:
    assert web.put("/diabetes/..%2f..%2fkeys.json", content=b"{}").status_code == 400
    assert web.get("/diabetes/..%2f..%2fkeys.json").status_code == 400
    assert web.put("/diabetes/.%2e/x", content=b"").status_code in (400, 404)
    assert '"master"' in (grid.state / "keys.json").read_text()


def test_links_are_not_followed(grid: Any, web: httpx.Client) -> None:
    web.put("/links/real.csv", content=b"real")
    os.symlink(grid.state, grid.state / "data/links/out")
    os.symlink(grid.state / "keys.json", grid.state / "data/links/keys.csv")
    assert web.put("/links/out/x.csv", content=b"").status_code == 409
    assert web.put("/links/keys.csv", content=b"").status_code == 409
    assert web.get("/links/keys.csv").status_code == 404
    assert web.get("/links/out/keys.json").status_code in (404, 409)
    assert [blob.path for blob in blobs_in(grid.state / "data") if blob.container == "links"] == ["real.csv"]


def test_a_folder_and_a_blob_do_not_take_each_other_s_place(web: httpx.Client) -> None:
    web.put("/places/a/b.csv", content=b"")
    assert web.put("/places/a", content=b"").status_code == 409
    assert web.put("/places/a/b.csv/c", content=b"").status_code == 409
    assert web.get("/places/a").status_code == 404
    assert web.get("/places/nothing").status_code == 404


class Told:
    """Keeps what is published; `broken` refuses it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.broken = False

    def __call__(self, events: Sequence[Any]) -> None:
        if self.broken:
            raise NotPublished("the topic is away")
        self.events += events

    @property
    def blobs(self) -> list[str]:
        return [one["subject"].rpartition("/blobs/")[2] for one in self.events]


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def drop(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def dropped(name: str, content: bytes = b"x") -> Path:
        path = tmp_path / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return dropped


def watcher(tmp_path: Path, told: Told) -> Watcher:
    return Watcher(lambda: blobs_in(tmp_path / "data"), Announced(tmp_path / "grid.db"), told, "http://127.0.0.1:1")


def test_a_dropped_file_is_announced_once_it_stopped_growing(tmp_path: Path, told: Told, drop: Any) -> None:
    watching = watcher(tmp_path, told)
    drop("diabetes/a.csv", b"half")
    watching.look()
    drop("diabetes/a.csv", b"half and the other half")
    watching.look()
    assert told.blobs == []
    watching.look()
    watching.look()
    assert told.blobs == ["a.csv"]


def test_a_blob_that_was_put_is_announced_at_the_first_look(tmp_path: Path, told: Told, drop: Any) -> None:
    watching = watcher(tmp_path, told)
    found = drop("diabetes/a.csv").stat()
    watching.stored(Blob("diabetes", "a.csv", found.st_mtime_ns, found.st_size))
    watching.look()
    assert told.blobs == ["a.csv"]


def test_a_changed_file_is_announced_again(tmp_path: Path, told: Told, drop: Any) -> None:
    watching = watcher(tmp_path, told)
    for content in (b"one", b"two!"):
        drop("diabetes/a.csv", content)
        for _ in range(3):
            watching.look()
    assert told.blobs == ["a.csv", "a.csv"]
    first, second = told.events
    assert first["id"] != second["id"]
    assert first["data"]["eTag"] != second["data"]["eTag"]
    assert first["data"]["sequencer"] < second["data"]["sequencer"]


@pytest.mark.parametrize(
    "name", ["diabetes/.a.csv", "diabetes/.git/a", "diabetes/a.part", "diabetes/a.tmp", "loose.csv"]
)
def test_files_that_are_not_blobs_are_not_announced(tmp_path: Path, told: Told, drop: Any, name: str) -> None:
    watching = watcher(tmp_path, told)
    drop(name)
    drop("diabetes/real.csv")
    for _ in range(3):
        watching.look()
    assert told.blobs == ["real.csv"]


def test_a_restart_neither_repeats_nor_misses(tmp_path: Path, told: Told, drop: Any) -> None:
    before = watcher(tmp_path, told)
    drop("diabetes/a.csv")
    before.look()
    before.look()
    told.broken = True
    drop("diabetes/b.csv")
    before.look()
    before.look()
    told.broken = False
    after = watcher(tmp_path, told)
    for _ in range(3):
        after.look()
    assert told.blobs == ["a.csv", "b.csv"]


def test_a_version_that_is_announced_twice_has_the_same_id(tmp_path: Path, told: Told, drop: Any) -> None:
    drop("diabetes/a.csv")
    for place in ("one.db", "two.db"):
        watching = Watcher(lambda: blobs_in(tmp_path / "data"), Announced(tmp_path / place), told, "http://127.0.0.1:1")
        watching.look()
        watching.look()
    assert told.events[0]["id"] == told.events[1]["id"]


def test_a_file_that_went_and_came_back_is_announced_again(tmp_path: Path, told: Told, drop: Any) -> None:
    watching = watcher(tmp_path, told)
    path = drop("diabetes/a.csv")
    watching.look()
    watching.look()
    path.rename(tmp_path / "away")
    watching.look()
    (tmp_path / "away").rename(path)
    watching.look()
    watching.look()
    assert told.blobs == ["a.csv", "a.csv"]


def test_the_event_is_one_that_the_sdk_reads(start: Start, tmp_path: Path, subscriber: Any, until: Until) -> None:
    write_json(tmp_path / "subscriptions.json", [{"name": "data", "function": "on_new_data"}])
    grid = start("tools.local.grid", tmp_path, "--host", subscriber.url)
    key = {"x-functions-key": grid.keys.function}
    put = httpx.put(f"{grid.url}/data/diabetes/a%20b.csv", content=b"12345", headers=key)
    (tmp_path / "data/diabetes/dropped.csv").write_bytes(b"123")
    until("both deliveries", lambda: len(subscriber.events()) == 2)
    raw = subscriber.events()[0][0]
    converter = func.meta.get_binding_registry().get("eventGridTrigger")
    event = converter.decode(func.meta.Datum(__import__("json").dumps(raw), "json"), trigger_metadata={})
    assert event.event_type == "Microsoft.Storage.BlobCreated"
    assert event.subject == "/blobServices/default/containers/diabetes/blobs/a b.csv"
    data = event.get_json()
    assert (data["api"], data["contentLength"], data["blobType"]) == ("PutBlob", 5, "BlockBlob")
    assert data["eTag"] == put.json()["etag"]
    assert data["url"] == f"{grid.url}/data/diabetes/a%20b.csv"
    assert httpx.get(data["url"], headers=key).content == b"12345"
