"""A running stack, for the demo and for tests."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tools.local.files import read_json
from tools.local.keys import Keys, read_keys
from tools.local.processes import wait_until_gone

_REPOSITORY = Path(__file__).parents[2]


class NotStarted(Exception):
    """The stack did not come up; the message ends with what it said."""


class Stack:
    """`python -m tools.local up` as a child process; what it says goes to STATE/stack.log.

    Entered, it is up; left, it is stopped. `kill()` ends it like a power cut.
    """

    def __init__(
        self,
        state: Path,
        projects: Path,
        app: Path = _REPOSITORY,
        host_port: int = 0,
        grid_port: int = 0,
        without: Sequence[str] = (),
        patrol: bool = True,
        time_scale: float = 1.0,
        duplicates: int = 0,
        environment: Mapping[str, str] | None = None,
        storage: str | None = None,
        backend: str = "local",
    ) -> None:
        self.state = Path(state).resolve()
        ports = ["--host-port", str(host_port), "--grid-port", str(grid_port)]
        places = ["--state", str(self.state), "--projects", str(Path(projects).resolve()), "--app", str(app)]
        flags = [part for function in without for part in ("--without", function)]
        flags += [] if patrol else ["--no-patrol"]
        flags += ["--time-scale", str(time_scale), "--duplicates", str(duplicates)]
        flags += ["--storage", storage] if storage else []
        flags += ["--backend", backend]
        self._command = [sys.executable, "-m", "tools.local", "up", "--json", *places, *ports, *flags]
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._run: Mapping[str, Any] = {}

    @property
    def host_url(self) -> str:
        """The base address of the host."""
        return str(self._run["host_url"])

    @property
    def grid_url(self) -> str:
        """The base address of the topic, the blobs and the live addresses."""
        return str(self._run["grid_url"])

    @property
    def storage_url(self) -> str:
        """Where the blobs of its own Azurite are, empty if it has none."""
        return str(self._run.get("storage_url", ""))

    @property
    def keys(self) -> Keys:
        """The keys of the state folder."""
        return read_keys(self.state)

    @property
    def pids(self) -> Mapping[str, int]:
        """The process ids of the supervisor, the host and the grid, as they are now."""
        return dict((read_json(self.state / "run.json") or self._run)["pids"])

    @property
    def log(self) -> str:
        """What the stack has said so far."""
        return (self.state / "stack.log").read_text(errors="replace")

    def start(self, seconds: float = 120.0) -> None:
        """Start and return once everything answers; raises NotStarted."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.state / "stack.log").open("ab") as said:
            self._process = subprocess.Popen(
                self._command,
                cwd=_REPOSITORY,
                env={**os.environ, **(self._environment or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                start_new_session=True,
            )
        try:
            self._run = json.loads(self._first_line(seconds))
        except ValueError:
            self.kill()
            raise NotStarted(f"The stack on {self.state} did not come up. It said:\n{self.log[-4000:]}") from None

    def _first_line(self, seconds: float) -> bytes:
        out = self._process.stdout if self._process else None
        if out is None:
            return b""
        ready, _, _ = select.select([out], [], [], seconds)
        return out.readline() if ready else b""

    def stop(self, seconds: float = 60.0) -> int:
        """Stop it as a person would (SIGTERM) and wait; the exit code."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(seconds)
        self._over()
        return code

    def kill(self) -> None:
        """End all of it at once with SIGKILL and wait until it is gone."""
        if self._process is None:
            return
        pids = [pid for name, pid in self.pids.items() if pid and name != "supervisor"] if self._run else []
        self._process.kill()
        self._process.wait()
        # The children are told by the kernel that their parent is gone; nothing of ours is sent to them.
        if not wait_until_gone(pids, 10.0):
            raise TimeoutError(f"The children {pids} outlived their supervisor.")
        self._over()

    def _over(self) -> None:
        if self._process and self._process.stdout:
            self._process.stdout.close()
        self._process = None

    def __enter__(self) -> Self:
        """Start, if it is not started."""
        if self._process is None:
            self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, if it is still up."""
        self.stop()


def wait_for(what: str, ready: Any, seconds: float = 30.0, every: float = 0.05) -> Any:
    """Ask `ready` until it gives something true and return that; TimeoutError names `what` was waited for."""
    until = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not happen within {seconds:g} s.")
        time.sleep(every)
    return found
