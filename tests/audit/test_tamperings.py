"""A lean share of the thousand tamperings that `python -m tests.audit.tamperings` draws."""

from tests.audit.tamperings import FLAWED, KINDS, missed


def test_every_tampering_is_found_in_the_stream_it_was_done_to() -> None:
    tried, unseen = missed(6 * (len(KINDS) + len(FLAWED)), seed=11)
    assert unseen == []
    assert set(tried) == {*KINDS, *FLAWED}
