"""A lean share of `make fuzz`: a few inputs for each verifier and reader, and that it finds what is wrong."""

from pathlib import Path

import pytest

from shared.errors import NotUnderstood
from tests.security import fuzz

SOURCES = Path(__file__).resolve().parents[2] / "shared" / "sources"
READ_BY_OTHERS = {"__init__", "bodies", "refs", "signatures", "texts"}
"""What every reader is made of; the readers of events are met by `event grid` and `dead letters`."""
MET = {"azure_devops", "bitbucket", "github", "gitlab", "push", "identity", "people", "visits"}
MET |= {"azure_ml", "container_registry", "dead_letters", "eventgrid", "storage"}


@pytest.mark.parametrize("reader", fuzz.READERS, ids=lambda reader: reader.name)
def test_whatever_is_sent_is_a_value_or_an_error_of_ours(reader: fuzz.Reader) -> None:
    assert fuzz.fuzz(reader, 100)["taken"]


def test_every_source_is_fuzzed() -> None:
    assert {path.stem for path in SOURCES.glob("*.py")} - READ_BY_OTHERS == MET, (
        "add a Reader to tests/security/fuzz.py"
    )


def test_an_error_of_pythons_own_is_found() -> None:
    broken = fuzz.Reader("broken", lambda text: text.encode("ascii"), fuzz.texts, "fine")
    with pytest.raises(UnicodeEncodeError):
        fuzz.fuzz(broken, 100)


def test_what_takes_nothing_is_found() -> None:
    def refuses(text: str) -> None:
        raise NotUnderstood("no")

    with pytest.raises(NotUnderstood):
        fuzz.fuzz(fuzz.Reader("refuses", refuses, fuzz.texts, "fine"), 10)
