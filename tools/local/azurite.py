"""Azurite, Microsoft's stand-in for Azure Storage: `python -m tools.local.azurite --state DIR`.

It writes what it acknowledged to disk a little later: it is ended with SIGTERM and waited for, never killed.
"""

import argparse
import asyncio
import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tools.local.files import read_json, write_json
from tools.local.node import NoAzurite, azurite_command
from tools.local.processes import Child, say

# Azurite's own account, known to everybody; it listens on loopback only.
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
_PR_SET_PDEATHSIG = 1
_START = 60.0
_FLAGS = ("--silent", "--disableTelemetry", "--skipApiVersionCheck", "--tablePort", "0")
# Azurite drops idle connections after five seconds, in which a request on one of them is lost.
_KEEP = ("--blobKeepAliveTimeout", "65", "--queueKeepAliveTimeout", "65")
# It hears the first SIGTERM only, and a second one would end it in the middle of writing;
# the kernel sends one for each thread of a parent that ends. So would a line that nobody is there to read.
_PATIENT = "data:text/javascript," + ";".join(
    (
        'process.on("SIGTERM",()=>{})',
        'for(const said of [process.stdout,process.stderr])said.on("error",()=>{})',
    )
)


@dataclass(frozen=True)
class Ports:
    """Where blobs and queues are served on 127.0.0.1."""

    blobs: int
    queues: int

    @property
    def connection(self) -> str:
        """The connection string."""
        blobs, queues = (f"http://127.0.0.1:{port}/{ACCOUNT}" for port in (self.blobs, self.queues))
        account = f"DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY}"
        return f"{account};BlobEndpoint={blobs};QueueEndpoint={queues};"


def command(location: Path | None, ports: Ports, more: Sequence[str] = ()) -> Sequence[str]:
    """How it is started; its state is in `location`, or in memory; `more` are flags of its own. Raises NoAzurite."""
    where = ["--inMemoryPersistence"] if location is None else ["--location", str(location)]
    numbers = ["--blobPort", str(ports.blobs), "--queuePort", str(ports.queues)]
    node, script = azurite_command()
    return [node, "--import", _PATIENT, script, *_FLAGS, *_KEEP, *where, *numbers, *more]


class Azurite:
    """One Azurite in memory, on free ports, for tests: entered, it answers; left, it is gone. `flags` are its own."""

    def __init__(self, *flags: str) -> None:
        self._flags = flags
        self.ports = Ports(0, 0)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> str:
        """Start it and return its connection string. Raises NoAzurite."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tools.local.azurite", "--parent", str(os.getpid()), *self._flags],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # A Ctrl-C must not end it before those who use it.
            start_new_session=True,
        )
        self._process = process
        found: dict[str, int] = {}
        said = []
        for line in process.stdout or ():
            said.append(line)
            service, listening, address = line.partition(" service is successfully listening at ")
            if listening:
                found[service.split()[-1]] = int(address.strip().rpartition(":")[2])
            if {"Blob", "Queue", "Table"} <= set(found):
                self.ports = Ports(found["Blob"], found["Queue"])
                return self.ports.connection
        self.stop()
        raise NoAzurite(f"Azurite did not start: {''.join(said)[-1000:]}")

    @property
    def pid(self) -> int:
        """Its process; 0 when it does not run."""
        return self._process.pid if self._process else 0

    def said(self) -> Iterator[str]:
        """What it says from now on, line by line."""
        # `yield from` would close what is read when somebody stops reading.
        for line in (self._process and self._process.stdout) or ():  # noqa: UP028
            yield line

    def be_unheard(self) -> None:
        """Close the pipe that it speaks into, as a terminal that went away does."""
        if self._process is not None and self._process.stdout is not None:
            self._process.stdout.close()

    def stop(self) -> None:
        """End it and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate(timeout=30)
            self._process = None

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self.stop()


class Beside:
    """The Azurite of a stack: a child of its supervisor, with its state in STATE/azurite."""

    def __init__(self, state: Path, changed: Callable[[], None]) -> None:
        self._ports = _ports_of(state)
        numbers = ["--blob-port", str(self._ports.blobs), "--queue-port", str(self._ports.queues)]
        arguments = ["--state", str(state), *numbers]
        self._child = Child("azurite", "tools.local.azurite", arguments, os.environ, None, changed)
        self._running: asyncio.Future[None] | None = None

    @property
    def connection(self) -> str:
        """Its connection string."""
        return self._ports.connection

    @property
    def url(self) -> str:
        """Where its blobs are."""
        return f"http://127.0.0.1:{self._ports.blobs}/{ACCOUNT}"

    @property
    def pid(self) -> int | None:
        """Its process now."""
        return self._child.pid

    async def start(self) -> bool:
        """Start it and return once it answers; False, with the reason said, if it cannot be had."""
        try:
            await asyncio.to_thread(azurite_command)
        except NoAzurite as error:
            say(str(error))
            return False
        self._running = asyncio.ensure_future(self._child.keep_going())
        try:
            async with asyncio.timeout(_START):
                for port in (self._ports.blobs, self._ports.queues):
                    await _until_listening(port)
        except TimeoutError:
            say(f"Azurite did not answer within {_START:g} s; see the lines above. Nothing is left running.")
            return False
        return True

    async def stop(self) -> None:
        """End it and wait until all is on disk."""
        if self._running is not None:
            self._child.stop()
            await self._running


async def _until_listening(port: int) -> None:
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return


def _ports_of(state: Path) -> Ports:
    """The ports of this state folder, the same at every start if nobody took them: jobs that outlived a stack go on."""
    known = read_json(state / "azurite.json")
    ports = Ports(**known) if known else None
    if ports is None or not all(_is_free(port) for port in (ports.blobs, ports.queues)):
        ports = _free_ports()
        write_json(state / "azurite.json", asdict(ports))
    return ports


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_ports() -> Ports:
    with socket.socket() as one, socket.socket() as other:
        for opened in (one, other):
            opened.bind(("127.0.0.1", 0))
        return Ports(one.getsockname()[1], other.getsockname()[1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Be Azurite until SIGTERM, or until the parent ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, help="the state folder, in whose azurite/ it keeps all; else in memory")
    parser.add_argument("--blob-port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--queue-port", type=int, default=0, help="0 = any free one")
    parser.add_argument("--parent", type=int, help="end when this process, our parent, ends")
    given, more = parser.parse_known_args(arguments)
    location = given.state.resolve() / "azurite" if given.state else None
    if location is not None:
        location.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        whole = command(location, Ports(given.blob_port, given.queue_port), more)
    except NoAzurite as error:
        sys.exit(str(error))
    if sys.platform != "linux":
        sys.exit(_beside(whole, given.parent))
    if given.parent is not None:
        # Asked to end, and not killed as our other children are: it must still write what it acknowledged.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != given.parent:
            sys.exit(f"The parent process {given.parent} is gone; ending.")
    os.execv(whole[0], list(whole))


def _beside(whole: Sequence[str], parent: int | None) -> int:
    """Where the kernel does not tell of a parent's end: run it as a child and look."""
    process = subprocess.Popen(whole, stdin=subprocess.DEVNULL)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    while process.poll() is None:
        if parent is not None and os.getppid() != parent:
            process.terminate()
        time.sleep(0.2)
    return process.returncode


if __name__ == "__main__":
    main()
