"""Scoring services for real: our entry under azureml-inference-server-http and gunicorn, from layers by digest.

The environment is built once for this file; the router of the stable address is a small stand-in.
"""

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from releases import OTHER, RELEASE, image, trained
from stand_ins import Router, Topic, until

from shared.backends.local import works
from shared.backends.local.images import LocalImages
from shared.backends.local.jobs import SCRIPTS
from shared.backends.local.processes import identity, is_alive
from shared.backends.local.services import LocalHosting
from shared.backends.local.slots import read_started, slot_folder
from shared.ports import Seen, Service

STAGING, PRODUCTION = f"{RELEASE}-staging", f"{RELEASE}-production"


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our real serving files, with only the server as requirement."""
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "serving").symlink_to(SCRIPTS / "serving")
    (folder / "requirements.in").write_text("azureml-inference-server-http==1.5.1\ngunicorn\n")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, scripts: Path) -> tuple[Path, dict[str, str]]:
    """A state folder with an image that works."""
    state = tmp_path_factory.mktemp("state")
    images = LocalImages(state, scripts)
    trained(state)
    asyncio.run(images.build(image(state)))
    report = until(lambda: _done(images, RELEASE), seconds=110)
    assert report.status == "pushed", report.reason
    return state, {RELEASE: report.digest}


def _done(images: LocalImages, release: str) -> Any:
    report = asyncio.run(images.find("tiny", release))
    return report if report is not None and report.status != "building" else None


class Place:
    """A state folder's hosting, and the ways the tests use it."""

    def __init__(self, state: Path, digests: dict[str, str], live: str) -> None:
        self.state, self.digests, self.hosting = state, digests, LocalHosting(state, live)

    def deploy(self, slot: str, release: str = RELEASE, environment: str = "production") -> None:
        asyncio.run(self.hosting.deploy(slot, "tiny", environment, release, self.digests[release]))

    def find(self, slot: str) -> Service:
        service = asyncio.run(self.hosting.find(slot))
        assert service is not None
        return service

    def up(self, slot: str, release: str = RELEASE) -> Service:
        self.deploy(slot, release)
        return until(lambda: found if (found := self.find(slot)).status != "starting" else None, seconds=110)

    def point(self, slot: str, release: str, generation: int) -> None:
        asyncio.run(self.hosting.point("tiny", "production", slot, release, generation))

    def seen(self) -> Seen | None:
        return asyncio.run(self.hosting.seen("tiny", "production"))

    def master(self, slot: str) -> int:
        started = read_started(slot_folder(self.state, slot))
        assert started is not None
        assert started.who is not None
        return started.who.pid

    def order(self, word: str) -> None:
        command = [sys.executable, "-m", "shared.backends.local.services", word, "--state", str(self.state)]
        subprocess.run(command, check=True)


@pytest.fixture
def place(built: tuple[Path, dict[str, str]]) -> Iterator[Place]:
    state, digests = built
    router = Router(state)
    place = Place(state, digests, router.url)
    yield place
    router.close()
    for folder in (state / "services").glob("*"):
        asyncio.run(place.hosting.stop(folder.name))
    subprocess.run(["rm", "-rf", str(state / "services"), str(state / "routes")], check=True)


def score(url: str, body: str) -> tuple[int, Any]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=30)
    connection.request("POST", parts.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, json.loads(content) if content.startswith((b"[", b"{")) else content


def test_a_slot_answers_from_its_image_and_raises_model_deployed_once(place: Place, topic: Topic) -> None:
    service = place.up(STAGING)
    assert (service.status, service.image) == ("answering", place.digests[RELEASE])
    assert service.seconds > 0
    assert score(service.url, '{"data": [{"a": 1, "b": 10}, {"a": 0, "b": 1}]}') == (200, [32, 3])
    (event,) = until(lambda: topic.of("ModelDeployed"))
    assert event["subject"] == f"endpoints/{STAGING}"
    assert event["data"]["ModelIds"] == "tiny:1"
    assert event["data"]["ServiceProperties"] == {"release": RELEASE}
    master = place.master(STAGING)
    place.deploy(STAGING)
    assert place.master(STAGING) == master


def test_input_that_breaks_the_schema_is_refused_before_the_project_sees_it(place: Place) -> None:
    service = place.up(STAGING)
    bodies = ("", "x", "[]", "{}", '{"data": [{"a": 1}]}', '{"data": [{"a": "x", "b": 1}]}')
    assert [score(service.url, body)[0] for body in bodies] == [400] * 6
    assert score(service.url, '{"data": [{"a": 1, "b": 1}]}') == (200, [5])


def test_a_service_listens_on_loopback_only_and_sees_no_secret(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_GITHUB", "hunter2")
    place.up(STAGING)
    environment = Path(f"/proc/{place.master(STAGING)}/environ").read_bytes()
    assert b"hunter2" not in environment
    assert b"TOPIC_KEY" not in environment
    port = int((slot_folder(place.state, STAGING) / "port").read_text())
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines() if f":{port:04X} " in line]
    assert "0100007F" in {address.partition(":")[0] for address in listening}
    assert "00000000" not in {address.partition(":")[0] for address in listening}


def test_an_image_that_is_not_there_fails_its_slot(place: Place) -> None:
    place.digests[OTHER] = "sha256:" + "0" * 64
    service = place.up(f"{OTHER}-staging", OTHER)
    assert service.status == "failed"
    assert "there is no image" in service.log


def test_a_service_that_was_killed_is_seen_as_stopped(place: Place) -> None:
    place.up(PRODUCTION)
    place.point(PRODUCTION, RELEASE, 1)
    os.killpg(place.master(PRODUCTION), signal.SIGKILL)
    until(lambda: place.find(PRODUCTION).status == "stopped")
    assert place.seen() is None


def test_stop_and_resume_bring_back_what_ran_where_it_ran(place: Place, topic: Topic) -> None:
    before = place.up(PRODUCTION)
    until(lambda: topic.of("ModelDeployed"))
    place.point(PRODUCTION, RELEASE, 1)
    place.up(STAGING)
    master = place.master(STAGING)
    asyncio.run(place.hosting.stop(STAGING))
    assert identity(master) is None
    place.order("stop")
    assert place.find(PRODUCTION).status == "stopped"
    place.order("resume")
    until(lambda: place.find(PRODUCTION).status == "answering")
    assert place.find(PRODUCTION).url == before.url
    assert place.seen() == Seen(RELEASE, 1)
    assert place.find(STAGING).status == "stopped"
    worker = works.worker_of(slot_folder(place.state, PRODUCTION))
    assert worker is not None
    until(lambda: not is_alive(worker.who))
    assert len([event for event in topic.of("ModelDeployed") if PRODUCTION in event["subject"]]) == 1


def test_a_port_that_was_taken_meanwhile_is_left_and_the_route_follows(place: Place) -> None:
    before = place.up(PRODUCTION)
    place.point(PRODUCTION, RELEASE, 1)
    place.order("stop")
    with socket.create_server(("127.0.0.1", urlsplit(before.url).port or 0)):
        place.order("resume")
        until(lambda: place.find(PRODUCTION).status == "answering")
        assert place.find(PRODUCTION).url != before.url
        assert place.seen() == Seen(RELEASE, 1)


def test_a_starter_that_was_killed_is_replaced_and_one_service_runs(place: Place) -> None:
    place.deploy(STAGING)
    folder = slot_folder(place.state, STAGING)
    until(lambda: (folder / "script.json").exists())
    first = works.script_of(folder)
    worker = works.worker_of(folder)
    assert worker is not None
    os.kill(worker.who.pid, signal.SIGKILL)
    until(lambda: place.find(STAGING).status == "stopped")
    assert place.up(STAGING).status == "answering"
    assert not is_alive(first)
