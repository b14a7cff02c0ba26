"""What all hosting keeps to: a slot that runs one image, and an address that follows the newest generation."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from shared.backends.local.images import LocalImages
from shared.backends.local.jobs import SCRIPTS
from shared.backends.local.services import LocalHosting
from shared.errors import Conflict, Unavailable
from shared.ports import Hosting, Seen, Service
from shared.release.ids import release_in, slot_name
from shared.release.notices import ServiceHeard
from tests.azure.releases import OTHER, PROJECT, RELEASE, SCORE, Tiny
from tests.local_backend.releases import image, trained
from tests.local_backend.stand_ins import Router, Topic, until
from tests.world import World

BAD = "bad0bad0bad0bad0bad0"
REASON = "ValueError: the weights are bent (score.py:4)"
CRASHES = SCORE.replace("    global weights\n", '    raise ValueError("the weights are bent")\n')


@dataclass
class Place:
    """Hosting, the image of each release, what was told, and how what was begun comes to its end.

    The model of the release `BAD` does not load.
    """

    hosting: Hosting
    image: Callable[[str], str]
    told: Callable[[], list[str]]
    settle: Callable[[], object] = lambda: None

    def deploy(self, release: str, image: str = "", environment: str = "production") -> str:
        slot = slot_name(release, environment)
        given = image or self.image(release)
        asyncio.run(self.hosting.deploy(slot, PROJECT, environment, release, given))
        return slot

    def find(self, slot: str) -> Service | None:
        return asyncio.run(self.hosting.find(slot))

    def stands(self, slot: str) -> Service:
        """Return how a slot stands once it is no longer starting."""
        self.settle()
        return until(lambda: found if (found := self.find(slot)) and found.status != "starting" else None)

    def up(self, release: str, environment: str = "production") -> Service:
        service = self.stands(self.deploy(release, environment=environment))
        assert service.status == "answering", service.log
        return service

    def stop(self, slot: str) -> None:
        asyncio.run(self.hosting.stop(slot))

    def is_gone(self, slot: str) -> bool:
        """Say whether nothing runs in a slot: some platforms keep its name, some do not."""
        found = self.find(slot)
        return found is None or found.status == "stopped"

    def point(self, release: str, generation: int) -> None:
        slot = slot_name(release, "production")
        asyncio.run(self.hosting.point(PROJECT, "production", slot, release, generation))

    def seen(self) -> Seen | None:
        return asyncio.run(self.hosting.seen(PROJECT, "production"))


def memory(request: pytest.FixtureRequest) -> Place:
    world = World(slow={"hosting"})
    hosting = world.control.outside.hosting

    def image_of(release: str) -> str:
        # What fails in this world is what is deployed next, not what an image holds.
        world.failing = {"staging": REASON} if release == BAD else {}
        return f"sha256:{release}"

    def told() -> list[str]:
        return [str(release_in(each.service)) for each in world.events if isinstance(each, ServiceHeard)]

    def settle() -> None:
        for slot in list(world.services):
            world.end_start(slot)

    return Place(hosting, image_of, told, settle)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A state folder with an image of each release, in layers of the real server."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "scripts").mkdir()
    (folder / "scripts" / "serving").symlink_to(SCRIPTS / "serving")
    (folder / "scripts" / "requirements.in").write_text("azureml-inference-server-http==1.5.1\ngunicorn\n")
    images, digests = LocalImages(folder, folder / "scripts"), {}
    for release, score in ((RELEASE, SCORE), (OTHER, SCORE), (BAD, CRASHES)):
        trained(folder, release)
        asyncio.run(images.build(image(folder, release, score=score)))

        def done(of: str = release) -> Any:
            report = asyncio.run(images.find(PROJECT, of))
            return report if report is not None and report.status != "building" else None

        report = until(done, seconds=110)
        assert report.status == "pushed", report.reason
        digests[release] = report.digest
    return folder, digests


@pytest.fixture
def local(built: tuple[Path, dict[str, str]], topic: Topic) -> Iterator[Place]:
    state, digests = built
    router = Router(state)
    hosting = LocalHosting(state, router.url)

    def told() -> list[str]:
        return [each["data"]["ServiceProperties"]["release"] for each in topic.of("ModelDeployed")]

    yield Place(hosting, digests.__getitem__, told)
    router.close()
    for folder in (state / "services").glob("*"):
        asyncio.run(hosting.stop(folder.name))
    for name in ("services", "routes"):
        shutil.rmtree(state / name, ignore_errors=True)


def azure(request: pytest.FixtureRequest) -> Place:
    tiny: Tiny = request.getfixturevalue("tiny")
    kept: dict[str, str] = {}

    def image_of(release: str) -> str:
        if release not in kept:
            kept[release] = tiny.manifest(release, score=CRASHES if release == BAD else SCORE)
        return kept[release]

    def told() -> list[str]:
        return [each["data"]["ServiceProperties"]["release"] for each in tiny.double.events("ModelDeployed")]

    return Place(tiny.hosting, image_of, told, lambda: tiny.double.ask("POST", "/settled"))


BACKENDS: dict[str, Callable[[pytest.FixtureRequest], Place]] = {
    "memory": memory,
    "local": lambda request: request.getfixturevalue("local"),
    "azure": azure,
}


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest) -> Place:
    return BACKENDS[request.param](request)


def test_a_slot_runs_the_image_it_was_made_with_and_no_other(place: Place) -> None:
    slot, image, other = slot_name(RELEASE, "staging"), place.image(RELEASE), place.image(OTHER)
    assert place.find(slot) is None

    for _ in range(2):
        place.deploy(RELEASE, environment="staging")
    service = place.stands(slot)
    place.deploy(RELEASE, environment="staging")

    assert (service.slot, service.status, service.image, service.log) == (slot, "answering", image, "")
    assert service.url.startswith("http")
    assert place.find(slot) == service
    with pytest.raises(Conflict, match=f"slot {slot} is there with .*{image}, not {other}"):
        place.deploy(RELEASE, other, "staging")
    assert place.find(slot) == service
    until(lambda: place.told() == [RELEASE])


def test_stopping_is_certain_and_what_was_stopped_comes_back_only_with_its_image(place: Place) -> None:
    place.stop(slot_name(RELEASE, "staging"))
    slot = place.up(RELEASE, "staging").slot

    for _ in range(2):
        place.stop(slot)
        assert place.is_gone(slot)
    if place.find(slot) is not None:
        with pytest.raises(Conflict):
            place.deploy(RELEASE, place.image(OTHER), "staging")
        assert place.is_gone(slot), "what was refused has started nothing"

    assert place.up(RELEASE, "staging").image == place.image(RELEASE)


def test_a_service_that_does_not_start_has_failed_with_what_its_code_raised_and_may_be_tried_again(
    place: Place,
) -> None:
    slot = place.deploy(BAD, environment="staging")
    first = place.stands(slot)

    try:
        place.deploy(BAD, environment="staging")
    except Unavailable:
        # Its remains are taken away first.
        place.deploy(BAD, environment="staging")

    again = place.stands(slot)
    assert [(each.status, each.log.endswith(REASON)) for each in (first, again)] == [("failed", True)] * 2, first.log
    assert place.told() == []
    place.stop(slot)
    left = place.find(slot)
    assert left is None or left.status in ("failed", "stopped")


def test_the_address_follows_the_newest_generation_and_an_older_one_that_comes_late_changes_nothing(
    place: Place,
) -> None:
    assert place.seen() is None
    with pytest.raises(Unavailable, match="slot"):
        place.point(RELEASE, 1)
    place.up(RELEASE)
    assert place.seen() is None, "nobody decided that it is live"

    for _ in range(2):
        place.point(RELEASE, 1)
        assert place.seen() == Seen(RELEASE, 1)
    place.up(OTHER)
    assert place.seen() == Seen(RELEASE, 1)
    place.point(OTHER, 2)
    place.point(RELEASE, 1)
    assert place.seen() == Seen(OTHER, 2)
    place.point(RELEASE, 3)
    assert place.seen() == Seen(RELEASE, 3)

    place.stop(slot_name(OTHER, "production"))
    with pytest.raises(Unavailable, match="slot"):
        place.point(OTHER, 4)
    assert place.seen() == Seen(RELEASE, 3), "what cannot answer is not led to"
    place.stop(slot_name(RELEASE, "production"))
    assert place.seen() is None
    assert place.hosting.address(PROJECT, "production")
