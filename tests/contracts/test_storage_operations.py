"""What a release asks of the storage, counted between the app and Azurite."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.backends.blobs import Account, BlobLedger
from tests import storage
from tests.storage_faults import KINDS, release_under
from tools.bench.storage import BAR, measure
from tools.bench.wire import Wire


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A way to the storage that counts."""
    with storage.wire() as wire:
        yield wire


def test_a_release_asks_the_storage_as_often_after_many_others_as_on_a_new_project(wire: Wire, tmp_path: Path) -> None:
    new, long = (measure(wire, storage.connection(), releases, storage.prefix(tmp_path)) for releases in (0, 8))
    assert 0 < len(new.going_on) == len(long.going_on) <= BAR
    # A process that starts reads each segment of its streams once; these stand in three, as after 80,000 rows.
    assert len(long.started) <= BAR
    assert len(new.cancelling) == len(long.cancelling) <= BAR
    assert (len(new.clock), len(new.patrol)) == (len(long.clock), len(long.patrol))


def test_a_process_that_made_a_mark_removes_it_by_one_request_and_only_that_one(wire: Wire, tmp_path: Path) -> None:
    account = Account(wire.connection(storage.connection()), storage.prefix(tmp_path))
    ours, theirs = BlobLedger(account), BlobLedger(account)
    asyncio.run(ours.mark("open/a", b"first"))
    with wire.counted() as asked:
        asyncio.run(ours.unmark("open/a"))
    assert [one.method for one in asked] == ["DELETE"]
    asyncio.run(ours.mark("open/a", b"second"))
    asyncio.run(theirs.unmark("open/a"))
    asyncio.run(theirs.mark("open/a", b"third"))
    asyncio.run(ours.unmark("open/a"))
    assert asyncio.run(ours.marks("")) == []


@pytest.mark.parametrize("beginning", range(len(KINDS)))
def test_a_release_goes_live_once_whichever_storage_operation_fails(wire: Wire, tmp_path: Path, beginning: int) -> None:
    # Every fifth, each in another way: in five runs each of them failed.
    faults = {at: KINDS[(at // 5 + beginning) % 5] for at in range(beginning, 200, 5)}
    account = Account(wire.connection(storage.connection()), storage.prefix(tmp_path), read_timeout=0.25)
    operations, wrong = release_under(wire, account, faults)
    assert operations > 80
    assert wrong == []
