"""Azurite as a part of the stack: there before the others, there after a power cut, and gone with them."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from tests import storage
from tools.local.azurite import Azurite, Ports
from tools.local.files import read_json
from tools.local.node import NoAzurite, azurite_command
from tools.local.processes import is_alive
from tools.local.settings import chosen_storage
from tools.local.stack import NotStarted, Stack

Until = Callable[..., Any]
Make = Callable[..., Stack]


@pytest.fixture
def make(tmp_path: Path, sample: Path) -> Iterator[Make]:
    made: list[Stack] = []
    projects = tmp_path / "projects.toml"
    projects.write_text("")

    def make_one(**options: Any) -> Stack:
        environment = {"NOTES": str(tmp_path / "notes.jsonl"), **options.pop("environment", {})}
        made.append(Stack(tmp_path / "state", projects, app=sample, environment=environment, **options))
        return made[-1]

    yield make_one
    for one in made:
        one.kill()


def connection(stack: Stack) -> str:
    return Ports(**read_json(stack.state / "azurite.json")).connection


def put(stack: Stack, content: bytes) -> None:
    key = {"x-functions-key": stack.keys.function}
    assert httpx.put(f"{stack.grid_url}/data/diabetes/a.csv", content=content, headers=key).status_code == 201


def kept(stack: Stack) -> bytes:
    """What is in Azurite, asked past everything of ours."""
    account = BlobServiceClient.from_connection_string(connection(stack))
    return bytes(account.get_blob_client("diabetes", "a.csv").download_blob().readall())


def test_a_stack_on_azurite_keeps_everything_there_over_a_power_cut(make: Make, tmp_path: Path, until: Until) -> None:
    storage.connection()  # skips where Azurite cannot be had
    first = make(storage="azurite")
    first.start()
    put(first, b"first")
    assert httpx.post(f"{first.host_url}/api/order", json=["good", "bad"]).status_code == 202
    notes = tmp_path / "notes.jsonl"
    until("the poisoned message", lambda: notes.exists() and '"undertaker", "body": "bad"' in notes.read_text())
    assert notes.read_text().count('"worker", "body": "good"') == 1
    queues = QueueServiceClient.from_connection_string(connection(first))
    assert {queue.name for queue in queues.list_queues()} == {"work", "work-poison"}
    assert not (first.state / "queues.db").exists()
    pids, where = first.pids, connection(first)
    put(first, b"second")
    # Azurite is asked to end when the supervisor is gone, and writes what it acknowledged before it does.
    first.kill()
    assert "azurite" in pids
    assert not any(is_alive(pid) for pid in pids.values())
    with make() as again:
        assert connection(again) == where
        assert kept(again) == b"second"
        put(again, b"third")
        last = again.pids["azurite"]
    assert not is_alive(last)


def filled(one: Azurite) -> None:
    data = BlobServiceClient.from_connection_string(one.ports.connection).create_container("data")
    for number in range(150):
        data.upload_blob(f"{number}", b"x", metadata={"much": "x" * 7000})


def assert_all_is_there(state: Path) -> None:
    with Azurite("--state", str(state)) as one:
        again = BlobServiceClient.from_connection_string(one.ports.connection).get_container_client("data")
        assert len(list(again.list_blob_names())) == 150


def test_azurite_writes_what_it_acknowledged_though_it_is_told_twice_to_end(tmp_path: Path) -> None:
    storage.connection()  # skips where Azurite cannot be had
    with Azurite("--state", str(tmp_path)) as one:
        filled(one)
        os.kill(one.pid, signal.SIGTERM)
        assert any("closing" in line for line in one.said())
        os.kill(one.pid, signal.SIGTERM)
    assert_all_is_there(tmp_path)


def test_azurite_writes_what_it_acknowledged_though_nobody_reads_what_it_says(tmp_path: Path) -> None:
    storage.connection()  # skips where Azurite cannot be had
    with Azurite("--state", str(tmp_path)) as one:
        filled(one)
        one.be_unheard()
    assert_all_is_there(tmp_path)


def test_a_stack_without_azurite_says_why_and_leaves_nothing_running(make: Make, tmp_path: Path) -> None:
    nowhere = {"PATH": "", "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    with pytest.raises(NotStarted, match=r"Azurite could not be installed: `python.* -m uv` failed"):
        make(storage="azurite", environment=nowhere).start()


def test_where_neither_node_nor_its_package_can_be_had_the_reason_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoAzurite, match="could not be installed"):
        azurite_command({"PATH": "", "UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)})


def test_the_storage_is_what_was_asked_for_or_what_the_state_folder_was_begun_with(tmp_path: Path) -> None:
    assert chosen_storage(tmp_path, None, {}) == "local"
    assert chosen_storage(tmp_path, None, {"STORAGE": "blobs"}) == "blobs"
    assert chosen_storage(tmp_path, "azurite", {"STORAGE": "blobs"}) == "azurite"
    (tmp_path / "azurite").mkdir()
    assert chosen_storage(tmp_path, None, {}) == "azurite"
    assert chosen_storage(tmp_path, "local", {}) == "local"
    with pytest.raises(SystemExit, match="STORAGE is 'cloud'"):
        chosen_storage(tmp_path, None, {"STORAGE": "cloud"})
