"""The order in which an app is looked at: what needs nobody first, then what it must reach."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from shared.settings import TABLE
from tools.doctor import blueprints, configured, hosted
from tools.doctor.finding import Finding
from tools.doctor.given import Given, shape

REPOSITORY = Path(__file__).resolve().parents[2]
SECONDS = 120
"""All that is reached, together; each is asked for less."""


def examine(given: Given, house: Path = REPOSITORY, online: bool = True) -> Iterator[Finding]:
    """Yield every finding about an app with these settings."""
    yield from hosted.examine(house)
    yield from blueprints.examine(house)
    settings = [*shape(given), *configured.examine(given)]
    yield from settings
    if not online:
        yield Finding("reach", "nothing was asked over the network")
    elif all(one.ok for one in settings):
        yield from reached(given)
    else:
        yield Finding("reach", "nothing was asked: the settings above are wrong", "mend them, then run this again")


def reached(given: Given) -> Iterator[Finding]:
    """Yield what a process with exactly these settings can reach."""
    others = {name: value for name, value in os.environ.items() if name not in TABLE}
    seen = {name: value for name, value in given.values.items() if not given.is_hidden(name)}
    hidden = [name for name in given.values if given.is_hidden(name) and name in TABLE]
    if hidden:
        what = f"nothing was asked: {', '.join(hidden)} cannot be read from a key vault here"
        yield Finding("reach", what)
        return
    command = [sys.executable, "-m", "tools.doctor.reached", given.app, given.group]
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=others | seen, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as asking:
        try:
            told, said = asking.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired:
            asking.kill()
            told, said = asking.communicate()[0], f"it did not end in {SECONDS} s"
    yield from (Finding(**json.loads(line)) for line in told.splitlines())
    if asking.returncode:
        lines = said.strip().splitlines()
        yield Finding("reach", f"the look ended early: {lines[-1] if lines else 'no reason'}", "report it, with --json")
