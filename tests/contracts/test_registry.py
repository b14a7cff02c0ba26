"""What every model registry keeps to: one version a release, found by its release and by its number."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.backends.local import trees
from shared.backends.local.registry import LocalRegistry
from shared.errors import StepFailed, Unavailable
from shared.ports import JobReport, ModelVersion, Registry
from shared.release.ids import sha256
from shared.release.notices import ModelHeard
from tests.azure.releases import OTHER, PROJECT, RELEASE, Tiny
from tests.local_backend.releases import trained
from tests.local_backend.stand_ins import Topic, until
from tests.world import World

THIRD = "aaaaaaaaaabbbbbbbbbb"
Told = list[tuple[str, int, str]]


@dataclass
class Kept:
    """A registry, what trains for it, who else registers there, what it told, and how it goes away.

    `train` returns the digest of the model's files, `others` lets somebody else make a version that no release made.
    """

    registry: Registry
    train: Callable[[str], str]
    others: Callable[[], object]
    told: Callable[[], Told]
    go_away: Callable[[], object]

    def register(self, release: str, digest: str) -> None:
        given = {"release": release, "model": digest, "commit": "c0ffee"}
        asyncio.run(self.registry.register(PROJECT, release, f"job:{release}-train-1/model", given))

    def find(self, release: str) -> list[ModelVersion]:
        return asyncio.run(self.registry.find(PROJECT, release))

    def version(self, number: int, name: str = PROJECT) -> ModelVersion | None:
        return asyncio.run(self.registry.version(name, number))


def memory(request: pytest.FixtureRequest, folder: Path) -> Kept:
    world = World()

    def train(release: str) -> str:
        digest = sha256(release.encode())
        result = json.dumps({"model": {"digest": digest}})
        world.jobs[f"{release}-train-1"] = JobReport("completed", result=result)
        return digest

    def told() -> Told:
        heard = [each for each in world.events if isinstance(each, ModelHeard)]
        return [(each.name, int(each.version), each.release) for each in heard]

    def others() -> None:
        world.register_elsewhere(PROJECT, tells=False)

    return Kept(world.control.outside.registry, train, others, told, lambda: world.away.add("registry"))


def local(request: pytest.FixtureRequest, folder: Path) -> Kept:
    topic: Topic = request.getfixturevalue("topic")
    registry = LocalRegistry(folder)

    def train(release: str) -> str:
        source = trained(folder, release, json.dumps({"a": release}))
        return trees.folder_digest(folder / "jobs" / source.removeprefix("job:").replace("/model", "/outputs/model"))

    def others() -> None:
        asyncio.run(registry.register(PROJECT, "", trained(folder, THIRD), {}))

    def told() -> Told:
        return [each for each in _told(topic.of("ModelRegistered")) if each[2]]

    return Kept(registry, train, others, told, lambda: (folder / "registry.db").mkdir())


def azure(request: pytest.FixtureRequest, folder: Path) -> Kept:
    tiny: Tiny = request.getfixturevalue("tiny")
    double = tiny.double

    def train(release: str) -> str:
        return tiny.train(release, {"a": int(release[:8], 16)})["model"]

    def others() -> None:
        double.ask("POST", "/plant", {"models": [{"name": PROJECT, "properties": {}}]})

    def told() -> Told:
        return _told(double.events("ModelRegistered"))

    def go_away() -> None:
        double.fault("GET /modelmanagement/*/models", "503")

    return Kept(tiny.registry, train, others, told, go_away)


def _told(events: list[dict]) -> Told:  # type: ignore[type-arg]
    data = [each["data"] for each in events]
    return [(each["ModelName"], int(each["ModelVersion"]), each["ModelProperties"].get("release", "")) for each in data]


BACKENDS = {"memory": memory, "local": local, "azure": azure}


@pytest.fixture(params=BACKENDS)
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    return BACKENDS[request.param](request, tmp_path)


def test_a_release_has_one_version_however_often_it_is_registered(kept: Kept) -> None:
    digest = kept.train(RELEASE)
    assert kept.find(RELEASE) == []

    for _ in range(2):
        kept.register(RELEASE, digest)

    assert kept.find(RELEASE) == [ModelVersion(PROJECT, 1, digest, RELEASE)]
    until(lambda: kept.told() == [(PROJECT, 1, RELEASE)])


def test_versions_are_numbered_in_their_order_whoever_registers_between_them(kept: Kept) -> None:
    first, second = kept.train(RELEASE), kept.train(OTHER)

    kept.register(RELEASE, first)
    kept.others()
    kept.register(OTHER, second)

    theirs = kept.version(2)
    assert theirs is not None
    assert (theirs.name, theirs.number, theirs.release) == (PROJECT, 2, "")
    assert kept.find(RELEASE) == [ModelVersion(PROJECT, 1, first, RELEASE)] == [kept.version(1)]
    assert kept.find(OTHER) == [ModelVersion(PROJECT, 3, second, OTHER)] == [kept.version(3)]
    assert (kept.version(4), kept.version(1, "other"), kept.find(THIRD)) == (None, None, [])


def test_what_no_job_left_is_not_registered_and_people_are_told_what_to_do(kept: Kept) -> None:
    with pytest.raises(StepFailed) as failure:
        kept.register(RELEASE, "sha256:" + "0" * 64)

    assert f"{RELEASE}-train-1" in failure.value.reason
    assert failure.value.advice
    assert (kept.find(RELEASE), kept.told()) == ([], [])


def test_a_registry_that_cannot_be_asked_is_unavailable(kept: Kept) -> None:
    digest = kept.train(RELEASE)
    kept.go_away()

    with pytest.raises(Unavailable):
        kept.find(RELEASE)
    with pytest.raises(Unavailable):
        kept.register(RELEASE, digest)
