"""The packed app on Microsoft's worker, from the unzipped folder, beside the same app on our local host.

The worker's process sees the unzipped folder, what requirements.txt gives on Python 3.13, and the worker itself: what
the package lacks is not found in the repository instead.
"""

import asyncio
import itertools
import json
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from shared.backends.local.ledger import SqliteLedger
from shared.release import chain
from tests.conformance.interpreter import HOUSE, LOCK, UV, found, python_of
from tests.conformance.verdicts import PLAIN
from tools.package.ground import HEALTH, Ground

APP, IN_AZURE = "the packed app", "the packed app with the settings of Azure"
DEPLOYED = HOUSE / ".venv/deployed"
WORKER = HOUSE / ".venv/worker"
# Azure brings these itself: they are no part of requirements.txt.
OF_AZURE = ("azure-functions-runtime", "azurefunctions-extensions-base")
JUDGE = ("by_worker.py", "wire.py")
# As a program reads it, and as a page shows it.
MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?\+00:00| \d\d:\d\d(:\d\d)?)")
# The secret of a form holds when it ends.
FORM = re.compile(r"\bsf1\.[\w.-]+")
SECONDS = re.compile(r"\b\d{10}\b")
NEVER = datetime.max.replace(tzinfo=UTC)
SHOWN = 400
"""Characters of an answer that are shown where two differ."""
LONGEST = 100.0
"""Seconds that all calls may take."""


class Different(Exception):
    """The worker and the local host do not say the same; the message tells every difference."""


@dataclass(frozen=True)
class Judged:
    """What the worker said of the packed app, held equal to what the local host said."""

    functions: tuple[str, ...]
    calls: int
    facts: int


def deployed_python(app: Path) -> Path:
    """The Python 3.13 that holds what the requirements.txt of the package gives; raises NoPython313."""
    return python_of(app / "requirements.txt", DEPLOYED)


def workers_packages() -> Path:
    """The folder that holds the worker and nothing that an app is given."""
    blocks = re.findall(r"^\S.*?(?=^\S|\Z)", LOCK.read_text(), re.M | re.S)
    wanted = "".join(block for block in blocks if block.split("==")[0] in OF_AZURE)
    listed = WORKER / "requirements.txt"
    if not listed.exists() or listed.read_text() != wanted:
        shutil.rmtree(WORKER, ignore_errors=True)
        WORKER.mkdir(parents=True)
        (draft := WORKER / "wanted.txt").write_text(wanted)
        options = ["--quiet", "--no-deps", "--require-hashes", "--compile-bytecode", "--target", str(WORKER)]
        subprocess.run([UV, "pip", "install", *options, "--python", found(), "-r", draft], check=True, cwd=HOUSE)
        draft.rename(listed)
    return WORKER


def judged(app: Path, ground: Ground, folder: Path) -> Judged:
    """Call the packed app on the worker and on the local host; raises Different."""
    began = datetime.now(UTC)
    states = [Path(shutil.copytree(ground.state, folder / name)) for name in ("by_worker", "by_host")]
    judges = [_worker(app, folder), _host()]
    started = [_started(judge, _jobs(app, ground, state)) for judge, state in zip(judges, states, strict=True)]
    worker, host = (_verdicts(judge, str(state), began) for judge, state in zip(started, states, strict=True))
    differences = [*_facts_that_differ(*states, began)]
    for name in (APP, IN_AZURE):
        differences += [f"{name}: {one}" for one in _differences(worker[name], host[name])]
    if differences:
        raise Different("\n".join(differences))
    calls = sum(len(one["calls"]) for one in worker.values())
    return Judged(tuple(worker[APP]["functions"]), calls, sum(map(len, _facts(states[0], began).values())))


def _jobs(app: Path, ground: Ground, state: Path) -> str:
    """The app over a state folder with every call; and with the settings of Azure, where it is only built."""
    health = [call for call in ground.calls if call["name"] == HEALTH]
    jobs = ((APP, ground.settings(state), ground.calls), (IN_AZURE, ground.settings_of_azure(state), health))
    return json.dumps(
        [{"name": name, "folder": str(app), "settings": its, "calls": calls} for name, its, calls in jobs]
    )


def cold_start(app: Path, folder: Path, times: int = 5) -> float:
    """Seconds from the start of the worker's process to all functions being indexed, the median of several.

    The app's own modules are compiled each time, as where a package is mounted to be read only.
    """
    job = json.dumps([{"name": APP, "folder": str(app), "settings": {}, "calls": []}])
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        _verdicts(_started(_worker(app, folder), job))
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


IMPORTS = """
import importlib, json, sys
for name in json.load(sys.stdin):
    whole, _, last = name.rpartition(".")
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        # The last part may be a name within the module before it.
        if error.name != name or not hasattr(importlib.import_module(whole), last):
            sys.exit(f"{name}: {error}")
"""


def importable(app: Path, modules: Sequence[str]) -> None:
    """Import what the app imports, lazily too, with what requirements.txt gives it on Python 3.13; raises Different.

    `modules` is in the order of the imports: some packages can only be entered by their front door.
    """
    judge = Judge([deployed_python(app), "-I", "-c", IMPORTS], app, {**PLAIN, "HOME": str(app)})
    started = _started(judge, json.dumps(list(modules)))
    _, said = started.communicate(timeout=LONGEST)
    if started.returncode:
        raise Different(f"What the app imports cannot be imported on Python 3.13:\n{said.strip()[-2000:]}")


@dataclass(frozen=True)
class Judge:
    """A process that judges: its command, where it runs, and all that it sees of the environment."""

    command: Sequence[str | Path]
    folder: Path
    environment: Mapping[str, str]


def _worker(app: Path, folder: Path) -> Judge:
    # Only the two files of the judge, so that nothing else of the repository can be imported.
    place = folder / "judge"
    (place / "tests/conformance").mkdir(parents=True, exist_ok=True)
    for name in JUDGE:
        shutil.copy(HOUSE / "tests/conformance" / name, place / "tests/conformance" / name)
    seen = {"PYTHONPATH": str(workers_packages()), "PYTHONDONTWRITEBYTECODE": "1"}
    return Judge([deployed_python(app), "-m", "tests.conformance.by_worker"], place, {**PLAIN, **seen})


def _host() -> Judge:
    return Judge([sys.executable, "-m", "tests.conformance.by_host"], HOUSE, PLAIN)


def _started(judge: Judge, jobs: str) -> "subprocess.Popen[str]":
    started = subprocess.Popen(
        list(judge.command), cwd=judge.folder, env=dict(judge.environment), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert started.stdin is not None
    started.stdin.write(jobs)
    started.stdin.close()
    started.stdin = None
    return started


def _verdicts(judge: "subprocess.Popen[str]", state: str = "", began: datetime = NEVER) -> Mapping[str, Any]:
    told, said = judge.communicate(timeout=LONGEST)
    if judge.returncode:
        raise Different(f"{' '.join(map(str, judge.args))} ended with {judge.returncode}:\n{said[-4000:]}")
    # Where the state is kept, and when the calls were made, is all that the two are not told alike.
    text = FORM.sub("FORM", told.replace(state, "STATE") if state else told)
    return dict(json.loads(MOMENT.sub(lambda found: _timeless(found[0], began), text)))


def _timeless(moment: str, began: datetime) -> str:
    told = datetime.fromisoformat(moment)
    if told.tzinfo is None:
        # A page tells the second, or the minute, in UTC.
        told = told.replace(tzinfo=UTC, second=told.second if moment.count(":") > 1 else 59)
    return "NOW" if told >= began.replace(microsecond=0) else moment


def _differences(worker: Mapping[str, Any], host: Mapping[str, Any]) -> list[str]:
    if "refused" in worker or "refused" in host:
        return [f"worker: {worker.get('refused', 'taken')}; local host: {host.get('refused', 'taken')}"]
    theirs, ours = _bindings(worker), _bindings(host)
    told = _whole(worker) + [f"bindings of {name}: worker {theirs.get(name)}, local host {ours.get(name)}"
            for name in sorted({*theirs, *ours}) if theirs.get(name) != ours.get(name)]  # fmt: skip
    for name in worker["calls"]:
        answer, other = _sorted(worker["calls"][name]), _sorted(host["calls"][name])
        if answer != other:
            told.append(f"{name}:\n  {_apart(answer, other)}")
    return told


def _sorted(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """The answer, with the rows of what came in sorted: those of one millisecond stand in the order of recording."""
    body = (answer.get("returned") or {}).get("body", "")
    if not body.startswith('{"events": ['):
        return answer
    rows = sorted(json.dumps(row, sort_keys=True) for row in json.loads(body)["events"])
    return {**answer, "returned": {**answer["returned"], "body": rows}}


def _bindings(verdict: Mapping[str, Any]) -> Mapping[str, Any]:
    # Which account a queue is in is nothing to the worker, and the local host has one.
    plain = {
        name: [{key: one for key, one in binding.items() if key != "connection"} for binding in bindings]
        for name, bindings in verdict["functions"].items()
    }
    return {name: sorted(rows, key=lambda one: (one["direction"], one["name"])) for name, rows in plain.items()}


def _apart(worker: Any, host: Any) -> str:
    """Both answers, from shortly before where they part."""
    theirs, ours = json.dumps(worker), json.dumps(host)
    same = next((at for at, (one, other) in enumerate(zip(theirs, ours, strict=False)) if one != other), 0)
    start = max(0, same - SHOWN // 2)
    lead = "..." if start else ""
    return f"worker     {lead}{theirs[start : start + SHOWN]}\n  local host {lead}{ours[start : start + SHOWN]}"


def _whole(worker: Mapping[str, Any]) -> list[str]:
    """What the app itself says is not whole: a blueprint that did not load, a setting that is wrong."""
    answer = worker["calls"][HEALTH]
    if "returned" not in answer:
        return [f"the app cannot say whether it is whole: {answer.get('failed')}"]
    body = json.loads(answer["returned"]["body"])
    failed = [f"{name} did not load: {error}" for name, error in body["failed"].items()]
    return failed + [f"the settings of this trial are wrong: {one}" for one in body["settings"]]


def _facts_that_differ(worker: Path, host: Path, began: datetime) -> list[str]:
    theirs, ours = _facts(worker, began), _facts(host, began)
    return [
        f"facts of {name}:\n  {_apart(first, second)}"
        for name in sorted({*theirs, *ours})
        for first, second in itertools.zip_longest(theirs.get(name, []), ours.get(name, []))
        if first != second
    ]


def _facts(state: Path, began: datetime) -> Mapping[str, list[str]]:
    """Every fact of every stream, without the times of the calls; the chain of each is verified."""
    ledger, start = SqliteLedger(state), int(began.timestamp())

    async def read() -> Mapping[str, list[str]]:
        streams = await ledger.streams("")
        return {name: [repr(fact) for fact in chain.decode(name, await ledger.read(name)).facts] for name in streams}

    def timeless(fact: str) -> str:
        return SECONDS.sub(lambda found: "NOW" if int(found[0]) >= start else found[0], fact)

    return {name: [timeless(fact) for fact in facts] for name, facts in asyncio.run(read()).items()}
