"""What every second place keeps to: a new one joins with one line in `PLACES`."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared import wiring
from shared.backends.blobs.checkpoints import BlobCheckpoints
from shared.backends.local.checkpoints import FolderCheckpoints
from shared.backends.memory import MemoryCheckpoints
from shared.errors import NotFound
from shared.ports import Checkpoints
from tests import storage

PLACES: dict[str, Callable[[Path], Checkpoints]] = {
    "memory": lambda folder: MemoryCheckpoints(),
    "folder": lambda folder: FolderCheckpoints(folder / "second"),
    "azurite": lambda folder: BlobCheckpoints(storage.account(folder), storage.prefix(folder) + "checkpoints"),
}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Checkpoints:
    return PLACES[request.param](tmp_path)


def test_what_was_put_there_is_there_and_never_changed(place: Checkpoints) -> None:
    assert asyncio.run(place.names()) == []
    assert asyncio.run(place.put("2.json", b"two")) is True
    assert asyncio.run(place.put("1.json", b"one")) is True
    assert asyncio.run(place.put("2.json", b"another")) is False
    assert asyncio.run(place.names()) == ["1.json", "2.json"]
    assert asyncio.run(place.get("2.json")) == b"two"
    with pytest.raises(NotFound, match=r"there is no 3.json"):
        asyncio.run(place.get("3.json"))


def test_of_ten_that_write_one_name_exactly_one_is_first(place: Checkpoints) -> None:
    with ThreadPoolExecutor(10) as pool:
        first = list(pool.map(lambda number: asyncio.run(place.put("1.json", b"%d" % number)), range(10)))
    assert first.count(True) == 1
    assert asyncio.run(place.get("1.json")) == b"%d" % first.index(True)


def test_the_setting_names_a_folder_an_account_or_a_container(tmp_path: Path) -> None:
    assert wiring.second_place("") is None
    assert isinstance(wiring.second_place(str(tmp_path)), FolderCheckpoints)
    account = "DefaultEndpointsProtocol=https;AccountName=other;AccountKey=a2V5;EndpointSuffix=core.windows.net"
    held = [BlobCheckpoints.named(named)._container for named in (account, "https://other.blob.core.windows.net/kept")]
    assert [one.container_name for one in held] == ["signalbox-checkpoints", "kept"]
    assert {one.account_name for one in held} == {"other"}
