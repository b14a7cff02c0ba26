"""Beside the app: who is told of releases may answer never, and nothing else may wait for that."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from shared.errors import Unavailable

_T = TypeVar("_T")

SECONDS = 10.0
"""How long one is waited for in all, however slowly it goes on answering."""
THREADS = 2


class Beside:
    """Runs what waits for others in threads of their own, a few for each of them, and waits so long and no longer.

    One that never answers keeps its threads, so that later calls to it end unheard, and those to others go on.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._threads: dict[str, ThreadPoolExecutor] = {}

    async def run(self, named: str, call: Callable[[], _T]) -> _T:
        """Return what the call to this one returns; `Unavailable` when it is not done in time."""
        if named not in self._threads:
            self._threads[named] = ThreadPoolExecutor(THREADS, "telling")
        called = asyncio.get_running_loop().run_in_executor(self._threads[named], call)
        try:
            return await asyncio.wait_for(called, self._seconds)
        except TimeoutError:
            raise Unavailable(f"{named} did not answer within {self._seconds:g} s; it is told again") from None
