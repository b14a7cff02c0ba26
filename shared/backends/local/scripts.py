"""One script of a job as a child that leaves nothing behind: no process, no secret, no time beyond its own."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from shared.backends.local import works
from shared.backends.local.processes import identity

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
END_SECONDS = 10.0


class Ended(Struct, frozen=True):
    """`code` is None when the time was up; negative when a signal ended it."""

    code: int | None
    seconds: float


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> Ended:
    """Run `command` in `folder`, its output into ours, and kill its whole group when it ends or its time is up."""
    prctl = _prctl()
    if prctl is not None:
        # What leaves the group comes back to us as a child, so that it can be ended too.
        prctl(PR_SET_CHILD_SUBREAPER, 1)
    began = time.monotonic()
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=None if prctl is None else lambda: prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    try:
        who = identity(child.pid)
        if who is not None:
            works.write_script(folder, who)
        code: int | None = child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _end_children(time.monotonic() + END_SECONDS)
    return Ended(code, time.monotonic() - began)


def clean_environment(folder: Path, python: Path) -> dict[str, str]:
    """Return all of the environment that a project's code gets to see."""
    return {
        "PATH": f"{python.parent}:{os.environ.get('PATH', os.defpath)}",
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "2",
    }


def _prctl() -> "ctypes._NamedFuncPointer | None":
    return ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None


def _end_children(deadline: float) -> None:
    """Kill every process that came back to us; all our children are of the script by now."""
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            for pid in _children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)


def _children() -> list[int]:
    own, found = str(os.getpid()), []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if path.read_text("utf-8", "replace").rpartition(")")[2].split()[1] == own:
                found.append(int(path.parent.name))
    return found
