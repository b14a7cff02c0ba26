"""One call for all who want the same at the same time."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Flight(Generic[T]):
    """Lets the first caller make something while the others wait for what comes of it, be it an error.

    A lock would let them try one after the other, so that the last of many waits many times the bound of one call.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way: Future[T] | None = None

    def join(self, make: Callable[[], T]) -> T:
        """Return what `make` returns, or what the call that is under way returns; raise what it raises."""
        with self._lock:
            is_first = self._under_way is None
            flight: Future[T] = self._under_way or Future()
            self._under_way = flight
        if is_first:
            try:
                flight.set_result(make())
            except BaseException as error:
                flight.set_exception(error)
                raise
            finally:
                with self._lock:
                    self._under_way = None
        return flight.result()
