"""SIGKILL for the parts of one stack, and everything back up again, without anybody waiting for it."""

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx

from shared.backends.local import works
from shared.backends.local.processes import Identity, ended_within, identity, is_alive, kill_group
from shared.backends.local.slots import read_started
from tools.local.stack import NotStarted
from tools.prove.ground import Ground
from tools.prove.moments import Brace, Part
from tools.prove.telling import Unproven

GONE_SECONDS = 10.0
BACK_SECONDS = 120.0
PAUSE_SECONDS = 1.5
MODULES = {"supervisor": "tools.local", "host": "tools.local.host", "topic": "tools.local.grid"}
STACK = ("supervisor", "host", "topic")
KILLED: dict[Part, tuple[str, ...]] = {
    "host": ("host",),
    "topic": ("topic",),
    "host and topic": ("host", "topic"),
    "its job": (),
}


class Power:
    """The processes of a ground's stack; `back` is done once all of it answers again."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._known: dict[str, Identity] = {}
        self._stopped: list[Identity] = []
        self._held: sqlite3.Connection | None = None
        # One thread: a recovery that is under way goes on to the end of the next kill's.
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="power")
        self.back: Future[float] = Future()
        self.back.set_result(0.0)

    # --- standing still

    def freeze(self, *names: str) -> None:
        """Stop host or topic where they are: nothing they do is between two looks then."""
        for name in names:
            who = self._who(name)
            if who is not None and who not in self._stopped:
                _signal(who, signal.SIGSTOP)
                self._stopped.append(who)

    def thaw(self) -> None:
        """Let everything go on that was stopped and not killed."""
        for who in self._stopped:
            _signal(who, signal.SIGCONT)
        self._stopped = []

    @property
    def braced(self) -> bool:
        """Whether the queue or the topic is kept from going on."""
        return self._held is not None or bool(self._stopped)

    def brace(self, what: Brace) -> None:
        """Keep the topic from bringing anything, or the queue from taking and giving anything."""
        if what == "topic":
            self.freeze("topic")
        elif what == "queue":
            self._hold_queue()

    def _hold_queue(self) -> None:
        """Lock the queue's file, unless a message is on its way; the next look tries again then."""
        held = sqlite3.connect(self._ground.state / "queues.db", timeout=1.0, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            held.execute("begin immediate")
            if held.execute("select count(*) from messages where queue = 'steps'").fetchone()[0] == 0:
                self._held = held
                return
        held.close()

    def release(self) -> None:
        """Let go of the queue's file and of whatever was stopped."""
        if self._held is not None:
            self._held.close()
            self._held = None
        self.thaw()

    # --- the kill, and back

    def has(self, part: Part) -> bool:
        """Say whether there is something to kill: a host that is being started is not there yet."""
        return all(self._who(name) for name in KILLED.get(part, ("supervisor",)))

    def kill(self, part: Part, release: str) -> int:
        """Kill a part and see it gone; return how many processes were sent SIGKILL."""
        work = list(_at_work(self._ground.state, release if part in ("its job", "paused job") else ""))
        served = list(_served(self._ground.state)) if part == "everything" else []
        paused = work if part == "paused job" else []
        for who in paused:
            kill_group(who, signal.SIGSTOP)
        stack = [who for name in KILLED.get(part, STACK) if (who := self._who(name))]
        detached = {"stack, jobs": work, "everything": work + served, "its job": work}.get(part, [])
        for who in stack:
            _signal(who, signal.SIGKILL)
        for who in detached:
            kill_group(who, signal.SIGKILL)
        self.release()
        for who in stack + detached:
            if not ended_within(who, GONE_SECONDS):
                raise Unproven(f"process {who.pid} outlived its kill")
        self.back = self._keeper.submit(self._recover, paused)
        return len(stack) + len(detached)

    def _recover(self, paused: list[Identity]) -> float:
        """Bring the stack back and let the patrol look at once, not at its next minute; return the seconds it took.

        What is being started may be killed too: then it is started again.
        """
        began = time.monotonic()
        while not self._patrolled():
            if time.monotonic() - began > BACK_SECONDS:
                raise Unproven(f"the stack did not answer within {BACK_SECONDS:g} s of a kill")
            if self._who("supervisor") is None:
                self._ground.running.kill()
                with suppress(NotStarted):
                    self._ground.up()
            time.sleep(0.05)
        seconds = time.monotonic() - began
        if paused:
            time.sleep(PAUSE_SECONDS)
            for who in paused:
                kill_group(who, signal.SIGCONT)
        return seconds

    def _patrolled(self) -> bool:
        """Say whether a host answers; if so its patrol has looked."""
        with suppress(httpx.TransportError, KeyError):
            stack = self._ground.running
            headers = {"x-functions-key": stack.keys.master}
            with httpx.Client(timeout=30, trust_env=False, headers=headers) as client:
                url = f"{stack.host_url}/admin/functions/patrol"
                return client.post(url, json={"input": None}).status_code == 202
        return False

    def _who(self, name: str) -> Identity | None:
        """Return the process that is this part of the stack now; None while there is none."""
        who = self._known.get(name)
        if not is_alive(who):
            who = _running(MODULES[name], self._ground.state)
            if who is not None:
                self._known[name] = who
        return who


def _signal(who: Identity, number: signal.Signals) -> None:
    if is_alive(who):
        with suppress(ProcessLookupError):
            os.kill(who.pid, number)


def _running(module: str, state: Path) -> Identity | None:
    """Find the process of a module that has this state folder on its command line."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            words = (process / "cmdline").read_text("utf-8", "replace").split("\0")
            if module in words and str(state) in words and not _is_copy(process):
                return identity(int(process.name))
    return None


def _is_copy(process: Path) -> bool:
    """Say whether a process is a fork of what it seems to be: until it runs its own program it looks the same."""
    parent = (process / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()[1]
    return (Path("/proc") / parent / "cmdline").read_bytes() == (process / "cmdline").read_bytes()


def _at_work(state: Path, release: str) -> Iterator[Identity]:
    """Yield runners, scripts, builders and starters that are at work, those that start others first."""
    patterns = ("jobs/*", "builds/*/*", "services/*")
    folders = [spec.parent for each in patterns for spec in state.glob(f"{each}/spec.json")]
    folders = [one for one in folders if release in one.name and not (one / "status.json").exists()]
    for folder in folders:
        if (worker := works.worker_of(folder)) and is_alive(worker.who):
            yield worker.who
    for folder in folders:
        if (script := works.script_of(folder)) and is_alive(script):
            yield script


def _served(state: Path) -> Iterator[Identity]:
    """Yield the masters of the scoring services."""
    for folder in (state / "services").glob("*/"):
        started = read_started(folder)
        if started and started.who and is_alive(started.who):
            yield started.who
