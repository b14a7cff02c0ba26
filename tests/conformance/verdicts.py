"""Asks both judges, and says of each case whether they agree."""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.calls import CALLS, OF_OUR_APP
from tests.conformance.definitions import GOOD, REFUSED
from tests.conformance.interpreter import HOUSE, workers_python

# What the app is given of the environment: nothing of this machine, so that both see the same.
PLAIN = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
OURS, CALLED = "the function app of this repository", "the app of the invocations"


@dataclass(frozen=True)
class Case:
    """What the worker and the host said of one app or invocation."""

    name: str
    worker: Any
    host: Any
    is_app: bool

    @property
    def agree(self) -> bool:
        """Whether it was the same; why an app is refused is told in each one's own words."""
        return _without_reason(self.worker) == _without_reason(self.host)


def cases(folder: Path) -> Sequence[Case]:
    """All cases, judged by both; apps are written below `folder`. Raises NoPython313."""
    jobs = [job(folder, name, source) for name, source in {**GOOD, **REFUSED}.items()] + _called(folder)
    worker, host = asked(jobs)
    definitions = compared(worker, host)
    calls = [
        Case(call, worker[app]["calls"][call], host[app].get("calls", {}).get(call), is_app=False)
        for app in (CALLED, OURS)
        for call in worker[app].get("calls", {})
    ]
    return [*definitions, *calls]


def asked(jobs: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """What the worker and the host say of each job, by its name. Raises NoPython313."""
    text = json.dumps(jobs)
    judges = [_judge(str(workers_python()), "by_worker"), _judge(sys.executable, "by_host")]
    return [_verdicts(judge, text) for judge in judges]


def compared(worker: Mapping[str, Any], host: Mapping[str, Any]) -> list[Case]:
    """The apps of the verdicts, one case each."""
    return [Case(name, _indexed(worker[name]), _indexed(host[name]), is_app=True) for name in worker]


def job(folder: Path, name: str, source: str, calls: Sequence[Any] = ()) -> Mapping[str, Any]:
    """One app, written to a folder of its own, and what its functions are called with."""
    place = Path(tempfile.mkdtemp(dir=folder))
    (place / "function_app.py").write_text(source)
    return {"name": name, "folder": str(place), "settings": {}, "calls": list(calls)}


def _called(folder: Path) -> list[Mapping[str, Any]]:
    source = (Path(__file__).parent / "called_app.py").read_text()
    ours = {"name": OURS, "folder": str(HOUSE), "settings": {}, "calls": OF_OUR_APP}
    return [job(folder, CALLED, source, CALLS), ours]


def _judge(python: str, module: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [python, "-m", f"tests.conformance.{module}"],
        cwd=HOUSE, env=PLAIN, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def _verdicts(judge: "subprocess.Popen[str]", jobs: str) -> Mapping[str, Any]:
    told, said = judge.communicate(jobs, timeout=100)
    if judge.returncode:
        raise RuntimeError(f"{judge.args} ended with {judge.returncode}:\n{said[-4000:]}")
    return dict(json.loads(told))


def _indexed(verdict: Mapping[str, Any]) -> Any:
    if "refused" in verdict:
        return {"refused": verdict["refused"]}
    return {"functions": {name: _sorted(bindings) for name, bindings in verdict["functions"].items()}}


def _sorted(bindings: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    # Which account a queue is in is nothing to the worker, and the local host has one.
    plain = [{key: one for key, one in binding.items() if key != "connection"} for binding in bindings]
    return sorted(plain, key=lambda one: (one["direction"], one["name"]))


def _without_reason(verdict: Any) -> Any:
    return "refused" if isinstance(verdict, dict) and "refused" in verdict else verdict
