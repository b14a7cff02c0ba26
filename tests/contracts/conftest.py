"""What the contracts of the ports share: a topic that keeps what a backend raises on this machine."""

from collections.abc import Iterator

import pytest

from tests.local_backend.stand_ins import Topic


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    made = Topic()
    monkeypatch.setenv("TOPIC_ENDPOINT", made.endpoint)
    monkeypatch.setenv("TOPIC_KEY", "key of the topic")
    yield made
    made.close()
