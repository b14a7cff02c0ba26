"""SIGKILL for the parts of one stack, and everything back up again, without anybody waiting for it."""

import os
import signal
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Literal

import httpx

from shared.backends.local.processes import Identity, ended_within, identity, is_alive, kill_group
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
Kind = Literal["job", "service"]
# Which of what outlives a stack is killed with it: only what the release runs, or all of it.
DETACHED: dict[Part, tuple[Literal["its", "all"], tuple[Kind, ...]]] = {
    "its job": ("its", ("job",)),
    "stack, jobs": ("all", ("job",)),
    "everything": ("all", ("job", "service")),
}


class Power:
    """The processes of a ground's stack; `back` is done once all of it answers again."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._known: dict[str, Identity] = {}
        self._stopped: list[Identity] = []
        self._resting: list[Identity] = []
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

    def rest(self, release: str) -> None:
        """Stop what a release runs."""
        if not self._resting:
            self._resting = list(_detached(self._ground.state, ("job",), release))
            for who in self._resting:
                _signal_all(who, signal.SIGSTOP)

    def wake(self) -> None:
        """Let what a release runs go on."""
        for who in self._resting:
            _signal_all(who, signal.SIGCONT)
        self._resting = []

    def thaw(self) -> None:
        """Let everything go on that was stopped and not killed."""
        for who in self._stopped:
            _signal(who, signal.SIGCONT)
        self._stopped = []
        self.wake()

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
        """Say whether all of it is there to be killed: what a kill took away comes back a moment later."""
        return all(self._who(name) for name in KILLED.get(part, STACK))

    def kill(self, part: Part, release: str) -> int:
        """Kill a part and see it gone; return how many processes were sent SIGKILL."""
        whose, kinds = DETACHED.get(part, ("all", ()))
        about = release if whose == "its" else ""
        paused = list(_detached(self._ground.state, ("job",), release)) if part == "paused job" else []
        for who in paused:
            _signal_all(who, signal.SIGSTOP)
        if paused:
            # They go on when the stack is up again, and not before.
            self._resting = []
        stack = [who for name in KILLED.get(part, STACK) if (who := self._who(name))]
        for who in stack:
            _signal(who, signal.SIGKILL)
        killed = set(stack)
        # What was killed may have started something a moment before.
        while left := set(_detached(self._ground.state, kinds, about)):
            for who in left:
                _signal_all(who, signal.SIGKILL)
            _see_gone(left)
            killed |= left
        self.release()
        _see_gone(killed)
        self.back = self._keeper.submit(self._recover, paused)
        return len(killed)

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
                _signal_all(who, signal.SIGCONT)
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


def _signal_all(who: Identity, number: signal.Signals) -> None:
    """Signal a process, with the group that it may lead."""
    kill_group(who, number)
    _signal(who, number)


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


def _see_gone(killed: Iterable[Identity]) -> None:
    for who in killed:
        if not ended_within(who, GONE_SECONDS):
            raise Unproven(f"process {who.pid} outlived its kill")


def _detached(state: Path, kinds: Collection[Kind], release: str = "") -> Iterator[Identity]:
    """Yield the processes of jobs and services that outlive a stack, as the system knows them.

    Their own files know them a moment later.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            words = (process / "cmdline").read_text("utf-8", "replace").split("\0")
            where = os.readlink(process / "cwd")
            kind = _kind(words, where, str(state))
            if kind in kinds and release in f"{where} {words}" and (who := identity(int(process.name))):
                yield who


def _kind(words: list[str], where: str, state: str) -> Kind | None:
    """Say what a process is: a runner, builder or starter, or what these run, or a scoring service."""
    if any(where.startswith(f"{state}/{folder}/") for folder in ("jobs", "builds")):
        return "job"
    if where.startswith(f"{state}/services/"):
        return "service"
    ours = any(word.startswith("shared.backends.local.") for word in words) and "resume" not in words
    return "job" if ours and state in words else None
