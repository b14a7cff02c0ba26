"""The local stand-in for the Functions host: `python -m tools.local.host --app DIR --state DIR --port N`."""

import asyncio
import logging
import os
import sys
import time
import traceback
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from tools.local.admin import Admin
from tools.local.files import Taken, held
from tools.local.front import Front, in_order
from tools.local.gate import Gate
from tools.local.host_json import HostSettings, is_disabled, read_host_json
from tools.local.index import Function, NotIndexed, load
from tools.local.invoke import Invoker
from tools.local.keys import Keys, make_keys
from tools.local.queue_store import QueueStore, Store
from tools.local.queues import Queues
from tools.local.serving import end_with, listening, log_to_stderr, options, serve
from tools.local.timers import Status, Timer, wall_clock
from tools.local.webhook import Webhook

log = logging.getLogger("host")


class Host:
    """One function app, its queues and its timers."""

    def __init__(self, app: Path, state: Path, keys: Keys) -> None:
        self._state = state
        self._settings = read_host_json(app)
        log_to_stderr(os.environ.get("LOG_LEVEL", self._settings.log_level))
        functions, trouble = loaded(app)
        self._enabled = [one for one in functions if not is_disabled(one.name)]
        self._queues = Queues(store_of(state, self._settings), self._settings, time.time)
        self._invoker = Invoker(self._queues.put, self._settings.function_timeout, _overran, _threads())
        enabled = {one.name: one for one in self._enabled}
        self.front = Front(
            functions=in_order(self._enabled),
            prefix=self._settings.route_prefix,
            keys=keys,
            invoker=self._invoker,
            webhook=Webhook(enabled, self._invoker),
            admin=Admin({one.name: one for one in functions}, self._invoker, trouble),
            trouble=trouble,
            gate=Gate(self._settings.max_concurrent, self._settings.max_outstanding),
        )

    @property
    def settings(self) -> HostSettings:
        """What host.json says."""
        return self._settings

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Readers of queues and timers run inside."""
        await self._queues.free_all()
        status, clock = Status(self._state / "timers.json"), wall_clock()
        tasks = [
            asyncio.ensure_future(self._queues.read(one, self._invoker))
            for one in self._enabled
            if one.kind == "queueTrigger"
        ]
        tasks += [
            asyncio.ensure_future(Timer(one, status, clock).keep_going(self._invoker))
            for one in self._enabled
            if one.kind == "timerTrigger"
        ]
        for task in tasks:
            task.add_done_callback(_must_not_end)
        yield
        for task in tasks:
            task.cancel()


def store_of(state: Path, settings: HostSettings, environment: Mapping[str, str] = os.environ) -> Store:
    """Where queue messages are kept: in the account of AzureWebJobsStorage, without one in the state folder."""
    connection = environment.get("AzureWebJobsStorage", "")
    if not connection:
        return QueueStore(state / "queues.db")
    # Imported when it is chosen: half a second that a start on files need not wait for.
    from tools.local.queue_storage import StorageQueues

    return StorageQueues(connection, settings.message_encoding, settings.longest_wait)


def loaded(app: Path) -> tuple[Sequence[Function], str]:
    """The functions of `app`, or none and the reason, so that a person can ask the host what is wrong."""
    try:
        functions = load(app)
    except NotIndexed as error:
        trouble = str(error)
    except Exception:  # whatever the app's import raises is the app's, and must be shown
        trouble = traceback.format_exc()
    else:
        return functions, ""
    log.error("The function app in %s was not loaded:\n%s", app, trouble)
    return [], trouble


def _threads() -> int | None:
    wanted = os.environ.get("PYTHON_THREADPOOL_THREAD_COUNT", "")
    # What is no number above 0 leaves Python's default, as in the worker.
    return int(wanted) if wanted.isdigit() and int(wanted) else None


def _overran(name: str) -> None:
    log.critical("function %s ran over functionTimeout; the host ends, as the real worker does", name)
    logging.shutdown()
    os._exit(70)


def _must_not_end(task: asyncio.Future[None]) -> None:
    error = None if task.cancelled() else task.exception()
    if error is None:
        return
    log.critical("a part of the host ended: %r; the host ends and is started again", error)
    logging.shutdown()
    os._exit(70)


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGTERM."""
    parser = options("A local stand-in for the Azure Functions host.")
    parser.add_argument("--app", type=Path, default=Path(), help="the folder with function_app.py and host.json")
    given = parser.parse_args(arguments)
    end_with(given.parent)
    state = given.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with held(state / "host.lock"):
            where = listening(given.port, given.fd)
            host = Host(given.app.resolve(), state, make_keys(state))
            print(f"host: http://127.0.0.1:{where.getsockname()[1]}", flush=True)
            serve(host.front, host.running(), where)
    except Taken:
        sys.exit(f"Another host works on {state}. Stop it first; two would do everything twice.")


if __name__ == "__main__":
    main()
