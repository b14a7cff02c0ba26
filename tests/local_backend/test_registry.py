"""The model registry on real files."""

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from releases import RELEASE, trained
from stand_ins import Topic, until

from shared.backends.local import trees
from shared.backends.local.registry import LocalRegistry, model_source
from shared.errors import StepFailed
from shared.ports import ModelVersion


@pytest.fixture
def registry(state: Path) -> LocalRegistry:
    return LocalRegistry(state)


def register(registry: LocalRegistry, release: str, source: str) -> None:
    asyncio.run(registry.register("tiny", release, source, {"release": release, "commit": "c"}))


def find(registry: LocalRegistry, release: str) -> list[ModelVersion]:
    return asyncio.run(registry.find("tiny", release))


def test_a_version_holds_the_files_of_the_training_job_and_raises_model_registered(
    registry: LocalRegistry, state: Path, topic: Topic
) -> None:
    register(registry, RELEASE, trained(state))
    (version,) = find(registry, RELEASE)
    assert (version.name, version.number, version.release) == ("tiny", 1, RELEASE)
    assert version.digest == trees.folder_digest(state / "models" / "tiny" / "1")
    assert (state / "models" / "tiny" / "1" / "notes" / "readme.txt").read_text() == "two weights"
    (event,) = until(lambda: topic.of("ModelRegistered"))
    assert event["subject"] == "models/tiny:1"
    assert event["data"]["ModelProperties"] == {"release": RELEASE, "commit": "c"}


def test_a_release_has_one_version_however_often_it_is_registered(registry: LocalRegistry, state: Path) -> None:
    source = trained(state)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: register(registry, RELEASE, source), range(10)))
    assert [version.number for version in find(registry, RELEASE)] == [1]
    assert sorted(path.name for path in (state / "models" / "tiny").iterdir()) == ["1"]


def test_the_files_of_a_version_are_those_that_were_registered(registry: LocalRegistry, state: Path) -> None:
    register(registry, "a notebook", trained(state))
    folder, digest = model_source(state, "version:tiny:1")
    assert (folder, digest) == (state / "models" / "tiny" / "1", find(registry, "a notebook")[0].digest)
    (folder / "weights.json").write_text("{}")
    with pytest.raises(StepFailed, match=r"files of version 1 of tiny are .* now, but were"):
        model_source(state, "version:tiny:1")
    with pytest.raises(StepFailed, match="no version 7 of tiny"):
        model_source(state, "version:tiny:7")


def test_what_a_crash_left_at_a_number_is_replaced(registry: LocalRegistry, state: Path) -> None:
    left = state / "models" / "tiny" / "1"
    left.mkdir(parents=True)
    (left / "torn").write_text("half")
    register(registry, RELEASE, trained(state))
    assert sorted(path.name for path in left.iterdir()) == ["notes", "weights.json"]


def test_files_that_were_changed_after_training_are_refused(registry: LocalRegistry, state: Path) -> None:
    source = trained(state)
    (state / "jobs" / f"{RELEASE}-train-1" / "outputs" / "model" / "weights.json").write_text("{}")
    with pytest.raises(StepFailed, match="when it ended"):
        register(registry, RELEASE, source)
    assert find(registry, RELEASE) == []


@pytest.mark.parametrize("source", ["job:absent/model", f"job:{RELEASE}-train-1/other", f"job:{RELEASE}-train-1/.."])
def test_a_model_that_is_not_there_is_refused(registry: LocalRegistry, state: Path, source: str) -> None:
    trained(state)
    with pytest.raises(StepFailed):
        register(registry, RELEASE, source)


def test_a_link_among_the_models_files_is_refused(registry: LocalRegistry, state: Path) -> None:
    source = trained(state)
    (state / "jobs" / f"{RELEASE}-train-1" / "outputs" / "model" / "key").symlink_to("/etc/hostname")
    with pytest.raises(StepFailed, match="key is a symbolic link"):
        register(registry, RELEASE, source)


def test_the_digest_of_a_folder_is_that_of_its_sorted_lines(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"2")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "c").write_bytes(b"1")
    one, two = (hashlib.sha256(content).hexdigest() for content in (b"1", b"2"))
    whole = hashlib.sha256(f"a/c\0{one}\nb\0{two}\n".encode()).hexdigest()
    assert trees.folder_digest(tmp_path) == f"sha256:{whole}"
