"""An event loop in which nothing happens by itself: what runs next is chosen outside of it, by a seed."""

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any


class StillLoop(asyncio.AbstractEventLoop):
    """Real tasks, futures and locks without a clock, a selector or a thread; `drain` runs what is ready, in order."""

    def __init__(self) -> None:
        self._ready: deque[tuple[Context | None, Callable[..., Any], tuple[Any, ...]]] = deque()

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> None:  # type: ignore[override]
        """Keep a callback until the next `drain`."""
        self._ready.append((context, callback, args))

    def time(self) -> float:
        """Return that no time passes while anything runs."""
        return 0.0

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Keep nothing: no bound on a handler is ever reached, for what is late is an answer that never comes."""
        return asyncio.Handle(callback, args, self, context)

    def drain(self) -> None:
        """Run what is ready, and what becomes ready by that."""
        ready = self._ready
        while ready:
            context, callback, args = ready.popleft()
            if context is None:
                callback(*args)
            else:
                context.run(callback, *args)

    def create_future(self) -> "asyncio.Future[Any]":
        """Return a future that is resolved by whoever chooses."""
        return asyncio.Future(loop=self)

    def create_task(self, coro: Coroutine[Any, Any, Any], **named: Any) -> "asyncio.Task[Any]":  # type: ignore[override]
        """Return a real task; it begins with the next `drain`."""
        return asyncio.Task(coro, loop=self, **named)

    def get_debug(self) -> bool:
        """Return that nothing is traced."""
        return False

    def is_running(self) -> bool:
        """Return that it runs: it is only ever asked from inside."""
        return True

    def is_closed(self) -> bool:
        """Return that it can be used."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Drop what is said of tasks that died with their process: that is what they are to do."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Be the running loop, as asyncio's own parts ask for it."""
        before = events._get_running_loop()
        events._set_running_loop(self)
        try:
            yield
        finally:
            events._set_running_loop(before)
