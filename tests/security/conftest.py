"""The functions over the one world, and a port of this machine that counts who comes."""

from collections.abc import Iterator

import pytest

from tests.functions.conftest import app as app
from tests.security.listening import Listener


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        yield made
