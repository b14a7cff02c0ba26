"""What a job is told and how it ends.

A job runs with the job folder as working directory and reads `job.json` there.
It ends with `outputs/result.json` and exit code 0, or with `outputs/failure.json` and exit code 1.
A fault of ours leaves neither: its traceback is in the log.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class JobFailed(Exception):
    """The work said no: `reason` is one sentence, `advice` says what to do next."""

    def __init__(self, reason: str, advice: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.advice = advice


@dataclass(frozen=True)
class Job:
    """One job as `job.json` describes it; every path is absolute."""

    name: str
    kind: str
    project: str
    release: str
    step: str
    settings: Mapping[str, Any]
    code: Path
    data: Path
    outputs: Path
    inputs: Mapping[str, Path]
    python: str
    """Interpreter of the project's environment."""

    def setting(self, name: str, default: Any) -> Any:
        """Return a setting; null and a missing one are the default."""
        value = self.settings.get(name)
        return default if value is None else value

    def input(self, name: str) -> Path:
        """Return the path of a named input, or raise `JobFailed` when the job was given none."""
        path = self.inputs.get(name)
        if path is None or not path.exists():
            raise JobFailed(
                f'The {self.kind} job {self.name} was given no "{name}"',
                f"The step before it has to leave one; see the log of that step of release {self.release}",
            )
        return path


def read_job(folder: Path) -> Job:
    """Read `job.json` in `folder`; paths in it may be relative to the folder."""
    told = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    paths = told["paths"]

    def absolute(path: str) -> Path:
        return (folder / path).resolve()

    return Job(
        name=told["name"],
        kind=told["kind"],
        project=told["project"],
        release=told["release"],
        step=told["step"],
        settings=told.get("settings") or {},
        code=absolute(paths["code"]),
        data=absolute(paths["data"]),
        outputs=absolute(paths["outputs"]),
        inputs={name: absolute(path) for name, path in (paths.get("inputs") or {}).items()},
        python=told.get("python") or sys.executable,
    )


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON (no NaN) in one piece: a reader sees all of it or none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(path.name + ".part")
    unfinished.write_text(json.dumps(content, allow_nan=False, ensure_ascii=False, indent=1), encoding="utf-8")
    unfinished.replace(path)


def run_job(work: Callable[[Job], Mapping[str, Any]]) -> None:
    """Do the work of the job in the working directory and exit with 0, or with 1 when it said no."""
    # Windows and C locales would otherwise break on the first accent a project prints.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]
    job = read_job(Path.cwd())
    try:
        result = work(job)
    except JobFailed as no:
        write_json(job.outputs / "failure.json", {"reason": no.reason, "advice": no.advice})
        print(f"{job.kind} failed: {no.reason}\n{no.advice}".rstrip(), flush=True)
        sys.exit(1)
    write_json(job.outputs / "result.json", result)
    sys.exit(0)
