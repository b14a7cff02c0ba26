"""Signatures: what proves a line, and what odd input does, which is nothing."""

import base64
import secrets

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.backends.signing import Prover, Signer, key_id

OURS, THEIRS = (Signer(bytes([number]) * 32) for number in (1, 2))
PROVER = Prover([OURS.public])
MESSAGE = b"a line"
SIG = OURS(MESSAGE)


def test_a_signature_proves_its_message_and_names_its_key() -> None:
    assert PROVER.proves(MESSAGE, SIG)
    assert PROVER.knows(SIG)
    assert SIG.partition(".")[0] == key_id(OURS.public)
    assert not PROVER.proves(b"another line", SIG)
    assert not PROVER.knows(THEIRS(MESSAGE))
    assert not PROVER.proves(MESSAGE, THEIRS(MESSAGE))
    assert not PROVER.proves(MESSAGE, f"{key_id(OURS.public)}.{THEIRS(MESSAGE).partition('.')[2]}")


def test_no_two_signatures_are_alike_so_that_a_copied_line_is_known() -> None:
    assert len({OURS(MESSAGE) for _ in range(50)}) == 50


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(SIG) - 1), character=st.characters(codec="utf-8"))
def test_a_signature_of_which_any_character_was_changed_proves_nothing(at: int, character: str) -> None:
    changed = SIG[:at] + character + SIG[at + 1 :]
    assert PROVER.proves(MESSAGE, changed) == (changed == SIG)


@settings(max_examples=200, deadline=None)
@given(text=st.one_of(st.text(), st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode())))
def test_odd_input_is_refused_and_raises_nothing(text: str) -> None:
    assert not PROVER.proves(MESSAGE, text)
    assert not PROVER.proves(MESSAGE, f"{key_id(OURS.public)}.{text}")
    assert PROVER.proves(MESSAGE, SIG)


@pytest.mark.parametrize("ends", ["=", "==", "\n", " ", "A"])
def test_bits_that_base64_does_not_need_are_no_part_of_a_signature(ends: str) -> None:
    assert not PROVER.proves(MESSAGE, SIG + ends)


def test_a_key_of_another_length_is_no_key() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Signer(secrets.token_bytes(31))(MESSAGE)
