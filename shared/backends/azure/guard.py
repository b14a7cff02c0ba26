"""The one place where calls of Azure's SDKs are bounded, kept quiet, and their errors translated.

What this app asks decides what is asked again: reads `Scope.attempts` times, everything else once, because an answer
that was lost may have had its effect, and the caller looks before it asks again. So the SDKs' own retries never begin:
whatever they would repeat ends the call instead.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

from shared.backends.azure.fitting import prepare
from shared.backends.azure.hush import Hush
from shared.backends.azure.refusals import Refusal, refusal, translated
from shared.backends.azure.scope import Scope
from shared.errors import SignalboxError, Unavailable

T = TypeVar("T")

SDKS = {"azure", "azureml", "msal", "msrest", "msrestazure", "requests", "urllib3"}

CONNECT = 5.0
"""Seconds to reach a host that is up."""
REPEATED = {"GET", "HEAD"}
NOT_NOW = {408, 429, 500, 502, 503, 504, 530}
PAUSE = 0.3
"""Seconds before a read is asked again; more is for the one who asks the whole call again."""
AT_ONCE = 8
"""Calls at a time."""

METADATA = "169.254.169.254"
NO_IDENTITY = (
    "there is no managed identity here: switch it on for the app, "
    "or set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
)


class Unanswered(Unavailable):
    """Azure was asked and gave no answer: what was asked may or may not have happened."""


class Call:
    """One guarded call as a context: its bounds, what the service said last, and what becomes of an error."""

    def __init__(self, what: str, scope: Scope) -> None:
        self.what, self.scope = what, scope
        self.refused: Refusal | None = None
        """Set while the last answer was a refusal."""
        self.over: Unanswered | None = None
        """Set once there was no answer: nothing is asked any more, however often the SDK would."""

    def end(self, said: str) -> Unanswered:
        """Give the call up."""
        advice = f"; {NO_IDENTITY}" if METADATA in said else ""
        self.over = self.over or Unanswered(f"Azure could not be asked for {self.what}: {said}{advice}")
        return self.over

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> None:
        """Translate what the SDK raised, whatever its class: some of it raises bare `Exception`s."""
        _current.reset(self._token)
        if not isinstance(error, Exception) or isinstance(error, SignalboxError) or _is_ours(error, trace):
            return
        if self.over is not None:
            raise self.over from error
        raise translated(self.what, self.scope, error, self.refused) from error


def _is_ours(error: BaseException, trace: TracebackType | None) -> bool:
    """Say whether no SDK took part in an error: that is a mistake, and no answer of Azure's."""
    through = [type(error).__module__]
    while trace is not None:
        through.append(str(trace.tb_frame.f_globals.get("__name__")))
        trace = trace.tb_next
    return not any(module.partition(".")[0] in SDKS for module in through)


_current: ContextVar[Call | None] = ContextVar("call", default=None)


def given_up() -> Unanswered | None:
    """Return what ended the call that runs here: azure-identity turns it into an error of its own."""
    call = _current.get()
    return call.over if call else None


def _bounded(send: Callable[..., Any]) -> Callable[..., Any]:
    """Return `HTTPAdapter.send` as guarded calls need it; what others send passes as it is."""
    from requests.exceptions import RequestException
    from urllib3.util.retry import Retry

    def bounded(self: Any, request: Any, **options: Any) -> Any:
        call = _current.get()
        if call is None:
            return send(self, request, **options)
        self.max_retries = Retry(0, read=False)
        asked, until = options.get("timeout"), time.monotonic() + call.scope.timeout
        left = call.scope.attempts if request.method in REPEATED else 1
        while call.over is None:
            left -= 1
            options["timeout"] = _timeout(asked, until - time.monotonic())
            try:
                answer = send(self, request, **options)
                # The body belongs to the answer: a server that falls silent within it has not answered.
                _ = answer.content if not options.get("stream") else None
            except RequestException as error:
                said = f"{request.method} {_place(request.url)} had no answer in {call.scope.timeout:g} s"
                said = said if "timed out" in repr(error).lower() else f"{_place(request.url)}: {_reached(error)}"
            else:
                call.refused = refusal(request, answer) if answer.status_code >= 400 else None
                if answer.status_code not in NOT_NOW:
                    return answer
                said = str(call.refused)
            # Who was silent for the whole time is not asked again: whoever waits for us has waited long enough.
            if left < 1 or time.monotonic() + PAUSE >= until:
                call.end(said)
            else:
                time.sleep(PAUSE)
        raise call.over

    return bounded


def _timeout(asked: Any, ours: float) -> tuple[float, float]:
    connect, read = asked if isinstance(asked, tuple) else (asked, asked)
    bounds = [each if isinstance(each, int | float) else ours for each in (connect, read)]
    return min(bounds[0], ours, CONNECT), min(bounds[1], ours)


def _place(url: str) -> str:
    """Return host and path: the query may hold a signature."""
    return url.partition("?")[0].removeprefix("https://").replace("//", "/")


def _reached(error: Exception) -> str:
    """Return why a host was not reached, as the system says it."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        reason = getattr(inner, "reason", None) or (inner.args[0] if inner.args else None)
        inner = reason if isinstance(reason, BaseException) else inner.__cause__ or inner.__context__
    return type(error).__name__


_hushed = Hush(lambda: _current.get() is not None)


class Guard:
    """Runs calls of the SDKs in threads, bounded as the scope says."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="azure")

    async def do(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        """Run a call that blocks; `what` is what it asks for, in the words of a message."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.now, what, call, *arguments)

    def now(self, what: str, call: Callable[..., T], *arguments: Any) -> T:
        """`do` for callers that are in a thread of their own; one within another has bounds and words of its own.

        `Unanswered` without an answer, `Blocked` when whoever we are may not ask, `NotFound`, `Conflict`,
        `StepFailed` when the service says no.
        """
        prepare(self.scope, _bounded)
        with _hushed(), Call(what, self.scope):
            return call(*arguments)
