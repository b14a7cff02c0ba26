"""Files that are whole after a crash, and locks between processes that end with their holder."""

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from shared.errors import Unavailable

MANY_FILES = 500
"""Beyond this, one sync of the whole machine is faster than one for each file."""


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_durably(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace `path` by `content` so that after a crash it is the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(handle, mode)
            os.fsync(handle)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    sync_folder(path.parent)


def sync_tree(folder: Path) -> None:
    """Make every file below `folder` durable, and the names of them; what links lead to is left alone."""
    paths = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    if len(paths) > MANY_FILES:
        os.sync()
        return
    for path in (path for path in paths if not path.is_symlink()):
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    for parent, _, _ in os.walk(folder):
        sync_folder(Path(parent))


def take_lock(path: Path, seconds: float) -> int | None:
    """Lock `path` for this process and whoever inherits the descriptor; None when others hold it for `seconds`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                os.close(handle)
                raise
        if time.monotonic() >= deadline:
            os.close(handle)
            return None
        time.sleep(0.02)


@contextlib.contextmanager
def locked(path: Path, seconds: float = 60.0, waiting: Callable[[], None] | None = None) -> Iterator[None]:
    """Hold the lock at `path`; `Unavailable` when others hold it for `seconds`.

    `waiting` is called once when the lock is not free at once.
    """
    handle = take_lock(path, 0.0)
    if handle is None:
        if waiting is not None:
            waiting()
        handle = take_lock(path, seconds)
    if handle is None:
        raise Unavailable(f"{path.name} is in use by another process for more than {seconds:.0f} s; it is tried again")
    try:
        yield
    finally:
        os.close(handle)
