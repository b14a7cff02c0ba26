"""What every ledger keeps to: a new backend joins with one line in `LEDGERS`."""

import asyncio
import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from shared.backends.local.ledger import SqliteLedger
from shared.backends.memory import MemoryLedger
from shared.errors import Conflict
from shared.ports import Ledger
from tests import storage

LEDGERS: dict[str, Callable[[Path], Ledger]] = {
    "memory": lambda folder: MemoryLedger(),
    "local": SqliteLedger,
    "azurite": storage.ledger,
}
"""Each makes an empty ledger for a test's own folder."""

DURABLE = {"local": "shared.backends.local.ledger:SqliteLedger", "azurite": "tests.storage:ledger"}
"""Those that outlive their process, as `module:callable` of a folder, so that a child can open the same one."""

STREAM = "release/0123456789abcdef0123"


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    return LEDGERS[request.param](tmp_path)


def test_a_stream_that_does_not_exist_reads_as_empty(ledger: Ledger) -> None:
    assert asyncio.run(ledger.read(STREAM)) == b""
    assert asyncio.run(ledger.read(STREAM, 10)) == b""


def test_appends_follow_one_another_and_answer_the_new_length(ledger: Ledger) -> None:
    assert asyncio.run(ledger.append(STREAM, b"one\n", at=0)) == 4
    assert asyncio.run(ledger.append(STREAM, b"three\n", at=4)) == 10
    assert asyncio.run(ledger.append(STREAM, b"x\n", at=None)) == 12
    assert asyncio.run(ledger.read(STREAM)) == b"one\nthree\nx\n"


@pytest.mark.parametrize("at", [0, 3, 5, 100])
def test_an_append_at_another_position_is_a_conflict_and_changes_nothing(ledger: Ledger, at: int) -> None:
    asyncio.run(ledger.append(STREAM, b"one\n", at=0))
    with pytest.raises(Conflict, match="4 bytes"):
        asyncio.run(ledger.append(STREAM, b"two\n", at=at))
    assert asyncio.run(ledger.read(STREAM)) == b"one\n"


def test_the_first_append_beyond_the_start_of_an_absent_stream_is_a_conflict(ledger: Ledger) -> None:
    with pytest.raises(Conflict):
        asyncio.run(ledger.append(STREAM, b"one\n", at=1))
    assert asyncio.run(ledger.streams("")) == []


@pytest.mark.parametrize("start", range(13))
def test_reading_goes_on_from_any_position(ledger: Ledger, start: int) -> None:
    for piece in (b"one\n", b"two\n", b"last\n"):
        asyncio.run(ledger.append(STREAM, piece, at=None))
    assert asyncio.run(ledger.read(STREAM, start)) == b"one\ntwo\nlast\n"[start:]


def test_reading_at_or_past_the_end_gives_nothing(ledger: Ledger) -> None:
    asyncio.run(ledger.append(STREAM, b"one\n", at=0))
    assert asyncio.run(ledger.read(STREAM, 4)) == b""
    assert asyncio.run(ledger.read(STREAM, 400)) == b""


def test_streams_do_not_touch_one_another(ledger: Ledger) -> None:
    asyncio.run(ledger.append("project/a", b"a\n", at=0))
    asyncio.run(ledger.append("project/ab", b"ab\n", at=0))
    assert asyncio.run(ledger.read("project/a")) == b"a\n"


def test_streams_are_listed_by_prefix_taken_literally(ledger: Ledger) -> None:
    for name in ("release/b", "release/a", "project/a_b", "project/axb", "Project/a_b"):
        asyncio.run(ledger.append(name, b"x\n", at=None))
    assert asyncio.run(ledger.streams("release/")) == ["release/a", "release/b"]
    assert asyncio.run(ledger.streams("project/a_")) == ["project/a_b"]


def test_the_length_of_each_stream_is_known_without_reading_it(ledger: Ledger) -> None:
    for name, piece in (
        ("release/b", b"x\n"),
        ("release/a", b"one\n"),
        ("project/a", b"x\n"),
        ("release/a", b"three\n"),
    ):
        asyncio.run(ledger.append(name, piece, at=None))
    assert asyncio.run(ledger.lengths("release/")) == {"release/a": 10, "release/b": 2}
    assert asyncio.run(ledger.lengths("nobody/")) == {}


def test_of_twenty_writers_at_one_position_exactly_one_wins(ledger: Ledger) -> None:
    def write(number: int) -> bool:
        try:
            asyncio.run(ledger.append(STREAM, b"%02d\n" % number, at=0))
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(write, range(20)))
    assert won.count(True) == 1
    assert asyncio.run(ledger.read(STREAM)) == b"%02d\n" % won.index(True)


def test_appends_without_a_condition_are_all_kept_and_whole(ledger: Ledger) -> None:
    lines = [b"%03d %s\n" % (number, b"x" * number) for number in range(200)]
    with ThreadPoolExecutor(8) as pool:
        lengths = list(pool.map(lambda line: asyncio.run(ledger.append(STREAM, line, at=None)), lines))
    stored = asyncio.run(ledger.read(STREAM))
    assert sorted(stored.splitlines(keepends=True)) == lines
    assert len(set(lengths)) == 200
    assert max(lengths) == len(stored)


def test_a_stream_of_many_megabytes_is_read_back_equal(ledger: Ledger) -> None:
    pieces = [bytes([65 + number]) * 1_000_000 + b"\n" for number in range(8)]
    for piece in pieces:
        asyncio.run(ledger.append(STREAM, piece, at=None))
    assert asyncio.run(ledger.read(STREAM)) == b"".join(pieces)
    assert asyncio.run(ledger.read(STREAM, 7_000_000)) == b"".join(pieces)[7_000_000:]


def test_bytes_of_every_value_survive(ledger: Ledger) -> None:
    asyncio.run(ledger.append(STREAM, bytes(range(256)), at=0))
    assert asyncio.run(ledger.read(STREAM)) == bytes(range(256))


def test_a_mark_is_made_once_and_keeps_its_first_content(ledger: Ledger) -> None:
    assert asyncio.run(ledger.mark("open/a", b"first")) is True
    assert asyncio.run(ledger.mark("open/a", b"second")) is False
    assert asyncio.run(ledger.marks("open/")) == [("open/a", b"first")]


def test_marks_are_listed_by_prefix_in_order_of_their_names(ledger: Ledger) -> None:
    for name in ("open/b", "open/a", "closed/c"):
        asyncio.run(ledger.mark(name, name.encode()))
    assert asyncio.run(ledger.marks("open/")) == [("open/a", b"open/a"), ("open/b", b"open/b")]


def test_a_mark_that_was_removed_can_be_made_again(ledger: Ledger) -> None:
    asyncio.run(ledger.mark("open/a", b"first"))
    asyncio.run(ledger.unmark("open/a"))
    asyncio.run(ledger.unmark("open/a"))
    assert asyncio.run(ledger.marks("")) == []
    assert asyncio.run(ledger.mark("open/a", b"second")) is True


def test_of_twenty_markers_exactly_one_is_first(ledger: Ledger) -> None:
    with ThreadPoolExecutor(20) as pool:
        first = list(pool.map(lambda number: asyncio.run(ledger.mark("open/a", b"%d" % number)), range(20)))
    assert first.count(True) == 1
    assert asyncio.run(ledger.marks("")) == [("open/a", b"%d" % first.index(True))]


CHILD = """
import asyncio, importlib, pathlib, sys
module, name = sys.argv[1].split(":")
ledger = getattr(importlib.import_module(module), name)(pathlib.Path(sys.argv[2]))
for number in range(int(sys.argv[3])):
    asyncio.run(ledger.append("release/a", b"%s %04d\\n" % (sys.argv[4].encode(), number), at=None))
asyncio.run(ledger.mark("open/" + sys.argv[4], b"x"))
print("acknowledged", flush=True)
sys.stdin.read()
"""


def _child(backend: str, folder: Path, count: int, label: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", CHILD, DURABLE[backend], str(folder), str(count), label]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _reopened(backend: str, folder: Path) -> Ledger:
    module, name = DURABLE[backend].split(":")
    made: Ledger = getattr(importlib.import_module(module), name)(folder)
    return made


@pytest.mark.parametrize("backend", DURABLE)
def test_what_was_acknowledged_is_there_after_the_writer_is_killed(backend: str, tmp_path: Path) -> None:
    with _child(backend, tmp_path, 50, "a") as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "acknowledged\n"
        child.send_signal(signal.SIGKILL)
    ledger = _reopened(backend, tmp_path)
    assert asyncio.run(ledger.read("release/a")) == b"".join(b"a %04d\n" % number for number in range(50))
    assert asyncio.run(ledger.marks("")) == [("open/a", b"x")]


@pytest.mark.parametrize("backend", DURABLE)
def test_two_processes_write_one_stream_without_a_loss(backend: str, tmp_path: Path) -> None:
    children = [_child(backend, tmp_path, 100, label) for label in "ab"]
    for child in children:
        child.communicate()
    lines = asyncio.run(_reopened(backend, tmp_path).read("release/a")).splitlines(keepends=True)
    expected = [b"%s %04d\n" % (label, number) for label in (b"a", b"b") for number in range(100)]
    assert sorted(lines) == expected
