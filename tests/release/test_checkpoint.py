"""Checkpoints as they are kept: numbered, chained, and each of the hand that signed it."""

import pytest

from shared.release import checkpoint
from shared.release.chain import Broken
from shared.release.checkpoint import Checkpoint, Covered, Kept, name_of

A1, A2, B1 = Covered("a", 1, 10, "h1"), Covered("a", 2, 20, "h2"), Covered("b", 1, 10, "h3")


def kept(*made: tuple[Covered, ...]) -> list[Kept]:
    """Return checkpoints made one after the other, each of the streams that changed."""
    found: list[Kept] = []
    for changed in made:
        new = checkpoint.following(found, changed, [], "now")
        found.append(checkpoint.decode(name_of(new.number), checkpoint.encode(new, lambda message: "k.sig")))
    return found


def all_proven(each: Kept) -> bool:
    return each.sig == "k.sig"


def test_a_checkpoint_reads_back_equal_and_names_the_one_before() -> None:
    first, second = kept((A1, B1), (A2,))
    assert first.checkpoint == Checkpoint(1, "now", "", True, (A1, B1))
    assert second.checkpoint == Checkpoint(2, "now", first.digest, False, (A2,))
    assert checkpoint.decode(name_of(1), checkpoint.encode(first.checkpoint, None)).sig == ""


def test_what_is_covered_is_the_last_word_of_all_of_them() -> None:
    three = kept((A1, B1), (A2,), (A2,))
    assert checkpoint.newest(three) == {"a": A2, "b": B1}
    assert checkpoint.covers(three) == {"a": [(1, A1), (2, A2)], "b": [(1, B1)]}


def test_the_first_signed_one_holds_every_stream_and_those_before_it_count() -> None:
    begun = checkpoint.following([], (A1, B1), [], "now", signed=False)
    old = checkpoint.decode(name_of(1), checkpoint.encode(begun, None))
    made = checkpoint.following([old], (A2,), [], "now")
    new = checkpoint.decode(name_of(2), checkpoint.encode(made, lambda message: "k.sig"))
    assert (made.whole, made.streams) == (True, (A2, B1))
    assert checkpoint.covers([old, new]) == {"a": [(1, A1), (2, A2)], "b": [(1, B1), (2, B1)]}
    assert checkpoint.linked([old, new], all_proven) == ([old, new], [])
    bare = checkpoint.following([old, new], (A2,), [], "now", signed=False)
    late = checkpoint.decode(name_of(3), checkpoint.encode(bare, None))
    assert checkpoint.linked([old, new, late], all_proven)[0] == [old, new]


def test_a_key_is_retired_by_the_first_checkpoint_of_the_next_one_unless_it_comes_back() -> None:
    def signed_by(*keys: str) -> list[Kept]:
        made = kept(*[(A1,)] * len(keys))
        return [Kept(one.checkpoint, one.digest, key and f"{key}.x", b"") for one, key in zip(made, keys, strict=True)]

    assert checkpoint.retired(signed_by("", "a", "a", "b", "", "b", "c")) == {"a": 4, "b": 7}
    assert checkpoint.retired(signed_by("a", "b", "a")) == {"b": 3}


def test_only_names_of_checkpoints_are_ours_oldest_first() -> None:
    there = [name_of(12), "lost+found", "README.txt", "12.json", name_of(2) + ".bak", name_of(2)]
    assert checkpoint.ours(there) == [name_of(2), name_of(12)]


def test_one_of_a_hundred_holds_every_stream_so_that_nobody_reads_back_further() -> None:
    many = kept((A1, B1), *[(A2,)] * checkpoint.WHOLE_EVERY)
    assert [each.checkpoint.number for each in many if each.checkpoint.whole] == [1, 1 + checkpoint.WHOLE_EVERY]
    assert many[-1].checkpoint.streams == (A2, B1)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"checkpoint":{},"sig":""}', b'{"checkpoint":"\xff","sig":""}'])
def test_one_that_cannot_be_read_is_named(content: bytes) -> None:
    with pytest.raises(Broken, match=r"checkpoint 000000000001.json cannot be read"):
        checkpoint.decode(name_of(1), content)


def test_one_under_the_name_of_another_is_named() -> None:
    (first,) = kept((A1,))
    with pytest.raises(Broken, match=r"checkpoint 000000000002.json says that it is number 1"):
        checkpoint.decode(name_of(2), checkpoint.encode(first.checkpoint, None))


def test_a_row_of_checkpoints_counts_as_far_as_each_is_proven_and_follows_the_one_before() -> None:
    one, two, three = kept((A1,), (A2,), (B1,))
    (other,) = kept((B1,))
    assert checkpoint.linked([one, two, three], all_proven) == ([one, two, three], [])
    assert checkpoint.linked([one, three], all_proven)[1] == ["before checkpoint 3 at least one is gone"]
    assert checkpoint.linked([two], all_proven)[1] == ["before checkpoint 2 at least one is gone"]
    assert checkpoint.linked([other, two], all_proven)[1] == [
        "checkpoint 2 does not follow checkpoint 1 as it is kept now"
    ]
    good, wrong = checkpoint.linked([one, two], lambda each: each is one)
    assert (good, wrong) == ([one], ["checkpoint 2 was changed, or signed by a key that is not known here"])
