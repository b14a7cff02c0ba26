"""The script of a job as a child: a clean environment, a deadline, and nothing left of it when it ends."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 36, 38
CAPABILITIES = range(64)
FILES = (0, 1, 3)
"""CAP_CHOWN, CAP_DAC_OVERRIDE and CAP_FOWNER: whose the folder of a run is, nobody promises."""
END_SECONDS = 10.0


@dataclass(frozen=True)
class Ended:
    """`code` is None when the time was up; negative when a signal ended it."""

    code: int | None
    seconds: float


def surroundings(folder: Path) -> dict[str, str]:
    """Return all of the environment that a project's code gets to see: no token of the run, no way to the storage."""
    places = {"HOME": folder / "home", "TMPDIR": folder / "tmp"}
    for place in places.values():
        place.mkdir(exist_ok=True)
    return {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        **{name: str(place) for name, place in places.items()},
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "2",
    }


def run(command: Sequence[str], folder: Path, environment: Mapping[str, str], seconds: float) -> Ended:
    """Run `command` in `folder`, its output into ours, and kill its whole group when it ends or its time is up.

    It may not look into this process, whose environment and memory hold the run's token.
    """
    prctl = ctypes.CDLL(None, use_errno=True).prctl if sys.platform == "linux" else None
    if prctl is not None:
        # What leaves the group comes back to us as a child, so that it can be ended too.
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_DUMPABLE, 0)
    began = time.monotonic()
    child = subprocess.Popen(
        command,
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=None if prctl is None else lambda: _confine(prctl),
    )
    try:
        code: int | None = child.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        _end_others(time.monotonic() + END_SECONDS)
    return Ended(code, time.monotonic() - began)


def _confine(prctl: Callable[..., int]) -> None:
    """Let this process end with us and, when it is root, have no more of root's privileges than files need.

    Root with all of them reads any process; with fewer than another process has, it may not look into that one.
    """
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    for each in CAPABILITIES:
        if each not in FILES:
            prctl(PR_CAPBSET_DROP, each)
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _end_others(deadline: float) -> None:
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
