"""What only blobs can do wrong: answers that are lost, blobs that are full, two who make the same one."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport

from shared.backends.blobs import Account, BlobArtifacts, BlobLedger
from shared.backends.blobs.account import Unanswered
from shared.errors import Conflict, Misconfigured, NotFound, Unavailable
from tests import storage
from tools.local.azurite import Ports

STREAM = "project/diabetes"
APPEND, CREATE = "comp=appendblock", "AppendBlob"


class Crash(BaseException):
    """The process ends here."""


class Wire(RequestsTransport):
    """The way to the storage: does something once, before or after a request that is told by its words."""

    def __init__(self) -> None:
        super().__init__()
        self.plans: list[tuple[str, str, Callable[[], None]]] = []

    def plan(self, when: str, words: str, happens: Callable[[], None]) -> None:
        """Let something happen `before` or `after` the next request with all of these words."""
        self.plans.append((when, words, happens))

    def lose(self, words: str, times: int = 1) -> None:
        """Let requests with these words take effect and lose their answers."""
        for _ in range(times):
            self.plan("after", words, _lost)

    def send(self, request: Any, **rest: Any) -> Any:
        told = f"{request.method} {request.url} {request.headers.get('x-ms-blob-type', '')}"
        self._happen("before", told)
        answer = super().send(request, **rest)
        self._happen("after", told)
        return answer

    def _happen(self, when: str, told: str) -> None:
        for plan in self.plans:
            if plan[0] == when and all(word in told for word in plan[1].split()):
                self.plans.remove(plan)
                plan[2]()
                return


def _lost() -> None:
    raise ServiceResponseError("the answer was lost")


def _never_sent() -> None:
    raise ServiceRequestError("nobody was there")


def _crash() -> None:
    raise Crash


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def ledger(tmp_path: Path, wire: Wire) -> BlobLedger:
    """A ledger whose way to the storage can be disturbed."""
    return BlobLedger(storage.account(tmp_path, transport=wire))


@pytest.fixture
def other(tmp_path: Path) -> BlobLedger:
    """Another process on the same streams."""
    return storage.ledger(tmp_path)


def append(ledger: BlobLedger, lines: bytes, at: int | None = None) -> int:
    return asyncio.run(ledger.append(STREAM, lines, at))


def read(ledger: BlobLedger, start: int = 0) -> bytes:
    return asyncio.run(ledger.read(STREAM, start))


@pytest.mark.parametrize("at", [4, None])
@pytest.mark.parametrize("happens", [_lost, _never_sent])
@pytest.mark.parametrize("when", ["before", "after"])
def test_an_append_without_an_answer_is_made_exactly_once(
    ledger: BlobLedger, wire: Wire, at: int | None, happens: Callable[[], None], when: str
) -> None:
    append(ledger, b"one\n")
    wire.plan(when, APPEND, happens)
    assert append(ledger, b"two\n", at) == 8
    assert read(ledger) == b"one\ntwo\n"
    assert wire.plans == []


@pytest.mark.parametrize("at", [4, None])
def test_an_append_without_an_answer_is_ours_though_others_came_behind_it(
    ledger: BlobLedger, other: BlobLedger, wire: Wire, at: int | None
) -> None:
    append(ledger, b"one\n")
    wire.plan("after", APPEND, lambda: (append(other, b"three\n"), _lost())[1])
    assert append(ledger, b"two\n", at) == 8
    assert read(ledger) == b"one\ntwo\nthree\n"


def test_of_an_append_that_never_arrived_another_may_take_the_place(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    append(ledger, b"one\n")
    wire.plan("before", APPEND, lambda: (append(other, b"two\n"), _lost())[1])
    with pytest.raises(Conflict, match="8 bytes long, not 4"):
        append(ledger, b"2nd\n", 4)
    wire.plan("before", APPEND, lambda: (append(other, b"three\n"), _lost())[1])
    assert append(ledger, b"four\n") == 19
    assert read(ledger) == b"one\ntwo\nthree\nfour\n"


def test_an_append_that_lands_long_after_it_was_given_up_is_made_once(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    append(ledger, b"one\n")
    # What was sent first arrives when it is sent again.
    wire.plan("before", APPEND, _lost)
    wire.plan("before", APPEND, lambda: (append(other, b"two\n", 4), None)[1])
    assert append(ledger, b"two\n") == 8
    assert read(ledger) == b"one\ntwo\n"


def test_the_same_bytes_of_somebody_else_are_not_taken_for_ours(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    wire.plan("before", APPEND, lambda: (append(other, b"one\n", 0), None)[1])
    with pytest.raises(Conflict):
        append(ledger, b"one\n", 0)
    assert append(ledger, b"one\n") == 8


def test_an_append_that_never_gets_an_answer_says_that_it_comes_again(ledger: BlobLedger, wire: Wire) -> None:
    append(ledger, b"one\n")
    for _ in range(4):
        wire.plan("before", APPEND, _never_sent)
    with pytest.raises(Unavailable, match="could not be asked"):
        append(ledger, b"two\n", 4)
    assert append(ledger, b"two\n", 4) == 8


@pytest.mark.parametrize("words", [CREATE, "comp=appendblock", "GET", "HEAD"])
def test_every_first_request_of_a_stream_may_lose_its_answer(ledger: BlobLedger, wire: Wire, words: str) -> None:
    # Of a container that is not there yet it would be the refusals that are lost.
    asyncio.run(ledger.append("release/a", b"x\n", 0))
    wire.lose(words, 2)
    assert append(ledger, b"one\n", 0) == 4
    assert read(ledger) == b"one\n"


def test_making_a_segment_never_empties_the_one_that_somebody_made_meanwhile(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    wire.plan("before", CREATE, lambda: (append(other, b"one\n"), None)[1])
    with pytest.raises(Conflict):
        append(ledger, b"two\n", 0)
    assert read(ledger) == b"one\n"


def test_a_mark_whose_answer_was_lost_is_ours_and_nobody_elses(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    asyncio.run(ledger.mark("open/b", b"x"))
    wire.lose("PUT -marks/open/a")
    assert asyncio.run(ledger.mark("open/a", b"same")) is True
    assert asyncio.run(other.mark("open/a", b"same")) is False
    wire.plan("before", "PUT -marks/open/c", lambda: (asyncio.run(other.mark("open/c", b"same")), _lost())[1])
    assert asyncio.run(ledger.mark("open/c", b"same")) is False


def test_removing_a_mark_again_after_a_lost_answer_keeps_the_next_one(
    ledger: BlobLedger, other: BlobLedger, wire: Wire
) -> None:
    asyncio.run(ledger.mark("open/a", b"first"))
    wire.plan("after", "DELETE", lambda: (asyncio.run(other.mark("open/a", b"second")), _lost())[1])
    asyncio.run(ledger.unmark("open/a"))
    assert asyncio.run(ledger.marks("")) == [("open/a", b"second")]


def test_eight_writers_who_lose_answers_record_every_row_once(tmp_path: Path) -> None:
    def write(number: int) -> None:
        wire = Wire()
        wire.lose(APPEND, 3)
        one = BlobLedger(storage.account(tmp_path, transport=wire), blocks=25)
        for row in range(10):
            append(one, b"%d %02d\n" % (number, row))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    expected = [b"%d %02d" % (number, row) for number in range(8) for row in range(10)]
    assert sorted(read(storage.ledger(tmp_path)).splitlines()) == expected


def test_eight_writers_at_one_position_have_one_winner_at_each_of_many(tmp_path: Path) -> None:
    ledgers = [BlobLedger(storage.account(tmp_path), blocks=3) for _ in range(8)]

    def won(one: BlobLedger, row: int) -> bool:
        try:
            return append(one, b"%d\n" % ledgers.index(one), row * 2) == row * 2 + 2
        except Conflict:
            return False

    with ThreadPoolExecutor(8) as pool:
        for row in range(7):
            winners = [number for number, yes in enumerate(pool.map(won, ledgers, [row] * 8)) if yes]
            assert read(ledgers[0], row * 2) == b"%d\n" % winners[0]
            assert len(winners) == 1


def segments(folder: Path) -> list[tuple[str, int]]:
    """Return name and size of the blobs of the stream."""
    found = storage.account(folder).container("ledger").list_blobs(name_starts_with=f"{STREAM}/")
    return [(one.name.rpartition("/")[2], one.size) for one in found]


@pytest.fixture
def short(tmp_path: Path, wire: Wire) -> BlobLedger:
    """A ledger whose segments are full after three appends."""
    return BlobLedger(storage.account(tmp_path, transport=wire), blocks=3)


@pytest.mark.parametrize("start", [0, 1, 12, 13, 27, 28, 100])
def test_a_stream_goes_on_in_the_next_segment_and_keeps_its_positions(
    short: BlobLedger, tmp_path: Path, start: int
) -> None:
    whole = b"".join(b"%03d\n" % row for row in range(7))
    for row in range(7):
        assert append(short, b"%03d\n" % row, row * 4) == row * 4 + 4
    assert segments(tmp_path) == [("0" * 20, 12), (f"{12:020d}", 12), (f"{24:020d}", 4)]
    for reader in (short, storage.ledger(tmp_path)):
        assert read(reader, start) == whole[start:]
    assert asyncio.run(short.streams("")) == [STREAM]
    assert asyncio.run(short.lengths("")) == {STREAM: len(asyncio.run(short.read(STREAM)))}
    with pytest.raises(Conflict, match="28 bytes"):
        append(storage.ledger(tmp_path), b"x", 24)


@pytest.mark.parametrize("at", [0, 4, 16])
def test_at_the_end_of_a_segment_another_position_is_a_conflict_too(short: BlobLedger, tmp_path: Path, at: int) -> None:
    for _ in range(3):
        append(short, b"row\n")
    with pytest.raises(Conflict, match="12 bytes long"):
        append(short, b"no\n", at)
    assert segments(tmp_path) == [("0" * 20, 12)]


def test_a_reader_who_knows_the_beginning_sees_what_others_appended_since(short: BlobLedger, tmp_path: Path) -> None:
    reader, position = BlobLedger(storage.account(tmp_path), blocks=3), 0
    for row in range(8):
        assert read(reader, position) == b""
        position = append(short, b"%03d\n" % row)
        assert read(reader, position - 4) == b"%03d\n" % row


def test_a_stream_that_was_put_back_from_a_backup_goes_on_from_there(short: BlobLedger, tmp_path: Path) -> None:
    for _ in range(8):
        append(short, b"row\n")
    container = storage.account(tmp_path).container("ledger")
    for start in (12, 24):
        container.delete_blob(f"{STREAM}/{start:020d}")
    assert read(short) == b"row\n" * 3
    with pytest.raises(Conflict, match="12 bytes long"):
        append(short, b"no\n", 4)
    assert append(short, b"on\n") == 15
    assert read(short) == b"row\n" * 3 + b"on\n"


def test_a_crash_between_two_segments_leaves_nothing_to_mend(
    short: BlobLedger, tmp_path: Path, wire: Wire, other: BlobLedger
) -> None:
    for _ in range(3):
        append(short, b"row\n")
    wire.plan("after", CREATE, _crash)
    with pytest.raises(Crash):
        append(short, b"lost\n", 12)
    assert segments(tmp_path)[1:] == [(f"{12:020d}", 0)]
    assert read(other) == b"row\n" * 3
    assert append(other, b"next\n", 12) == 17
    with pytest.raises(Conflict, match="17 bytes"):
        append(short, b"late\n", 12)


def test_a_stream_that_was_made_and_never_written_is_none(
    ledger: BlobLedger, tmp_path: Path, wire: Wire, other: BlobLedger
) -> None:
    # The first stream of all makes the container; the second is the one that is made and not written.
    asyncio.run(other.append("release/a", b"x\n", 0))
    wire.plan("after", CREATE, _crash)
    with pytest.raises(Crash):
        append(ledger, b"lost\n")
    assert segments(tmp_path) == [("0" * 20, 0)]
    assert asyncio.run(other.streams("")) == ["release/a"]
    assert append(other, b"first\n", 0) == 6


def test_an_answer_that_is_lost_at_the_end_of_a_segment_doubles_nothing(
    short: BlobLedger, wire: Wire, other: BlobLedger
) -> None:
    append(short, b"1\n")
    append(short, b"2\n")
    wire.plan("after", APPEND, lambda: (append(other, b"4\n"), _lost())[1])
    assert append(short, b"3\n") == 6
    assert read(other) == b"1\n2\n3\n4\n"


def test_a_segment_keeps_the_length_it_was_made_for_though_the_setting_changes(
    short: BlobLedger, tmp_path: Path
) -> None:
    longer = BlobLedger(storage.account(tmp_path), blocks=5)
    for row in range(9):
        append(short if row % 2 else longer, b"%d\n" % row)
    assert read(longer) == b"".join(b"%d\n" % row for row in range(9))
    assert segments(tmp_path)[0] == ("0" * 20, 10)


def test_a_changed_artifact_is_never_handed_out_and_storing_again_heals_it(tmp_path: Path) -> None:
    account = storage.account(tmp_path)
    artifacts = BlobArtifacts(account)
    digest = asyncio.run(artifacts.put(b"right"))
    (name,) = account.container("artifacts").list_blob_names()
    account.container("artifacts").upload_blob(name, b"wrong", overwrite=True)
    # Who stored it remembers what it was.
    assert asyncio.run(artifacts.get(digest)) == b"right"
    with pytest.raises(Unavailable, match="changed"):
        asyncio.run(storage.artifacts(tmp_path).get(digest))
    asyncio.run(artifacts.put(b"right"))
    assert asyncio.run(storage.artifacts(tmp_path).get(digest)) == b"right"


def test_an_artifact_that_is_too_large_to_be_remembered_pushes_no_other_out(tmp_path: Path) -> None:
    account = storage.account(tmp_path)
    artifacts, container = BlobArtifacts(account, remembers=10), account.container("artifacts")
    small, newer, large = (asyncio.run(artifacts.put(each)) for each in (b"small", b"newer", b"eleven byte"))
    assert asyncio.run(artifacts.get(large)) == b"eleven byte"
    for name in list(container.list_blob_names()):
        container.delete_blob(name)
    assert [asyncio.run(artifacts.get(each)) for each in (small, newer)] == [b"small", b"newer"]
    with pytest.raises(NotFound):
        asyncio.run(artifacts.get(large))
    # What fits takes the place of the oldest.
    asyncio.run(artifacts.put(b"third"))
    with pytest.raises(NotFound):
        asyncio.run(artifacts.get(small))
    assert asyncio.run(artifacts.get(newer)) == b"newer"


def test_an_artifact_whose_answers_are_lost_is_stored(tmp_path: Path, wire: Wire) -> None:
    artifacts = BlobArtifacts(storage.account(tmp_path, transport=wire))
    asyncio.run(artifacts.put(b"the first makes the container"))
    wire.lose("PUT BlockBlob", 2)
    wire.lose("GET", 2)
    assert asyncio.run(artifacts.get(asyncio.run(artifacts.put(b"bytes")))) == b"bytes"


async def _all_of(*calls: Awaitable[Any]) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)


def test_a_storage_that_is_not_there_can_be_asked_again_later() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ledger = BlobLedger(Account(Ports(taken.getsockname()[1], 1).connection))
        # Nobody listens at a port that is only taken.
        told = asyncio.run(_all_of(ledger.read(STREAM), ledger.append(STREAM, b"x", 0), ledger.mark("a", b"")))
    assert [type(error) for error in told] == [Unanswered] * 3
    assert "could not be asked" in str(told[0])


def test_a_storage_that_refuses_us_says_what_to_look_at() -> None:
    wrong = storage.connection().replace("AccountKey=E", "AccountKey=F")
    with pytest.raises(Unavailable, match=r"Auth.*STORAGE_CONNECTION"):
        asyncio.run(BlobLedger(Account(wrong)).read(STREAM))


@pytest.mark.parametrize("connection", ["nonsense", "AccountKey=a", "DefaultEndpointsProtocol"])
def test_a_connection_that_is_none_is_named_as_a_setting(connection: str) -> None:
    with pytest.raises(Misconfigured, match="STORAGE_CONNECTION"):
        Account(connection)
