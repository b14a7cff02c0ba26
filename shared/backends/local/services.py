"""Scoring services on loopback, one a slot, and the stable address of each environment.

`python -m shared.backends.local.services stop|resume --state DIR` ends those that run, and starts them again.
"""

import argparse
import asyncio
import http.client
import signal
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from shared.backends.local import works
from shared.backends.local.processes import ended_within, is_alive, kill_group
from shared.backends.local.routes import Route, write_route
from shared.backends.local.slots import Slot, Started, raised, read_slot, read_started, service_log, slot_folder, tail
from shared.errors import Conflict, Unavailable
from shared.ports import Seen, Service

STOP_SECONDS = 10.0
SEEN_SECONDS = 10.0


class LocalHosting:
    """`Hosting` in `<state>/services` and `<state>/routes`; `live` is the base of the stable addresses."""

    def __init__(self, state: Path, live: str) -> None:
        self._state, self._live = state.absolute(), live.rstrip("/")

    async def find(self, slot: str) -> Service | None:
        """Look a slot up by its name; `url` is its scoring address."""
        return await asyncio.to_thread(find, self._state, slot)

    async def deploy(self, slot: str, project: str, environment: str, release: str, image: str) -> None:
        """Start the slot with this image unless it runs, again when it failed or was stopped.

        `Conflict` when it has another image; what it has is not started then.
        """
        await asyncio.to_thread(self._deploy, Slot(slot, project, environment, release, image))

    async def stop(self, slot: str) -> None:
        """Stop what runs in the slot; a later deploy of the same image starts it again."""
        await asyncio.to_thread(self._stop, slot)

    async def point(self, project: str, environment: str, slot: str, release: str, generation: int) -> None:
        """Let the stable address answer from the slot; `Unavailable` while the slot does not answer."""
        await asyncio.to_thread(self._point, project, environment, slot, release, generation)

    async def seen(self, project: str, environment: str) -> Seen | None:
        """Ask the stable address who answers; `Unavailable` when the router itself cannot be asked."""
        return await asyncio.to_thread(self._seen, project, environment)

    def address(self, project: str, environment: str) -> str:
        """Return the stable scoring URL of an environment."""
        return f"{self._live}/{project}/{environment}/score"

    def _deploy(self, slot: Slot) -> None:
        folder = slot_folder(self._state, slot.slot)
        if works.state_of(folder) != "absent":
            _demand(folder, slot)
        start(self._state, folder, slot)
        # Another may have made it between the two.
        _demand(folder, slot)

    def _stop(self, name: str) -> None:
        folder = slot_folder(self._state, name)
        stopped = Started("stopped", reason="it was stopped")
        if works.end(folder, msgspec.json.encode(stopped)):
            return
        started = read_started(folder)
        if started is not None and started.status == "answering":
            works.rewrite_end(folder, msgspec.json.encode(stopped))
            _end_services([started])

    def _point(self, project: str, environment: str, slot: str, release: str, generation: int) -> None:
        found = find(self._state, slot)
        if found is None:
            raise Unavailable(f"there is no slot {slot} to which {project} {environment} could be led")
        if found.status != "answering":
            raise Unavailable(f"slot {slot} is {found.status}: {project} {environment} cannot be led to it yet")
        url = found.url.removesuffix("/score")
        write_route(self._state, project, environment, Route(slot, url, generation, release))

    def _seen(self, project: str, environment: str) -> Seen | None:
        parts = urlsplit(self._live)
        connection = http.client.HTTPConnection(parts.netloc, timeout=SEEN_SECONDS)
        try:
            connection.request("GET", f"{parts.path}/{project}/{environment}/")
            answer = connection.getresponse()
            release = answer.getheader("X-Signalbox-Release")
            generation = answer.getheader("X-Signalbox-Generation")
        except (OSError, http.client.HTTPException) as error:
            raise Unavailable(f"the stable address of {project} {environment} could not be asked: {error}") from error
        finally:
            connection.close()
        if answer.status != 200 or release is None or generation is None or not generation.isdigit():
            return None
        return Seen(release, int(generation))


def find(state: Path, name: str) -> Service | None:
    """Say how a slot stands; one whose process is gone is `stopped`, with the end of its log."""
    folder = slot_folder(state, name)
    stands = works.state_of(folder)
    if stands == "absent":
        return None
    slot, started = read_slot(folder), read_started(folder)
    if started is None:
        return Service(name, "starting" if stands == "running" else "stopped", slot.image)
    if started.status != "answering":
        return Service(name, started.status, slot.image, log=started.reason)
    if not is_alive(started.who):
        return Service(name, "stopped", slot.image, log=tail(service_log(folder)))
    url, why = f"{started.url}/score", raised(service_log(folder))
    return Service(name, "answering", slot.image, url, started.seconds, why)


def start(state: Path, folder: Path, slot: Slot) -> None:
    """Start the process that starts the service, unless the service runs or is about to."""

    def is_gone() -> bool:
        started = read_started(folder)
        return started is not None and not is_alive(started.who)

    arguments = ["-m", "shared.backends.local.starter", str(state), slot.slot]
    works.start(folder, msgspec.json.encode(slot), arguments, again=is_gone)


def stop_all(state: Path) -> None:
    """End every service that runs, all at once; they stay marked as running, so that `resume_all` knows them."""
    running = []
    for folder in _folders(state):
        if works.state_of(folder) == "running":
            works.stop_worker(folder)
            works.end_script(folder)
        started = read_started(folder)
        if started is not None and started.status == "answering":
            running.append(started)
    _end_services(running)


def resume_all(state: Path) -> None:
    """Start again what should run and does not, where it ran before if there is room."""
    for folder in _folders(state):
        started = read_started(folder)
        if works.state_of(folder) == "lost" or (started is not None and started.status == "answering"):
            start(state, folder, read_slot(folder))


def _demand(folder: Path, slot: Slot) -> None:
    there = read_slot(folder)
    if there != slot:
        raise Conflict(f"slot {slot.slot} is there with image {there.image}, not {slot.image}")


def _folders(state: Path) -> list[Path]:
    return sorted(path.parent for path in (state / "services").glob("*/spec.json"))


def _end_services(all_started: list[Started]) -> None:
    """Stop by the master's own process id, so that gunicorn ends its workers; kill what does not end."""
    alive = [started.who for started in all_started if started.who is not None and is_alive(started.who)]
    for who in alive:
        kill_group(who, signal.SIGTERM)
    for who in alive:
        if not ended_within(who, STOP_SECONDS):
            kill_group(who, signal.SIGKILL)
            ended_within(who, STOP_SECONDS)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="End the scoring services of a state folder, or start them again.")
    parser.add_argument("order", choices=["stop", "resume"])
    parser.add_argument("--state", type=Path, required=True)
    told = parser.parse_args()
    {"stop": stop_all, "resume": resume_all}[told.order](told.state.absolute())
