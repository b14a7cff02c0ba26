"""Scoring rows with a model through its own scoring file, in a child process with the model's own interpreter."""

import json
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .children import advice_after, blame, how_it_ended, run_child
from .outcome import Job, JobFailed

CHILD = Path(__file__).resolve().parent.parent / "scorer.py"
BATCH = 512
Rows = list[list[Any]]


@dataclass(frozen=True)
class Model:
    """A model and the scoring file that answers for it; `who` names it in sentences.

    `shape` is what run() gets, "records" or "rows"; `order` the features it was trained on.
    """

    who: str
    python: str
    path: tuple[str, ...]
    score: str
    model_dir: str
    shape: str
    order: tuple[str, ...]


def candidate(job: Job, order: tuple[str, ...]) -> Model:
    """Return the model of this release; `order` are the features of the data."""
    score = job.code / str(job.setting("score", "score.py"))
    if not score.is_file():
        raise JobFailed(f"The scoring file {score.name} is not in the commit", "Commit it, or correct [score]")
    shape = str(job.setting("input", "records"))
    return Model("the candidate", job.python, (), str(score), str(job.input("model")), shape, order)


def champion(job: Job, order: tuple[str, ...]) -> Model | None:
    """Return the model that is live, None when nothing is.

    Its descriptor names its interpreter and its layers, and the input schema it is served with.
    """
    if "champion" not in job.inputs:
        return None
    told = json.loads(job.input("champion").read_text(encoding="utf-8"))
    schema = Path(told.get("schema") or "")
    served = json.loads(schema.read_text(encoding="utf-8")) if schema.is_file() else {}
    shape = served.get("input") or str(job.setting("input", "records"))
    path, features = tuple(told["path"]), tuple(served.get("order") or order)
    return Model("the live model", told["python"], path, told["score"], told["model_dir"], shape, features)


def body(rows: Rows, order: Sequence[str], shape: str) -> str:
    """Return a request body on one line: `shape` "records" (objects by column) or "rows" (lists in training order)."""
    if shape not in ("records", "rows"):
        raise JobFailed(f'The input shape "{shape}" is unknown', 'Set input in [score] to "records" or "rows"')
    data: list[Any] = [dict(zip(order, row, strict=True)) for row in rows] if shape == "records" else rows
    return json.dumps({"data": data}, allow_nan=False)


def rows_for(model: Model, rows: Rows, order: Sequence[str]) -> Rows:
    """Return the rows with the features the model was trained on, in its order."""
    if tuple(order) == model.order:
        return rows
    missing = [name for name in model.order if name not in order]
    if missing:
        raise JobFailed(f'{model.who} needs the column "{missing[0]}" and the data has none', "Compare the two by hand")
    places = [list(order).index(name) for name in model.order]
    return [[row[place] for place in places] for row in rows]


def answers(model: Model, batches: Sequence[Rows], job: Job) -> list[list[Any]]:
    """Return one list of predictions a batch, one prediction a row: number, text or bool.

    The rows hold the model's features in its order.

    Raises `JobFailed` when the scoring file fails, or answers something else than one prediction a row.
    """
    with tempfile.TemporaryDirectory(dir=job.outputs.parent) as folder:
        asked, told, descriptor = Path(folder, "asked.jsonl"), Path(folder, "told.jsonl"), Path(folder, "model.json")
        asked.write_text("".join(body(rows, model.order, model.shape) + "\n" for rows in batches), encoding="utf-8")
        descriptor.write_text(json.dumps({"path": model.path, "score": model.score, "model_dir": model.model_dir}))
        extra = {"PYTHONPATH": os.pathsep.join(model.path)} if model.path else {}
        ended = run_child([model.python, str(CHILD), str(descriptor), str(asked), str(told)], Path(folder), extra)
        lines = _whole_lines(told)
    advice = f"Correct the scoring file and push; its whole output: signalbox logs {job.release} {job.step}"
    score = Path(model.score)
    if lines and isinstance(lines[-1], dict):
        raise JobFailed(f"{score.name} of {model.who}: {lines[-1]['refused']}", advice)
    if ended.code != 0:
        fault = blame(ended, _root(model, job))
        raise JobFailed(f"{score.name} of {model.who} failed: {fault}", advice_after(fault, advice))
    if len(lines) < len(batches):
        how = f"{how_it_ended(ended.code)}) after {len(lines)} of {len(batches)} requests"
        raise JobFailed(f"{score.name} of {model.who} ended its process ({how}", advice)
    for rows, answer in zip(batches, lines, strict=True):
        if len(answer) != len(rows):
            raise JobFailed(
                f"{score.name} of {model.who} answers {len(answer)} predictions for {len(rows)} rows", advice
            )
    return lines


def _whole_lines(told: Path) -> list[Any]:
    """Return the answers; a last line that was cut off as the child ended is no answer."""
    lines = told.read_text(encoding="utf-8").splitlines(keepends=True) if told.exists() else []
    return [json.loads(line) for line in lines if line.endswith("\n")]


def score_all(model: Model, rows: Rows, order: Sequence[str], job: Job) -> list[Any]:
    """Return one prediction a row, asked for in batches; the rows hold the features named by `order`."""
    fitting = rows_for(model, rows, order)
    batches = [fitting[start : start + BATCH] for start in range(0, len(fitting), BATCH)]
    return [value for answer in answers(model, batches, job) for value in answer]


def as_numbers(values: Sequence[Any], who: str) -> np.ndarray:
    """Return predictions as floats, shape (n,); `JobFailed` says how many are no finite number, and the first one."""
    texts = [row for row, value in enumerate(values) if isinstance(value, str)]
    advice = "Correct run() in the scoring file, or choose a metric that fits its answers, and push"
    if texts:
        raise JobFailed(
            f"{who} answers text for {len(texts)} of {len(values)} rows where a number is needed,"
            f" first {values[texts[0]]!r} for row {texts[0] + 1}",
            advice,
        )
    refuse_not_finite(values, who)
    return np.array(values, dtype=float)


def refuse_not_finite(values: Sequence[Any], who: str) -> None:
    """Raise `JobFailed` when a prediction is NaN or infinite."""
    bad = [row for row, value in enumerate(values) if isinstance(value, float) and not math.isfinite(value)]
    if bad:
        raise JobFailed(
            f"{who} answers {values[bad[0]]} for {len(bad)} of {len(values)} rows, first for row {bad[0] + 1}",
            "Find what makes the model answer this (missing values, a division by zero?), correct it and push",
        )


def _root(model: Model, job: Job) -> Path:
    return job.code if not model.path else Path(model.score).parent
