"""The train job: runs the project's training script on the train part of the data, and on nothing else.

settings: files, target, holdout, seed; script ("train.py"), arguments.
result: {"rows", "holdout_rows", "model": {"digest", "files", "bytes"}, "labels", "script_seconds"}.
What the script prints or writes about its own quality is a label: nothing decides by it.
"""

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from signalbox_job.children import Ended, advice_after, blame, how_it_ended, run_child
from signalbox_job.columns import combine
from signalbox_job.holdout import holdout_rows, remove_data
from signalbox_job.outcome import Job, JobFailed, run_job
from signalbox_job.tables import read_tables

ARGUMENTS = ("--data", "{data}", "--output", "{output}", "--seed", "{seed}")
MOST_LABELS = 50
LABELS_FILE = "metrics.json"


def train(job: Job) -> dict[str, Any]:
    """Split the holdout off, run the script, and weigh the model it wrote."""
    data, output = job.outputs.parent / "work" / "train-data", job.outputs / "model"
    rows, held = split_off(job, data)
    output.mkdir(parents=True, exist_ok=True)
    ended = run_script(job, data, output)
    script = job.setting("script", "train.py")
    if ended.code != 0:
        fault, how = blame(ended, job.code), how_it_ended(ended.code)
        said = "" if fault == how else f": {fault}"
        raise JobFailed(
            f"{script} failed ({how}) after {ended.seconds:.1f} s{said}",
            advice_after(fault, f"Correct it and push; whole log: signalbox logs {job.release} train"),
        )
    return {
        "rows": rows,
        "holdout_rows": held,
        "model": model_of(output, script),
        "labels": labels_of(output),
        "script_seconds": round(ended.seconds, 3),
    }


def split_off(job: Job, folder: Path) -> tuple[int, int]:
    """Write the train part to `folder` under the files' own names and remove all else; return rows of each side."""
    tables = read_tables(job)
    frame = combine(tables)
    held, start = holdout_rows(tables, frame, job), 0
    for table in tables:
        kept = ~held[start : start + len(table.frame)]
        start += len(table.frame)
        if kept.any():
            table.write(kept, folder / table.name)
    remove_data(job)
    count = int(held.sum())
    print(f"{len(frame) - count} rows to train on, {count} held out", flush=True)
    return len(frame) - count, count


def run_script(job: Job, data: Path, output: Path) -> Ended:
    """Run the project's script in the code folder; places in its arguments are filled in."""
    script, seed = str(job.setting("script", "train.py")), str(job.setting("seed", 7))
    if not (job.code / script).is_file():
        raise JobFailed(f"The training script {script} is not in the commit", "Commit it, or correct script in [train]")
    arguments = [
        str(argument).replace("{data}", str(data)).replace("{output}", str(output)).replace("{seed}", seed)
        for argument in job.setting("arguments", ARGUMENTS)
    ]
    told = {
        "SIGNALBOX_DATA": str(data),
        "SIGNALBOX_OUTPUT": str(output),
        "SIGNALBOX_SEED": seed,
        "PYTHONHASHSEED": str(int(seed) % 2**32),
    }
    return run_child([job.python, script, *arguments], job.code, told)


def model_of(output: Path, script: str) -> dict[str, Any]:
    """Weigh the model: its digest is SHA-256 over the sorted lines `<path>\\0<sha256 of the file>\\n`."""
    files = [path for path in sorted(output.rglob("*")) if not path.is_dir() or path.is_symlink()]
    links = [path for path in files if path.is_symlink()]
    if links:
        raise JobFailed(
            f"{script} wrote {links[0].relative_to(output).as_posix()} as a link", "Write the file itself into --output"
        )
    if not [path for path in files if path.relative_to(output).as_posix() != LABELS_FILE]:
        raise JobFailed(
            f"{script} ended well but wrote no model into --output",
            "Write at least one file into the folder that --output (or SIGNALBOX_OUTPUT) names, and push",
        )
    lines, size = [], 0
    for path in files:
        content = path.read_bytes()
        size += len(content)
        lines.append(f"{path.relative_to(output).as_posix()}\0{hashlib.sha256(content).hexdigest()}\n")
    digest = "sha256:" + hashlib.sha256("".join(sorted(lines)).encode()).hexdigest()
    return {"digest": digest, "files": len(files), "bytes": size}


def labels_of(output: Path) -> dict[str, Any]:
    """Return the plain values of the script's metrics.json; one that cannot be read is only worth a line in the log."""
    path = output / LABELS_FILE
    if not path.is_file():
        return {}
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        print(f"warning: {LABELS_FILE} is not JSON and is ignored: {fault}", flush=True)
        return {}
    pairs: Sequence[tuple[str, Any]] = list(told.items())[:MOST_LABELS] if isinstance(told, dict) else []
    return {key: plain_label(value) for key, value in pairs if isinstance(value, (str, bool, int, float))}


def plain_label(value: Any) -> Any:
    """Return the value as strict JSON can carry it."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


if __name__ == "__main__":
    run_job(train)
