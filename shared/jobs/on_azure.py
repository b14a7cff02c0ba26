"""What a run on Azure compute executes, in the folder that was submitted: code/, signalbox/ (this one) and job.json.

job.json is what a job's script reads (see signalbox_job/outcome.py), and for us beside it "data" (the blobs), "inputs"
(name to reference) and "seconds" (the deadline). Data and inputs are fetched, then `<kind>.py` runs as a child.
The run completes with outputs/result.json or fails with outputs/failure.json; outputs/environment.txt says in what.
"""

import json
import math
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from azure_run import blobs, child, earlier, frozen, live_model, registered, service_key
from signalbox_job.outcome import JobFailed, write_json

SCRIPT = {"try": "try_service"}
"""Kinds whose script has another name, as `try` is a word of the language."""
RESULT, FAILURE = "result.json", "failure.json"
LARGEST_ANSWER = 32 * 1024 * 1024
Told = dict[str, Any]


def main() -> int:
    """Do the job and return the exit code: the service calls every other than 0 a failure."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    folder, began = Path.cwd(), time.monotonic()
    told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    outputs = folder / "outputs"
    outputs.mkdir(exist_ok=True)
    listed = frozen.packages()
    (outputs / "environment.txt").write_text(listed, encoding="utf-8")
    try:
        run = prepare(folder, told)
        result = work(folder, told, service_key.surroundings(run, told)) | {"environment": frozen.digest(listed)}
    except JobFailed as no:
        seconds = round(time.monotonic() - began, 3)
        write_json(outputs / FAILURE, {"reason": no.reason, "advice": no.advice, "seconds": seconds})
        print(f"{told['name']} failed after {seconds:.1f} s: {no.reason}", flush=True)
        return 1
    write_json(outputs / RESULT, result)
    log_metrics(run, result)
    print(f"{told['name']} completed after {result['seconds']:.1f} s", flush=True)
    return 0


def prepare(folder: Path, told: Told) -> Any:
    """Fetch data and inputs, and return this run as the service knows it."""
    run = this_run()
    for name in ("code", "data", "inputs"):
        (folder / name).mkdir(exist_ok=True)
    blobs.fetch(told["data"], folder / "data")
    for name, reference in told["inputs"].items():
        kind, _, rest = reference.partition(":")
        target = folder / "inputs" / name
        if kind == "job":
            earlier.fetch(run, rest, target)
        elif kind == "image":
            live_model.describe(run, folder / "champion" / name, folder / "work" / name, target)
        elif kind == "version":
            registered.fetch(run, rest, folder / "work" / name, target)
        else:
            allowed = "job:<name>/<path>, image:<digest> or version:<name>:<number>"
            raise JobFailed(f"input {name} is {reference!r}", f"Inputs are {allowed}")
    return run


def this_run() -> Any:
    """Return the run we are, from what surrounds us."""
    from azureml.core import Run

    return Run.get_context(allow_offline=False)


def work(folder: Path, told: Told, beside: dict[str, str]) -> dict[str, Any]:
    """Run the script of this kind of job and return its result, or raise `JobFailed` with why there is none.

    `beside` is what it finds in its environment beside the little that every job finds there.
    """
    script = Path(__file__).resolve().parent / f"{SCRIPT.get(told['kind'], told['kind'])}.py"
    environment = child.surroundings(folder) | beside
    ended = child.run([sys.executable, "-u", str(script)], folder, environment, told["seconds"])
    if ended.code is None:
        advice = "Make it faster, or give it more minutes in signalbox.toml"
        raise JobFailed(f"{told['kind']} did not end within {told['seconds']} s", advice)
    result = answer(folder / "outputs" / RESULT)
    if ended.code == 0 and result is not None:
        return result | {"seconds": round(ended.seconds, 3)}
    (folder / "outputs" / RESULT).unlink(missing_ok=True)
    no = answer(folder / "outputs" / FAILURE) or {}
    whole = f"See its whole output: signalbox logs {told['release']} {told['step']}"
    raise JobFailed(str(no.get("reason") or how_it_ended(told["kind"], ended.code)), str(no.get("advice") or whole))


def how_it_ended(kind: str, code: int) -> str:
    """Say in a sentence how a script ended that left no word itself."""
    if code < 0:
        return f"{kind} was killed by {signal.Signals(-code).name}; too little memory is the usual reason"
    return f"{kind} ended with exit code {code} and without a result"


def answer(path: Path) -> dict[str, Any] | None:
    """Return the JSON object a script left; None for anything else, a link or a file that is too large for one."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    with os.fdopen(handle, "rb") as file:
        content = file.read(LARGEST_ANSWER + 1)
    try:
        found = json.loads(content) if len(content) <= LARGEST_ANSWER else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def log_metrics(run: Any, result: Told) -> None:
    """Log the numbers of a result and its lists of numbers, for people who look at the run; nothing decides by them."""
    from azureml.exceptions import AzureMLException
    from msrest.exceptions import ClientException
    from requests.exceptions import RequestException

    shown = {**result, **{f"label {name}": value for name, value in (result.get("labels") or {}).items()}}
    try:
        for name, value in shown.items():
            if is_number(value):
                run.log(name, value)
            elif isinstance(value, list) and value and all(is_number(each) for each in value):
                run.log_list(name, value)
        run.flush()
    except (AzureMLException, ClientException, RequestException) as error:
        print(f"the metrics could not be logged: {type(error).__name__}", flush=True)


def is_number(value: Any) -> bool:
    """Tell whether the service takes a value as a number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


if __name__ == "__main__":
    sys.exit(main())
