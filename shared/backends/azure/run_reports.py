"""What a run of Azure ML tells about a job: its state in our words, its result, or why there is none."""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from shared.backends.azure import pipelines
from shared.ports import JobReport, JobStatus

ENDS: Mapping[str, JobStatus] = {"Completed": "completed", "Failed": "failed", "Canceled": "cancelled"}
"""Every other state goes on: NotStarted, Starting, Provisioning, Preparing, Queued, Running, Finalizing,
CancelRequested, NotResponding, and whatever the service names one day."""

RESULT, FAILURE = "outputs/result.json", "outputs/failure.json"
LOGS = ("user_logs/std_log.txt", "azureml-logs/70_driver_log.txt")
BUILD_LOGS = "azureml-logs/"
TAIL_LINES, TAIL = 12, 900
LONGEST_LOG = 1024 * 1024
Said = Mapping[str, Any]


def report(run: Any, state: Path) -> JobReport:
    """Say how a run stands; what it left is read only when it has ended."""
    status = ENDS.get(run.status, "running")
    if status == "running":
        return JobReport("running")
    names = run.get_file_names() if status != "cancelled" else []
    if status == "completed":
        return _completed(run, names, state)
    if FAILURE in names:
        told = _json(_content(run, FAILURE, state))
        advice = str(told.get("advice") or _whole_log(run))
        return JobReport("failed", _seconds(told), str(told.get("reason") or "the job failed"), advice)
    return _ended_by_the_service(run, status)


def report_of_pipeline(run: Any, state: Path) -> JobReport:
    """Say how the run of a published pipeline stands, which leaves a model and no result of ours."""
    status = ENDS.get(run.status, "running")
    if status == "running":
        return JobReport("running")
    if status != "completed":
        return _ended_by_the_service(run, status)
    told = pipelines.result(run, state)
    if told is None:
        advice = "let the pipeline write its model to ./outputs/model of one of its steps"
        return JobReport("failed", reason=f"the pipeline's run {run.id} left no outputs/model", advice=advice)
    return JobReport("completed", result=msgspec.json.encode(told).decode())


def log_of(run: Any) -> str:
    """Return what a run printed, of a long one the last megabyte; before it ran, what building its environment said."""
    places = run.get_details()["logFiles"]
    name = log_name(places)
    left_out, text = _end(places[name]) if name else (0, "")
    return f"(the first {left_out} bytes are left out)\n{text}" if left_out else text


def log_name(names: Iterable[str]) -> str:
    """Return which of the files of a run is the one people want to read; empty when there is none."""
    found = set(names)
    builds = sorted(name for name in found if name.startswith(BUILD_LOGS))
    return next((name for name in LOGS if name in found), builds[-1] if builds else "")


def _completed(run: Any, names: list[str], state: Path) -> JobReport:
    told = _json(_content(run, RESULT, state)) if RESULT in names else {}
    if told:
        return JobReport("completed", _seconds(told), result=msgspec.json.encode(told).decode())
    reason = f"the run {run.id} completed and left no {RESULT} that can be read"
    return JobReport("failed", reason=reason, advice=_whole_log(run))


def _ended_by_the_service(run: Any, status: JobStatus) -> JobReport:
    details = run.get_details()
    found = (details.get("error") or {}).get("error") or {}
    words = ": ".join(filter(None, [str(found.get("code") or ""), " ".join(str(found.get("message") or "").split())]))
    if status == "cancelled":
        reason = f"the run was cancelled: {words}" if words else "it was cancelled before it ended"
        return JobReport("cancelled", reason=reason, advice=_advice(run, words))
    places = details["logFiles"]
    log = log_name(places)
    tail = _tail(_end(places[log])[1]) if log else ""
    reason = f"Azure says {words or 'Failed, and no more'}" + (f"; {log} ends: {tail}" if tail else "")
    return JobReport("failed", reason=reason, advice=_advice(run, words))


def _advice(run: Any, words: str) -> str:
    """Say what to do about what the service said."""
    told = words.lower()
    for signs, advice in ADVICE:
        if any(sign in told for sign in signs):
            return advice
    return _whole_log(run)


ADVICE = (
    (("quota", "exceeding approved"), "ask for more quota in the portal (Usage + quotas), or name a smaller compute"),
    (
        ("computetarget", "compute target"),
        "make the compute target again (signalbox provision), or name another in [train] compute, then release again",
    ),
    (
        ("imagebuild", "image build", "environment"),
        "change the versions that the requirements ask for, or the base image, and push",
    ),
    (("maximum duration", "jobtimeout"), "make it faster, or give it more time in [train] max_hours, and push"),
)


def _whole_log(run: Any) -> str:
    release, _, rest = run.id.partition("-")
    return f"see its whole output: signalbox logs {release} {rest.rpartition('-')[0]}"


def _tail(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(lines[-TAIL_LINES:])[-TAIL:]


def _seconds(told: Said) -> float:
    seconds = told.get("seconds")
    return float(seconds) if isinstance(seconds, int | float) else 0.0


def _end(place: str) -> tuple[int, str]:
    """Return how many bytes of a log are left out, and the rest; a long one is never in memory as a whole."""
    import requests

    head = requests.head(place)
    head.raise_for_status()
    size = int(head.headers["content-length"])
    if not size:
        return 0, ""
    # One that grows meanwhile gives what it had.
    left_out = max(0, size - LONGEST_LOG)
    answer = requests.get(place, headers={"x-ms-range": f"bytes={left_out}-{size - 1}"})
    answer.raise_for_status()
    return left_out, answer.content.decode("utf-8", "replace")


def _content(run: Any, name: str, state: Path) -> bytes:
    """Return the bytes of one file of a run."""
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=state) as folder:
        target = Path(folder, "file")
        run.download_file(name, str(target))
        return target.read_bytes() if target.exists() else b""


def _json(content: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except msgspec.DecodeError:
        return {}
