"""Child processes that are kept alive, and processes of an earlier run."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

# Waits before a child that died is started again; one that lived long enough starts over.
BACK_OFF = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0)
_LIVED = 30.0
_GRACE = 15.0


def say(line: str) -> None:
    """Tell the person at the terminal, on stderr."""
    print(line, file=sys.stderr, flush=True)


class Child:
    """One process that is started again when it dies, until it is stopped."""

    def __init__(
        self,
        name: str,
        module: str,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        socket: int | None,
        changed: Callable[[], None],
    ) -> None:
        self.name = name
        self.pid: int | None = None
        fixed = ["--parent", str(os.getpid())] + ([] if socket is None else ["--fd", str(socket)])
        self._command = [sys.executable, "-m", module, *arguments, *fixed]
        self._environment = environment
        self._socket = socket
        self._changed = changed
        self._stopping = asyncio.Event()

    async def keep_going(self) -> None:
        """Run, and run again, until stop()."""
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            code = await self._run_once()
            if self._stopping.is_set():
                return
            failures = 1 if time.monotonic() - began > _LIVED else failures + 1
            wait = BACK_OFF[min(failures, len(BACK_OFF)) - 1]
            say(f"The {self.name} ended by itself ({_ending(code)}); it is started again in {wait:g} s.")
            await _wait(self._stopping.wait(), wait)

    def stop(self) -> None:
        """Ask the process to end, and do not start it again; keep_going() then returns."""
        self._stopping.set()

    async def _run_once(self) -> int:
        process = await asyncio.create_subprocess_exec(
            *self._command,
            cwd=Path(__file__).parents[2],
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            # stdout belongs to the supervisor's own line.
            stdout=sys.stderr.fileno(),
            pass_fds=() if self._socket is None else (self._socket,),
            # A Ctrl-C reaches the supervisor only, which ends the children in order.
            start_new_session=True,
        )
        self.pid = process.pid
        self._changed()
        ended, stopped = asyncio.ensure_future(process.wait()), asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not ended.done():
            process.terminate()
            if not await _wait(asyncio.shield(ended), _GRACE):
                process.kill()
        code = await ended
        self.pid = None
        return code


async def _wait(what: Awaitable[object], seconds: float) -> bool:
    try:
        await asyncio.wait_for(what, seconds)
    except TimeoutError:
        return False
    return True


def _ending(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit {code}"


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended but was not waited for does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return not Path("/proc/self").exists()


def wait_until_gone(pids: Sequence[int], seconds: float) -> bool:
    """Wait for processes that are not our children to end; False if one is still there."""
    until = time.monotonic() + seconds
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True
