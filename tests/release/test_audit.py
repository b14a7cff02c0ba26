"""The audit of a stream: what was done to it is found, and named by its line."""

import hashlib
import hmac
from collections.abc import Callable

import pytest

from shared.release import audit, chain, facts, redaction
from shared.release.audit import Known
from shared.release.checkpoint import Covered

NAME, OTHER = "release/a", "release/b"
AT = "2026-03-03T09:00:00.000+00:00"


class Keys:
    """Signatures as the pure core sees them: these are of a keyed digest, so that the core needs no cryptography."""

    def __init__(self, named: str = "ours") -> None:
        self.named = named
        self.made = 0

    def sign(self, message: bytes) -> str:
        self.made += 1
        return f"{self.named}.{self.made}-{self._digest(message, self.made)}"

    def knows(self, sig: str) -> bool:
        return sig.partition(".")[0] == self.named

    def proves(self, message: bytes, sig: str) -> bool:
        made, _, digest = sig.partition(".")[2].partition("-")
        return made.isdigit() and hmac.compare_digest(digest, self._digest(message, int(made)))

    def _digest(self, message: bytes, made: int) -> str:
        return hmac.new(self.named.encode(), message + str(made).encode(), hashlib.sha256).hexdigest()


OURS = Keys()


def stream(count: int, sign: chain.Sign | None = OURS.sign, name: str = NAME, content: bytes = b"") -> list[bytes]:
    """Return a stream grown by so many lines, of which each fourth is a row that commutes."""
    for number in range(count):
        head = None if number % 4 == 3 else chain.decode(name, content).head
        content += chain.encode([facts.SlotVacated(f"slot {number}")], AT, head, sign, name)
    return audit.lines_of(content)


def covered(lines: list[bytes], name: str = NAME) -> Covered:
    content = b"".join(lines)
    return Covered(name, len(lines), len(content), chain.decode(name, content).head)


LINES = stream(12)
COVERS = {NAME: [(1, covered(LINES[:5])), (2, covered(LINES))]}
KNOWN = Known(OURS, COVERS, names=(NAME, OTHER))


def found(lines: list[bytes], known: Known = KNOWN) -> list[tuple[int, str]]:
    return [(one.line, one.what) for one in audit.examine(NAME, b"".join(lines), known).findings]


def said(lines: list[bytes], known: Known = KNOWN) -> list[str]:
    return [str(one) for one in audit.examine(NAME, b"".join(lines), known).findings]


def test_a_whole_stream_proves_itself() -> None:
    told = audit.examine(NAME, b"".join(LINES), KNOWN)
    assert (told.findings, told.lines, told.signed, told.covered, told.checkpoint) == ((), 12, 12, 12, 2)
    assert chain.decode(NAME, b"".join(LINES)).facts[3] == facts.SlotVacated("slot 3")


@pytest.mark.parametrize("at", range(12))
def test_the_very_line_that_was_edited_is_named(at: int) -> None:
    edited = [*LINES[:at], LINES[at].replace(b"slot ", b"slit ", 1).replace(b"slit ", b"Slot ", 1), *LINES[at + 1 :]]
    assert said(edited) == [f"release/a, line {at + 1}: edited: its signature is of other words"]


@pytest.mark.parametrize("at", range(12))
def test_a_line_that_is_gone_is_missed_where_it_stood(at: int) -> None:
    (one,) = found([*LINES[:at], *LINES[at + 1 :]])
    # Rows stand in no order to one another until a link covers them: the place is named by its two ends.
    assert at - 1 <= one[0] - 1 <= at + 1
    assert one[1] == ("removed" if at < 10 else "truncated")


@pytest.mark.parametrize("at", range(11))
def test_two_lines_that_changed_places_are_found(at: int) -> None:
    swapped = [*LINES[:at], LINES[at + 1], LINES[at], *LINES[at + 2 :]]
    told = found(swapped)
    assert told
    assert at + 1 in [line for line, _ in told]


def test_a_line_that_was_moved_far_is_found_once() -> None:
    assert found([LINES[0], LINES[2], LINES[1], *LINES[4:5], *LINES[3:4], *LINES[5:]])[0] == (2, "reordered")
    up = [LINES[0], LINES[1], LINES[6], *LINES[2:6], *LINES[7:]]
    assert (3, "reordered") in found(up)


@pytest.mark.parametrize("at", range(13))
def test_a_line_of_another_stream_is_found_and_its_own_stream_is_named(at: int) -> None:
    strange = stream(3, name=OTHER)[2]
    assert said([*LINES[:at], strange, *LINES[at:]]) == [
        f"release/a, line {at + 1}: spliced: it was written into release/b"
    ]


@pytest.mark.parametrize("at", [1, 4, 9, 12])
def test_a_copy_of_a_line_is_found_wherever_it_is_put(at: int) -> None:
    assert found([*LINES[:at], LINES[0], *LINES[at:]]) == [(at + 1, "inserted")]


def test_lines_cut_off_the_end_are_missed_by_a_checkpoint_and_only_by_one() -> None:
    assert said(LINES[:9]) == ["release/a, line 10: truncated: lines 10 to 12, which checkpoint 2 covers, are gone"]
    assert said([]) == ["release/a, line 1: truncated: the whole stream, which checkpoint 2 covers, is gone"]
    assert found(LINES[:9], Known(OURS)) == []


def test_a_stream_that_was_put_back_from_an_older_copy_and_has_grown_since_is_found() -> None:
    regrown = stream(6, content=b"".join(LINES[:7]))
    assert found(regrown) == [(6, "rolled back")]
    assert "lines 6 to 12 are not those of checkpoint 2" in said(regrown)[0]
    assert found(regrown, Known(OURS)) == []


@pytest.mark.parametrize("sign", [None, Keys("theirs").sign], ids=["nobody", "another key"])
def test_a_stream_that_was_written_anew_without_our_key_is_found(sign: chain.Sign | None) -> None:
    by = "nobody" if sign is None else "a key that is not known here"
    assert said(stream(12, sign), Known(OURS)) == [f"release/a, line 1: unsigned: lines 1 to 12 are signed by {by}"]
    assert found(stream(12, sign))[0] == (1, "unsigned")


def test_a_line_that_nobody_signed_is_named_even_where_the_chain_holds() -> None:
    rows = b"".join(LINES[:6])
    bare = chain.encode([facts.SlotVacated("bare")], AT, chain.decode(NAME, rows).head)
    grown = stream(3, content=rows + bare)
    assert said(grown, Known(OURS)) == ["release/a, line 7: unsigned: it is signed by nobody"]


def test_lines_put_in_without_a_signature_are_told_from_those_that_lost_theirs() -> None:
    put = chain.encode([facts.SlotVacated("never happened")], AT, None)
    assert found([*LINES[:6], put, *LINES[6:]]) == [(7, "unsigned"), (7, "inserted")]
    read = audit.read_line(LINES[5])
    assert read is not None
    bare = chain.without_signature(LINES[5], read.sig)
    assert found([*LINES[:5], bare, *LINES[6:]]) == [(6, "unsigned")]


@pytest.mark.parametrize("broken", [b"nonsense\n", b'"\xff"\n', b"{}\n"])
def test_a_line_that_cannot_be_read_is_named(broken: bytes) -> None:
    assert said([*LINES[:4], broken, *LINES[5:]]) == ["release/a, line 5: edited: it cannot be read"]


def test_a_last_line_without_its_end_is_named() -> None:
    assert said([*LINES[:11], LINES[11][:-1]]) == ["release/a, line 12: edited: its end is gone"]


# --- what is older than the key


def old(count: int) -> list[bytes]:
    return stream(count, None)


def test_what_is_older_than_the_key_counts_by_the_first_signed_checkpoint() -> None:
    begun = old(6)
    grown = stream(4, content=b"".join(begun))
    covers = {NAME: [(3, covered(begun))]}
    assert found(grown, Known(OURS, covers, first=3)) == []
    assert found(grown, Known(OURS, covers, first=2)) == [(1, "unsigned")]
    assert found(grown, Known(OURS)) == [(1, "unsigned")]


def test_an_old_line_that_was_edited_is_found_by_the_chain() -> None:
    begun = old(6)
    grown = stream(4, content=b"".join(begun))
    known = Known(OURS, {NAME: [(3, covered(begun))]}, first=3)
    changed = [grown[0], grown[1].replace(b"slot", b"slit"), *grown[2:]]
    assert found(changed, known) == [(2, "edited")]


def test_without_any_key_the_chain_alone_tells() -> None:
    lines, bare = old(12), Known()
    assert found(lines, bare) == []
    assert found([lines[0], lines[1].replace(b"slot", b"slit"), *lines[2:]], bare) == [(2, "edited")]
    assert found([*lines[:5], *lines[6:]], bare) == [(5, "edited")]
    row = chain.encode([facts.SlotVacated("put in")], AT, None)
    assert found([*lines[:6], row, *lines[6:]], bare) == [(7, "inserted")]


# --- rows between two links


def rows(count: int, swap: Callable[[list[bytes]], list[bytes]]) -> list[bytes]:
    start = b"".join(stream(1))
    facts_of = [facts.SlotVacated(f"row {number}") for number in range(count)]
    made = audit.lines_of(chain.encode(facts_of, AT, None, OURS.sign, NAME))
    content = start + b"".join(made)
    last = chain.encode([facts.SlotVacated("last")], AT, chain.decode(NAME, content).head, OURS.sign, NAME)
    return [*audit.lines_of(start), *swap(made), last]


def test_rows_that_changed_places_are_both_named() -> None:
    moved = rows(5, lambda made: [made[3], made[1], made[2], made[0], made[4]])
    assert said(moved, Known(OURS)) == ["release/a, line 2: reordered: it and line 5 have changed places"]


def test_a_signed_row_that_was_put_in_is_named() -> None:
    other = chain.encode([facts.SlotVacated("of another copy")], AT, None, OURS.sign, NAME)
    assert found(rows(5, lambda made: [*made[:2], other, *made[2:]]), Known(OURS)) == [(4, "inserted")]


def test_of_many_rows_the_two_ends_are_named() -> None:
    many = rows(audit.ROWS + 2, lambda made: [made[1], made[0], *made[2:]])
    assert said(many, Known(OURS)) == [
        "release/a, line 2: removed: what stood between line 1 and line 68 is gone or was moved"
    ]


def test_rows_behind_the_last_link_are_in_their_places_by_the_checkpoint_that_covers_them() -> None:
    made = rows(3, lambda each: each)[:-1]
    swapped = [made[0], made[2], made[1], made[3]]
    known = Known(OURS, {NAME: [(1, covered(made))]})
    assert found(made, known) == []
    assert said(swapped, known) == ["release/a, line 2: reordered: it and line 3 have changed places"]


def test_lines_apart_that_nobody_signed_are_named_apart() -> None:
    content = b"".join(LINES[:3])
    for number in range(2):
        bare = chain.encode([facts.SlotVacated("bare")], AT, chain.decode(NAME, content).head)
        content = b"".join(stream(2 + number, content=content + bare))
    assert found(audit.lines_of(content), Known(OURS)) == [(4, "unsigned"), (7, "unsigned")]


def test_new_lines_that_no_key_signed_are_named_one_by_one() -> None:
    assert audit.unproven(NAME, LINES[5:], 5, OURS) == []
    strange = [LINES[5], stream(1, name=OTHER)[0], b"nonsense\n", stream(1, Keys("theirs").sign)[0]]
    assert audit.unproven(NAME, strange, 5, OURS) == [
        f"stream release/a, line {number}: no key that is known here signed it" for number in (7, 8, 9)
    ]


def test_a_key_that_was_replaced_signs_nothing_behind_the_checkpoint_that_tells_so() -> None:
    after = Known(OURS, COVERS, retired={"ours": 1})
    assert found(LINES, after) == [(line, "unsigned") for line in range(6, 13)]
    assert found(LINES, Known(OURS, COVERS, retired={"ours": 2, "theirs": 1})) == []
    assert found(LINES, Known(OURS, retired={"ours": 2}))[0] == (1, "unsigned")


def test_a_line_that_is_not_what_its_kind_says_is_named() -> None:
    for strange in (b"1", b'"\xff"'):
        line = chain.encode([facts.SlotVacated("a")], AT, None).replace(b'"slot":"a"', b'"slot":' + strange)
        assert said([line], Known()) == ["release/a, line 1: edited: it cannot be read"]


# --- redaction


def test_a_redacted_line_counts_only_when_that_was_recorded() -> None:
    read = audit.read_line(LINES[5])
    assert read is not None
    head = chain.decode(NAME, b"".join(LINES[:6])).head
    taken = redaction.taken_out(LINES[5], read, head, b'{"slot":"[redacted]"}')
    lines = [*LINES[:5], taken, *LINES[6:]]
    told = Known(OURS, COVERS, redacted={(NAME, 6): chain.sha256(taken)})
    assert found(lines, told) == []
    assert said(lines) == ["release/a, line 6: edited: it says that it was redacted, and nothing signed says so"]
    assert said(LINES, told) == ["release/a, line 6: edited: it was redacted, and is not as that left it"]
    assert chain.decode(NAME, b"".join(lines)).facts[5] == facts.SlotVacated("[redacted]")
