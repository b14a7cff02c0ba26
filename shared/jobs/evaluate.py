"""The evaluate job: the live model and the candidate, rescored on one frozen holdout through their own scoring files.

settings: files, target, holdout, seed, input, score, metric, min_gain.  inputs: model (folder), champion (descriptor).
result: {"metric", "direction", "rows", "candidate", "champion", "gain", "low", "high", "verdict", "resamples",
"undefined", "slices"}, and "champion_error" when the live model cannot score these rows.
Beside it, golden.json: up to 100 rows of the holdout with the candidate's answers, for the service to repeat.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from signalbox_job.bootstrap import RESAMPLES, gain_of, verdict_of
from signalbox_job.columns import plain_rows
from signalbox_job.holdout import Holdout, frozen_holdout
from signalbox_job.metrics import Metric, metric_named, predicted_values, true_values
from signalbox_job.outcome import Job, JobFailed, run_job, write_json
from signalbox_job.scoring import Model, Rows, candidate, champion, score_all

GOLDEN_ROWS = 100


def evaluate(job: Job) -> dict[str, Any]:
    """Score, compare, and say first, better, not better or inconclusive."""
    metric, holdout = metric_named(str(job.setting("metric", "rmse"))), frozen_holdout(job)
    model, live = candidate(job, holdout.order), champion(job, holdout.order)
    rows, truth = plain_rows(holdout.features, holdout.order), holdout.truth.tolist()
    true = true_values(metric, truth)
    answers = score_all(model, rows, holdout.order, job)
    ours = predicted_values(metric, truth, answers, model.who)
    write_golden(job, holdout, rows, answers)
    result: dict[str, Any] = {
        "metric": metric.name,
        "direction": metric.direction,
        "rows": len(rows),
        "candidate": value_of(metric, true, ours),
        "champion": None,
        "gain": None,
        "low": None,
        "high": None,
        "verdict": "first",
        "resamples": 0,
        "undefined": 0,
        "slices": [],
    }
    if live is not None:
        result |= compared(job, metric, true, ours, champion_answers(job, metric, live, holdout, rows, truth))
    told = "nothing is live to compare with" if live is None else f"live model {shown(result['champion'])}"
    print(
        f"{metric.name} {result['candidate']:.6g} on {len(rows)} held-out rows; {told}; {result['verdict']}", flush=True
    )
    return result


def champion_answers(
    job: Job, metric: Metric, live: Model, holdout: Holdout, rows: Rows, truth: Sequence[Any]
) -> np.ndarray | str:
    """Return the live model's predictions, or one sentence why it has none: its failure is not the candidate's."""
    try:
        return predicted_values(metric, truth, score_all(live, rows, holdout.order, job), live.who)
    except JobFailed as no:
        print(f"the live model cannot score these rows: {no.reason}", flush=True)
        return no.reason


def compared(job: Job, metric: Metric, true: np.ndarray, ours: np.ndarray, theirs: np.ndarray | str) -> dict[str, Any]:
    """Return what the comparison adds to the result."""
    if isinstance(theirs, str):
        return {"verdict": "inconclusive", "champion_error": theirs}
    found = gain_of(metric, true, ours, theirs, int(job.setting("seed", 7)))
    return {
        "champion": value_of(metric, true, theirs),
        "gain": found.gain,
        "low": found.low if math.isfinite(found.low) else None,
        "high": found.high if math.isfinite(found.high) else None,
        "verdict": verdict_of(found, float(job.setting("min_gain", 0.0))),
        "resamples": RESAMPLES,
        "undefined": found.undefined,
    }


def value_of(metric: Metric, true: np.ndarray, predicted: np.ndarray) -> float:
    """Return the metric of all rows, or raise `JobFailed` when it is undefined on them."""
    value = metric.point(true, predicted)
    if not math.isfinite(value):
        raise JobFailed(
            f"{metric.name} is undefined on the {len(true)} rows of the holdout",
            "Put more data, or choose another metric",
        )
    return value


def shown(value: float | None) -> str:
    """Return a value for a log."""
    return "cannot score" if value is None else f"{value:.6g}"


def write_golden(job: Job, holdout: Holdout, rows: Rows, answers: Sequence[Any]) -> None:
    """Draw rows by the seed and keep them with the candidate's answers in outputs/golden.json."""
    rng = np.random.default_rng(int(job.setting("seed", 7)))
    drawn = np.sort(rng.choice(len(rows), size=min(GOLDEN_ROWS, len(rows)), replace=False)).tolist()
    shape = str(job.setting("input", "records"))
    kept = [dict(zip(holdout.order, rows[at], strict=True)) if shape == "records" else rows[at] for at in drawn]
    golden = {
        "input": shape,
        "columns": list(holdout.order),
        "rows": kept,
        "predictions": [answers[at] for at in drawn],
    }
    write_json(job.outputs / "golden.json", golden)


if __name__ == "__main__":
    run_job(evaluate)
