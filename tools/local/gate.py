"""How many HTTP requests are worked on at once, and how many may wait: host.json, extensions.http."""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from types import TracebackType


class Full(Exception):
    """No more requests may wait; the caller gets 429."""


class Gate:
    """Entered by each request; None lets any number in."""

    def __init__(self, most_at_once: int | None = None, most_outstanding: int | None = None) -> None:
        self._turns: AbstractAsyncContextManager[object] = (
            nullcontext() if most_at_once is None else asyncio.Semaphore(most_at_once)
        )
        self._most = most_outstanding
        self._outstanding = 0

    async def __aenter__(self) -> None:
        """Wait for a turn; raises Full."""
        if self._most is not None and self._outstanding >= self._most:
            raise Full
        self._outstanding += 1
        try:
            await self._turns.__aenter__()
        except BaseException:
            self._outstanding -= 1
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the turn to the next."""
        self._outstanding -= 1
        await self._turns.__aexit__(kind, error, trace)
