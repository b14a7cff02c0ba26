"""Work in a process of its own that outlives us: a folder with what is to be done, who does it and how it ended.

A lock that the working process inherits makes sure that there is never a second one;
it is passed on by the one that starts it, so there is no moment in which nobody holds it.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from shared.backends.local.durable import take_lock, write_durably
from shared.backends.local.processes import Identity, detach, ended_within, identity, is_alive, kill_group
from shared.errors import Unavailable

WorkState = Literal["absent", "running", "ended", "lost"]
CANCEL_SECONDS = 10.0


class Worker(Struct, frozen=True):
    """Who does the work, and since when (seconds since 1970)."""

    who: Identity
    since: float


def start(folder: Path, spec: bytes, arguments: Sequence[str], again: Callable[[], bool] = lambda: False) -> None:
    """Start `python <arguments>` for this folder unless it ended or is at it; what was lost is started again.

    What ended is done again only when `again` says so; it is asked while nobody else can start it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = take_lock(folder / "lock", 0.0 if state_of(folder) == "running" else 1.0)
    if handle is None:
        return
    try:
        if (folder / "status.json").exists():
            if not again():
                return
            (folder / "status.json").unlink()
        if not (folder / "spec.json").exists():
            write_durably(folder / "spec.json", spec)
        who = detach(arguments, folder / "runner.log", keep=(handle,))
        _write_worker(folder, who)
    finally:
        os.close(handle)


def enter(folder: Path) -> None:
    """Say that this process does the work; what an earlier one left running is ended first."""
    who = identity(os.getpid())
    assert who is not None
    _write_worker(folder, who)
    end_script(folder)


def state_of(folder: Path) -> WorkState:
    """Say how the work stands."""
    if (folder / "status.json").exists():
        return "ended"
    if not (folder / "spec.json").exists():
        return "absent"
    worker = worker_of(folder)
    if is_alive(worker.who) if worker else _is_starting(folder):
        return "running"
    # It may have ended between the two looks.
    return "ended" if (folder / "status.json").exists() else "lost"


def worker_of(folder: Path) -> Worker | None:
    """Return who does, or did, the work."""
    try:
        return msgspec.json.decode((folder / "process.json").read_bytes(), type=Worker)
    except FileNotFoundError:
        return None


def write_script(folder: Path, who: Identity) -> None:
    """Remember the process that the work itself runs in."""
    write_durably(folder / "script.json", msgspec.json.encode(who))


def script_of(folder: Path) -> Identity | None:
    """Return what the work itself runs, or ran, in."""
    try:
        return msgspec.json.decode((folder / "script.json").read_bytes(), type=Identity)
    except FileNotFoundError:
        return None


def end_script(folder: Path) -> None:
    """Kill what the work itself runs in, with its group, if it still runs."""
    who = script_of(folder)
    if who is not None:
        kill_group(who)
        ended_within(who, CANCEL_SECONDS)


def end(folder: Path, status: bytes) -> bool:
    """Stop the work; True when `status` became its end because it did not write one itself."""
    for _ in range(3):
        if state_of(folder) in ("absent", "ended"):
            return False
        stop_worker(folder)
        handle = take_lock(folder / "lock", 2.0)
        # Without the lock it was started again meanwhile.
        if handle is not None:
            try:
                return _end_now(folder, status)
            finally:
                os.close(handle)
    raise Unavailable(f"{folder.name} is started again and again by another process; its end is tried later")


def stop_worker(folder: Path) -> None:
    """Ask the process that does the work to end, and end it when it does not."""
    worker = worker_of(folder)
    if worker is None or not is_alive(worker.who):
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(worker.who.pid, signal.SIGTERM)
    if not _ended_or_told(folder, worker.who):
        kill_group(worker.who)
        ended_within(worker.who, CANCEL_SECONDS)


def rewrite_end(folder: Path, status: bytes) -> None:
    """Put another end in place of the one that was written."""
    write_durably(folder / "status.json", status)


def _end_now(folder: Path, status: bytes) -> bool:
    if (folder / "status.json").exists():
        return False
    end_script(folder)
    write_durably(folder / "status.json", status)
    return True


def _ended_or_told(folder: Path, who: Identity) -> bool:
    deadline = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < deadline:
        if (folder / "status.json").exists() or not is_alive(who):
            return True
        time.sleep(0.02)
    return False


def _is_starting(folder: Path) -> bool:
    handle = take_lock(folder / "lock", 0.0)
    if handle is None:
        return True
    os.close(handle)
    return False


def _write_worker(folder: Path, who: Identity) -> None:
    write_durably(folder / "process.json", msgspec.json.encode(Worker(who, time.time())))
