"""Fixtures of the local backend's tests: every one has its own state folder and its own topic."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from stand_ins import Topic


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Environments that many tests use, each built once."""
    return tmp_path_factory.mktemp("envs")


@pytest.fixture
def warm_state(state: Path, environments: Path) -> Path:
    """A state folder whose environments are those of all tests."""
    state.mkdir()
    (state / "envs").symlink_to(environments)
    return state


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> Iterator[Topic]:
    made = Topic()
    monkeypatch.setenv("TOPIC_ENDPOINT", made.endpoint)
    monkeypatch.setenv("TOPIC_KEY", "key of the topic")
    yield made
    made.close()
