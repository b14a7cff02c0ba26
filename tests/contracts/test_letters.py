"""What every keeper of dead letters keeps to: a new backend joins with one line in `KEEPERS`."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.backends.blobs import BlobLetters
from shared.backends.blobs.account import make
from shared.backends.local.letters import FileLetters
from shared.backends.memory import MemoryLetters
from shared.errors import Conflict
from shared.ports import Letters
from tests import storage

NAME = "ON_NEW_DATA/2026/3/3/9/0b5c.json"


@dataclass
class Kept:
    """A keeper of letters, and how Event Grid puts one there."""

    letters: Letters
    write: Callable[[str, bytes], object]


def memory(folder: Path) -> Kept:
    letters = MemoryLetters()
    return Kept(letters, letters.letters.__setitem__)


def local(folder: Path) -> Kept:
    def write(name: str, content: bytes) -> None:
        path = folder / "data" / "signalbox-dead-letter" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    return Kept(FileLetters(folder), write)


def azurite(folder: Path) -> Kept:
    account = storage.account(folder)

    def write(name: str, content: bytes) -> None:
        make(account.container("dead-letter"))
        account.container("dead-letter").upload_blob(name, content)

    return Kept(BlobLetters(account), write)


KEEPERS = {"memory": memory, "local": local, "azurite": azurite}


@pytest.fixture(params=KEEPERS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return KEEPERS[request.param](tmp_path)


def test_without_a_letter_there_is_none_and_forgetting_one_is_no_error(kept: Kept) -> None:
    assert asyncio.run(kept.letters.waiting(5)) == []
    asyncio.run(kept.letters.forget(NAME))


def test_letters_wait_in_the_order_of_their_names_and_not_more_than_asked_for(kept: Kept) -> None:
    names = [NAME.replace("0b5c", each) for each in "cab"]
    for name in names:
        kept.write(name, name.encode())
    assert asyncio.run(kept.letters.waiting(2)) == [(name, name.encode()) for name in sorted(names)[:2]]


def test_a_forgotten_letter_is_gone_and_the_others_stay(kept: Kept) -> None:
    kept.write(NAME, b"one")
    kept.write(NAME + ".json", b"two")
    asyncio.run(kept.letters.forget(NAME))
    asyncio.run(kept.letters.forget(NAME))
    assert asyncio.run(kept.letters.waiting(5)) == [(NAME + ".json", b"two")]


def test_what_is_no_letter_in_their_folder_keeps_none_from_being_read(tmp_path: Path) -> None:
    kept = local(tmp_path)
    kept.write("a.json/b.json", b"one")
    folder = tmp_path / "data" / "signalbox-dead-letter"
    (folder / "link.json").symlink_to(folder / "nowhere")
    (folder / os.fsdecode(b"\xff.json")).write_bytes(b"no text")
    assert asyncio.run(kept.letters.waiting(5)) == [("a.json/b.json", b"one")]


def test_a_letter_that_the_account_lets_nobody_remove_is_told_in_words(tmp_path: Path) -> None:
    account = storage.account(tmp_path)
    container = account.container("dead-letter")
    make(container)
    container.upload_blob(NAME, b"one").acquire_lease()
    with pytest.raises(Conflict, match="cannot be removed"):
        asyncio.run(BlobLetters(account).forget(NAME))
