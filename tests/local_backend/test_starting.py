"""A service begins only once it is on record: one that nobody knows could never be stopped."""

import socket
import subprocess
import sys
from pathlib import Path

from stand_ins import until

from shared.backends.local import works
from shared.backends.local.processes import ROOT

# In place of an image's interpreter, one that tells that the service began; whoever lives holds the socket.
STARTER = """
import sys
from pathlib import Path
from shared.backends.local.layers import Unpacked
from shared.backends.local.starter import _listening, _spawn
folder = Path(sys.argv[1])
with _listening(folder) as listener:
    print(listener.getsockname()[1], flush=True)
    _spawn(folder, Unpacked(str(folder / "python"), {}, {}), listener)
"""


def started(folder: Path) -> tuple[int, int]:
    """Start a service in a process of its own; return its exit code and the port of the service."""
    python = folder / "python"
    python.write_text('#!/bin/sh\ntouch "$(dirname "$0")/began"\n')
    python.chmod(0o755)
    command = [sys.executable, "-c", STARTER, str(folder)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    return ended.returncode, int(ended.stdout)


def is_over(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False


def test_a_service_on_record_begins(tmp_path: Path) -> None:
    code, port = started(tmp_path)
    until(lambda: is_over(port))
    assert code == 0
    assert works.script_of(tmp_path) is not None
    assert (tmp_path / "began").exists()


def test_a_service_whose_starter_died_before_it_was_on_record_never_begins(tmp_path: Path) -> None:
    # A folder with something in it cannot be replaced by the record, and the starter dies of that.
    (tmp_path / "script.json" / "taken").mkdir(parents=True)
    code, port = started(tmp_path)
    until(lambda: is_over(port))
    assert code != 0
    assert not (tmp_path / "began").exists()
