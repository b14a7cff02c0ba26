"""What every maker of images keeps to: one image a release, found by its tag, never named before it is whole."""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from shared.backends.local import works
from shared.backends.local.images import LocalImages
from shared.errors import StepFailed
from shared.ports import ImageReport, Images, ImageSpec
from shared.release.notices import ImageHeard
from tests.azure.releases import OTHER, PROJECT, RELEASE, SCHEMA, Tiny
from tests.local_backend.releases import image, trained
from tests.local_backend.stand_ins import Topic, until
from tests.world import World

Told = list[tuple[str, str]]


@dataclass
class Maker:
    """Images, the spec of a release that is trained and registered, what was told, and what a test may do to a build.

    `lose` lets a build under way be forgotten, `end` lets it end.
    """

    images: Images
    spec: Callable[[str], ImageSpec]
    told: Callable[[], Told]
    lose: Callable[[], object]
    end: Callable[[], object]

    def build(self, spec: ImageSpec) -> None:
        asyncio.run(self.images.build(spec))

    def find(self, release: str = RELEASE) -> ImageReport | None:
        return asyncio.run(self.images.find(PROJECT, release))

    def built(self, spec: ImageSpec) -> ImageReport:
        """Build, and return how that ended; a refusal at once is an end as well."""
        try:
            self.build(spec)
        except StepFailed as failure:
            return ImageReport("failed", reason=failure.reason, advice=failure.advice)
        self.end()
        return until(lambda: found if (found := self.find(spec.release)) and found.status != "building" else None)


def memory(request: pytest.FixtureRequest, folder: Path) -> Maker:
    world = World(slow={"images"})

    def spec(release: str) -> ImageSpec:
        model = f"job:{release}-train-1/model"
        return ImageSpec(PROJECT, release, 1, "sha256:code", model, "requirements.txt", "score.py", SCHEMA, {})

    def told() -> Told:
        return [(each.tag, each.digest) for each in world.events if isinstance(each, ImageHeard)]

    def lose() -> None:
        world.images.update({name: ImageReport("lost", reason="it is gone") for name in world.images})

    def end() -> None:
        for name in list(world.images):
            world.end_image(name)

    return Maker(world.control.outside.images, spec, told, lose, end)


def local(request: pytest.FixtureRequest, folder: Path) -> Maker:
    topic: Topic = request.getfixturevalue("topic")
    scripts = folder / "scripts"
    (scripts / "serving").mkdir(parents=True)
    (scripts / "requirements.in").write_text("")
    images = LocalImages(folder, scripts)

    def spec(release: str) -> ImageSpec:
        trained(folder, release)
        return image(folder, release)

    def told() -> Told:
        return [(each["data"]["target"]["tag"], each["data"]["target"]["digest"]) for each in topic.of("ImagePushed")]

    def lose() -> None:
        worker = works.worker_of(folder / "builds" / PROJECT / RELEASE)
        assert worker is not None
        os.kill(worker.who.pid, signal.SIGKILL)

    return Maker(images, spec, told, lose, lambda: None)


def azure(request: pytest.FixtureRequest, folder: Path) -> Maker:
    tiny: Tiny = request.getfixturevalue("tiny")
    double = tiny.double
    double.plan("package", kind="late")

    def told() -> Told:
        # What is deployed is named by its manifest; the image beside it has a digest of its own.
        tags = [each["data"]["target"]["tag"] for each in double.events("ImagePushed")]
        found = [(tag, asyncio.run(tiny.images.find(PROJECT, tag))) for tag in tags]
        return [(tag, report.digest) for tag, report in found if report]

    def lose() -> None:
        gone = {"error": {"code": "OperationNotFound", "message": "Operation is not found."}}
        double.fault("GET /modelmanagement/*/operations/*", "", times=2, status=404, body=gone)

    def end() -> None:
        double.ask("DELETE", "/faults")
        double.ask("POST", "/settled")

    return Maker(tiny.images, lambda release: tiny.spec(tiny.register(release), release), told, lose, end)


BACKENDS = {"memory": memory, "local": local, "azure": azure}


@pytest.fixture(params=BACKENDS)
def maker(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    return BACKENDS[request.param](request, tmp_path)


def test_an_image_has_no_digest_before_it_is_whole_and_is_made_once(maker: Maker) -> None:
    spec = maker.spec(RELEASE)
    assert maker.find() is None

    for _ in range(2):
        maker.build(spec)
    begun = maker.find()
    maker.end()
    report = maker.built(spec)

    # Here a build may have ended at once, nowhere else.
    assert begun in (ImageReport("building"), report)
    assert (report.status, report.digest[:7], len(report.digest)) == ("pushed", "sha256:", 71)
    assert maker.find() == report
    until(lambda: maker.told() == [(RELEASE, report.digest)])


def test_another_release_has_another_image_and_each_keeps_its_own(maker: Maker) -> None:
    first, second = maker.built(maker.spec(RELEASE)), maker.built(maker.spec(OTHER))

    assert (first.status, second.status) == ("pushed", "pushed")
    assert first.digest != second.digest
    assert (maker.find(RELEASE), maker.find(OTHER)) == (first, second)


def test_what_cannot_be_built_has_failed_with_what_to_do_and_is_not_told(maker: Maker) -> None:
    spec = msgspec.structs.replace(maker.spec(RELEASE), model=f"version:{PROJECT}:7")

    report = maker.built(spec)

    assert (report.status, report.digest, maker.told()) == ("failed", "", [])
    assert report.reason
    assert report.advice
    assert maker.built(spec) == report


def test_a_build_that_was_forgotten_is_lost_and_made_again(maker: Maker) -> None:
    spec = maker.spec(RELEASE)
    maker.build(spec)
    maker.lose()
    lost = until(lambda: found if (found := maker.find()) and found.status != "building" else None)

    report = maker.built(spec)

    assert (lost.status, lost.digest, lost.reason != "") == ("lost", "", True)
    assert (report.status, maker.find()) == ("pushed", report)
