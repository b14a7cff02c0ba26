"""What Azure's SDKs print reaches nobody: standard output is what a command shows to people."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast


class Hush:
    """Standard output while guarded calls run: what they print is dropped, all else goes where it did."""

    def __init__(self, is_guarded: Callable[[], bool]) -> None:
        """`is_guarded` says whether a guarded call runs where it is asked."""
        self._is_guarded = is_guarded
        self._lock = threading.Lock()
        self._inside = 0
        self._real: TextIO | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def write(self, text: str) -> int:
        """Write unless a guarded call does."""
        if not self._is_guarded() and self._real is not None:
            return self._real.write(text)
        return len(text)

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._real, sys.stdout = sys.stdout, cast("TextIO", self)
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if self._inside == 0 and sys.stdout is cast("TextIO", self):
                    sys.stdout = cast("TextIO", self._real)
