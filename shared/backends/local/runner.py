"""The process a job runs in: `python -m shared.backends.local.runner <state> <job name>`.

Its end is written first and told after: who hears the event finds the result.
"""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec

from shared.backends.local import scripts, trees, works
from shared.backends.local.durable import write_durably
from shared.backends.local.environments import Environment, ensure
from shared.backends.local.events import publish
from shared.backends.local.jobs import Assignment, end_event, read_assignment
from shared.backends.local.workspace import NEEDED_NO_MORE, clear, job_folder, prepare, write_job
from shared.errors import SignalboxError, StepFailed, Unavailable
from shared.ports import JobReport, JobSpec

SCRIPT = {"try": "try_service"}
"""Kinds whose script has another name, as `try` is a word of the language."""


class Cancelled(SignalboxError):
    """Somebody asked for the end of this job."""


def main(state: Path, name: str) -> None:
    """Do the job and say how it ended; there is no way out without a status."""
    folder = job_folder(state, name)
    signal.signal(signal.SIGTERM, _stop)
    works.enter(folder)
    capture_output(folder)
    assignment, began = read_assignment(folder), time.monotonic()
    ended: JobReport | None = None
    try:
        ended = _attempt(state, assignment, began)
    except Unavailable as error:
        # No answer is no failure: without a status it counts as lost, and is started again.
        print(f"{name} could not begin: {error}", flush=True)
        os._exit(os.EX_TEMPFAIL)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if ended is None:
            reason = f"the job could not be run: {type(sys.exception()).__name__}: {sys.exception()}"
            ended = JobReport("failed", time.monotonic() - began, reason, _whole_output(assignment.spec))
        write_durably(folder / "status.json", msgspec.json.encode(ended))
        print(f"{name} {ended.status} after {ended.seconds:.1f} s {ended.reason}", flush=True)
        clear(folder, NEEDED_NO_MORE)
        publish(end_event(assignment.spec, ended))


def capture_output(folder: Path) -> None:
    """Let all that this process and its children print go to the log; the one of an earlier try is kept."""
    log = folder / "log.txt"
    if log.exists():
        log.rename(folder / "log.1")
    handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(handle, 1)
    os.dup2(handle, 2)
    os.close(handle)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled("it was cancelled before it ended")


def _attempt(state: Path, assignment: Assignment, began: float) -> JobReport:
    try:
        return _work(state, assignment)
    except StepFailed as failure:
        return JobReport("failed", time.monotonic() - began, failure.reason, failure.advice)
    except Cancelled as cancelled:
        return JobReport("cancelled", time.monotonic() - began, str(cancelled))


def _work(state: Path, assignment: Assignment) -> JobReport:
    spec, tools = assignment.spec, Path(assignment.scripts)
    folder = prepare(state, spec)
    environment = ensure(state, folder / "code", spec.requirements, _say, tools / "requirements.in")
    write_job(folder, spec, environment)
    script = tools / f"{SCRIPT.get(spec.kind, spec.kind)}.py"
    command = [str(environment.python), "-u", str(script)]
    surroundings = scripts.clean_environment(folder, environment.python)
    return _conclude(folder, spec, environment, scripts.run(command, folder, surroundings, spec.seconds))


def _conclude(folder: Path, spec: JobSpec, environment: Environment, ended: scripts.Ended) -> JobReport:
    if ended.code is None:
        advice = "make it faster, or give it more minutes in signalbox.toml"
        return JobReport("failed", ended.seconds, f"{spec.kind} did not end within {spec.seconds} s", advice)
    result = _answer(folder / "outputs" / "result.json")
    if ended.code == 0 and result is not None:
        whole = result | {"environment": environment.lock, "seconds": round(ended.seconds, 3)}
        return JobReport("completed", ended.seconds, result=msgspec.json.encode(whole).decode())
    failure = _answer(folder / "outputs" / "failure.json") or {}
    reason = failure.get("reason") or _how_it_ended(spec, ended.code)
    return JobReport("failed", ended.seconds, str(reason), str(failure.get("advice") or _whole_output(spec)))


def _whole_output(spec: JobSpec) -> str:
    return f"see its whole output: signalbox logs {spec.release} {spec.step}"


def _how_it_ended(spec: JobSpec, code: int) -> str:
    if code < 0:
        return f"{spec.kind} was killed by {signal.Signals(-code).name}; too little memory is the usual reason"
    return f"{spec.kind} ended with exit code {code} and without a result"


def _answer(path: Path) -> dict[str, Any] | None:
    """Return the JSON object a script left; None when it left none."""
    try:
        return msgspec.json.decode(trees.read_answer(path) or b"", type=dict[str, Any])
    except msgspec.DecodeError:
        return None


def _say(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
