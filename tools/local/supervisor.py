"""Starts the host and the grid, keeps them up, and ends them in order."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import aiohttp

from tools.local.azurite import Beside
from tools.local.files import Taken, held, read_json, write_json
from tools.local.keys import Keys, make_keys
from tools.local.processes import Child, say, wait_until_gone
from tools.local.serving import listening
from tools.local.settings import Plan, app_settings
from tools.local.stack import Stack

__all__ = ["Stack", "run"]
_START = 90.0
_HOOK = 90.0


def run(plan: Plan) -> int:
    """Run the stack until SIGTERM or SIGINT; the exit code. SystemExit says why it cannot start."""
    if not plan.projects.is_file():
        raise SystemExit(f"There is no projects file {plan.projects}. Name yours with --projects FILE.")
    plan.state.mkdir(mode=0o700, parents=True, exist_ok=True)
    plan.state.chmod(0o700)
    try:
        with held(plan.state / "supervisor.lock"):
            return asyncio.run(Supervisor(plan, make_keys(plan.state)).run())
    except Taken:
        known = read_json(plan.state / "run.json") or {}
        pid = known.get("pids", {}).get("supervisor", "unknown")
        where = known.get("host_url", "starting")
        raise SystemExit(
            f"A stack already runs on {plan.state} ({where}, process {pid}). Use it, or stop it with: kill {pid}"
        ) from None


class Supervisor:
    """One stack: two listening sockets, two children, Azurite if it is chosen, one `run.json`."""

    def __init__(self, plan: Plan, keys: Keys) -> None:
        self._plan = plan
        self._keys = keys
        _wait_for_the_last_run(plan)
        # The sockets are ours: what arrives while a child is started again waits instead of being refused.
        self._sockets = [_opened(plan.host_port, "host"), _opened(plan.grid_port, "grid")]
        self.host_url, self.grid_url = (f"http://127.0.0.1:{one.getsockname()[1]}" for one in self._sockets)
        self._azurite = Beside(plan.state, self._note) if plan.storage == "azurite" else None
        connection = self._azurite.connection if self._azurite else ""
        self._settings = app_settings(plan, keys, self.host_url, self.grid_url, connection)
        self._children = self._made()
        self._up = False

    def _made(self) -> tuple[Child, Child]:
        state = ["--state", str(self._plan.state)]
        topic = ["--time-scale", str(self._plan.time_scale), "--duplicates", str(self._plan.duplicates)]
        topic += [part for function in self._plan.without for part in ("--without", function)]
        host, grid = (one.fileno() for one in self._sockets)
        return (
            Child("host", "tools.local.host", [*state, "--app", str(self._plan.app)], self._settings, host, self._note),
            Child(
                "grid",
                "tools.local.grid",
                [*state, "--host", self.host_url, *topic],
                self._settings,
                grid,
                self._note,
            ),
        )

    async def run(self) -> int:
        """Start, stay up until told to stop, stop."""
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        running: list[asyncio.Future[None]] = []
        starting = asyncio.ensure_future(self._start(running))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait({starting, stopped}, return_when=asyncio.FIRST_COMPLETED)
        failed = starting.done() and not starting.result()
        if not failed:
            await stopped
        starting.cancel()
        await self._stop(running)
        return 1 if failed else 0

    async def _start(self, running: list[asyncio.Future[None]]) -> bool:
        try:
            # What is acknowledged is kept there, so it is up before the others and ends after them.
            if self._azurite and not await self._azurite.start():
                return False
            async with asyncio.timeout(_START), aiohttp.ClientSession() as session:
                running += [asyncio.ensure_future(child.keep_going()) for child in self._children]
                status = await _answer(session, f"{self.host_url}/admin/host/status", self._keys.master)
                await _answer(session, self.grid_url, "")
                self._up = True
                self._note()
                await self._services("resume")
                self._announce(json.loads(status))
                await self._heal(session)
        except TimeoutError:
            say(f"The stack did not answer within {_START:g} s; see the lines above. Nothing is left running.")
            return False
        return True

    async def _stop(self, running: Sequence[asyncio.Future[None]]) -> None:
        self._up = False
        for child in self._children:
            child.stop()
        await asyncio.gather(*running)
        await self._services("stop")
        if self._azurite:
            await self._azurite.stop()
        (self._plan.state / "run.json").unlink(missing_ok=True)

    def _note(self) -> None:
        if self._up:
            pids = {child.name: child.pid for child in self._children} | {"supervisor": os.getpid()}
            projects = str(self._plan.projects)
            told = {"host_url": self.host_url, "grid_url": self.grid_url, "projects": projects, "pids": pids}
            if self._azurite:
                pids["azurite"] = self._azurite.pid
                told["storage_url"] = self._azurite.url
            write_json(self._plan.state / "run.json", told)

    def _announce(self, status: Mapping[str, object]) -> None:
        if status.get("state") != "Running":
            say(f"The function app in {self._plan.app} was not loaded (why: above). Fix it, then start again.")
        if self._plan.json:
            print(json.dumps(read_json(self._plan.state / "run.json")), flush=True)
        else:
            live = f"{self.grid_url}/live"
            print(f"Signalbox is up: {self.host_url}/api  live {live}  state {self._plan.state}", flush=True)

    async def _heal(self, session: aiohttp.ClientSession) -> None:
        """What a crash left open is found by the patrol; it need not wait for its timer."""
        if self._plan.patrol:
            headers = {"x-functions-key": self._keys.master}
            url = f"{self.host_url}/admin/functions/patrol"
            with suppress(aiohttp.ClientError):
                async with session.post(url, json={"input": None}, headers=headers) as answer:
                    await answer.read()

    async def _services(self, order: str) -> None:
        """The local backend ends and resumes its own scoring services; an app without one has none."""
        if not (self._plan.app / "shared/backends/local/services.py").is_file():
            return
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "shared.backends.local.services", order, "--state", str(self._plan.state)),
            cwd=self._plan.app,
            env=self._settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
        )
        try:
            code = await asyncio.wait_for(process.wait(), _HOOK)
        except TimeoutError:
            process.kill()
            code = await process.wait()
        if code:
            say(f"The scoring services did not {order} (exit {code}; why: above). The patrol looks at them again.")


def _wait_for_the_last_run(plan: Plan) -> None:
    """After a kill -9 the last children may still be ending; their ports and locks are free a moment later."""
    left = read_json(plan.state / "run.json")
    if left is not None:
        wait_until_gone([pid for name, pid in left["pids"].items() if pid and name != "supervisor"], 5.0)
        (plan.state / "run.json").unlink()


def _opened(port: int, name: str) -> socket.socket:
    try:
        return listening(port, None)
    except OSError:
        opened = listening(0, None)
        say(f"Port {port} is taken; the {name} is at {opened.getsockname()[1]} instead.")
        return opened


async def _answer(session: aiohttp.ClientSession, url: str, key: str) -> bytes:
    while True:
        try:
            async with session.get(url, headers={"x-functions-key": key}) as answer:
                if answer.status == 200:
                    return await answer.read()
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.1)
