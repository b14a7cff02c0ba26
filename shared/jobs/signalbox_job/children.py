"""Child processes that run a project's own code: a clean environment, a captured error, a name for what went wrong."""

import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PASSED_ON = ("PATH", "HOME", "TMPDIR", "TMP", "TEMP", "LANG", "LC_ALL", "TZ", "OMP_NUM_THREADS", "SYSTEMROOT")
KEPT_LINES = 600
MISSING = re.compile(r"ModuleNotFoundError: No module named '(?P<module>\w+)")
FRAME = re.compile(r'^\s+File "(?P<file>[^"]+)", line (?P<line>\d+)')


@dataclass(frozen=True)
class Ended:
    """How a child ended: `code` as `subprocess` gives it (negative for a signal), `errors` the tail of its stderr."""

    code: int
    seconds: float
    errors: str


def run_child(arguments: Sequence[str], folder: Path, extra: Mapping[str, str]) -> Ended:
    """Run a child in `folder` to its end; its output goes to our log as it comes.

    Of our environment it sees only what a program needs to run, and `extra`.
    """
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"} | dict(extra)
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    sys.stdout.flush()
    began = time.monotonic()
    with subprocess.Popen(arguments, cwd=folder, env=environment, stderr=subprocess.PIPE) as child:
        assert child.stderr is not None
        for raw in child.stderr:
            line = raw.decode("utf-8", errors="replace")
            kept.append(line)
            sys.stderr.write(line)
            sys.stderr.flush()
    return Ended(child.returncode, time.monotonic() - began, "".join(kept))


def how_it_ended(code: int) -> str:
    """Say an exit code in words: `exit 3`, or the signal that ended it."""
    if code >= 0:
        return f"exit {code}"
    return f"killed by signal {-code}" + (", which is often a lack of memory" if code == -9 else "")


def blame(ended: Ended, root: Path) -> str:
    """Name what went wrong in a project's code: `KeyError: 'bmi' (train.py:18)`.

    The line is the last one of a file below `root` in the last traceback of the child.
    Without a traceback it is the last line the child wrote to stderr, or how it ended.
    """
    lines = ended.errors.splitlines()
    starts = [at for at, line in enumerate(lines) if line.startswith("Traceback (most recent call last)")]
    traced = lines[starts[-1] + 1 :] if starts else lines
    frames = [at for at, line in enumerate(traced) if FRAME.match(line)]
    if not frames:
        said = [line.strip() for line in lines if line.strip()]
        return shortened(said[-1]) if said else how_it_ended(ended.code)
    after = [line for line in traced[frames[-1] + 1 :] if line and not line[0].isspace()]
    message = shortened(after[0]) if after else how_it_ended(ended.code)
    places = [place for at in frames if (place := _place(traced[at], root))]
    return f"{message} ({places[-1]})" if places else message


def advice_after(fault: str, otherwise: str) -> str:
    """Say what to do about a fault that `blame` named: a module nobody has is a matter of requirements."""
    missing = MISSING.match(fault)
    if missing is None:
        return otherwise
    name = missing["module"]
    return f'Add the package that has "{name}" to the requirements of signalbox.toml, or commit the module, and push'


def shortened(text: str, most: int = 300) -> str:
    """Cut a sentence a program wrote to a length a page can show."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "…"


def _place(frame: str, root: Path) -> str:
    """Return `file:line` of a frame below `root`, empty for any other."""
    found = FRAME.match(frame)
    assert found is not None
    path = (root / found["file"]).resolve()
    inside = path.is_relative_to(root.resolve())
    return f"{path.relative_to(root.resolve()).as_posix()}:{found['line']}" if inside else ""
