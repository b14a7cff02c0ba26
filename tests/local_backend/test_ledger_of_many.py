"""Many writers of one process at once: what waits for the disk is written together, and each gets its own answer."""

import asyncio
import sqlite3
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.backends.local.ledger import SqliteLedger
from shared.errors import Conflict, Unavailable

MANY = 20


@pytest.fixture
def ledger(tmp_path: Path) -> SqliteLedger:
    made = SqliteLedger(tmp_path)
    asyncio.run(made.append("release/a", b"one\n", at=0))
    return made


@contextmanager
def somebody_else_writes(state: Path) -> Iterator[None]:
    """Keep every writer waiting inside."""
    with closing(sqlite3.connect(state / "ledger.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        yield
        other.execute("rollback")


def asked(pool: ThreadPoolExecutor, ledger: SqliteLedger, *arguments: Any) -> Future[int]:
    return pool.submit(lambda: asyncio.run(ledger.append(*arguments)))


def test_of_many_that_wait_together_each_gets_its_own_answer(ledger: SqliteLedger, tmp_path: Path) -> None:
    with ThreadPoolExecutor(2 * MANY) as pool:
        with somebody_else_writes(tmp_path):
            good = [asked(pool, ledger, f"release/{number}", b"two\n", 0) for number in range(MANY)]
            bad = [asked(pool, ledger, "release/a", b"two\n", 3) for _ in range(MANY - 1)]
            # Reading waits for no writer.
            assert asyncio.run(ledger.read("release/a")) == b"one\n"
            assert not any(each.done() for each in good + bad)
        assert [each.result() for each in good] == [4] * MANY
        for each in bad:
            with pytest.raises(Conflict, match="4 bytes"):
                each.result()
    assert asyncio.run(ledger.read("release/a")) == b"one\n"
    assert len(asyncio.run(ledger.streams("release/"))) == MANY + 1


def test_what_could_not_be_committed_is_acknowledged_to_nobody(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"this is no database " * 100)
    ledger = SqliteLedger(tmp_path)
    with ThreadPoolExecutor(MANY) as pool:
        told = [asked(pool, ledger, f"release/{number}", b"one\n", 0) for number in range(MANY)]
    for each in told:
        with pytest.raises((sqlite3.DatabaseError, Unavailable)):
            each.result()
