"""Processes of ours that outlive the one that started them, and how to tell them from others.

A process id is used again by the system; with the time its process started it is not.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from msgspec import Struct

ROOT = Path(__file__).resolve().parents[3]
"""Where `python -m shared...` finds this app."""

KEPT = """
    PATH HOME LANG LC_ALL TMPDIR TOPIC_ENDPOINT TOPIC_KEY SSL_CERT_FILE SSL_CERT_DIR
    STORAGE STORAGE_CONNECTION AzureWebJobsStorage
""".split()
KEPT_PREFIXES = ("PIP_", "UV_", "XDG_")
PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


class Identity(Struct, frozen=True):
    """One process for all time: `started` is what the system says about its start, in its own unit."""

    pid: int
    started: str


def identity(pid: int) -> Identity | None:
    """Return who has this process id now; None when nobody has, or only what is left of an ended one."""
    try:
        # The second field is the command in brackets and may hold anything; what follows its last bracket is fixed.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self").exists() else _identity_by_ps(pid)
    return None if fields[0] in "ZX" else Identity(pid, fields[19])


def _identity_by_ps(pid: int) -> Identity | None:
    answer = subprocess.run(["ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
    state, _, started = answer.stdout.strip().partition(" ")
    return Identity(pid, started.strip()) if started and not state.startswith("Z") else None


def is_alive(who: Identity | None) -> bool:
    """Say whether exactly this process still runs."""
    return who is not None and identity(who.pid) == who


def kill_group(who: Identity | None, sign: signal.Signals = signal.SIGKILL) -> None:
    """Signal the process group that `who` leads; nothing when its leader is gone."""
    if who is not None and is_alive(who):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(who.pid, sign)


def ended_within(who: Identity, seconds: float) -> bool:
    """Wait for a process that is not our child; False when it still runs after `seconds`."""
    deadline = time.monotonic() + seconds
    while is_alive(who):
        if time.monotonic() >= deadline:
            return False
        time.sleep(0.02)
    return True


def own_environment() -> dict[str, str]:
    """Return what a detached process of this app needs: no secret but the keys of topic and storage.

    PYTHONDONTWRITEBYTECODE is left out: without bytecode every start takes four times as long.
    """
    kept = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(KEPT_PREFIXES)}
    return kept | {name: value for name, value in os.environ.items() if name.upper() in PROXIES}


def detach(arguments: Sequence[str], log: Path, keep: Sequence[int] = (), stdin: bytes = b"") -> Identity:
    """Start `python <arguments>` of this app in a session of its own, its output appended to `log`.

    `keep` are descriptors that it inherits, `stdin` is at most what fits in a pipe (64 KiB).
    """
    return spawn([sys.executable, *arguments], log, own_environment(), ROOT, keep, stdin)


def spawn(
    command: Sequence[str],
    log: Path,
    environment: Mapping[str, str],
    folder: Path,
    keep: Sequence[int] = (),
    stdin: bytes = b"",
    known: Callable[[Identity], None] = lambda who: None,
) -> Identity:
    """Start any command in a session of its own and return who it is; see `detach`.

    `known` is called with who it is before it is given its `stdin`.
    """
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd=folder,
            env=dict(environment),
            start_new_session=True,
            pass_fds=tuple(keep),
        )
    who = identity(process.pid) or Identity(process.pid, "ended")
    known(who)
    _feed(process.stdin, stdin)
    # Somebody has to wait for it, or what is left of it looks like a process to everybody else.
    threading.Thread(target=process.wait, daemon=True).start()
    return who


def _feed(pipe: IO[bytes] | None, content: bytes) -> None:
    assert pipe is not None
    with contextlib.suppress(BrokenPipeError), pipe:
        pipe.write(content)
