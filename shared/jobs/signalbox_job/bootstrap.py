"""Is the candidate better? A paired bootstrap: both models are judged on the same resamples of the same rows.

Method: percentile interval, Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16.
"""

from dataclasses import dataclass

import numpy as np

from .metrics import Metric

RESAMPLES = 2000
CELLS_AT_ONCE = 2_000_000
LEVEL = 0.95


@dataclass(frozen=True)
class Gain:
    """How much better the candidate is, in units of the metric; positive is better whatever the direction.

    `low` and `high` bound the gain with 95 %; `undefined` resamples had no value for the metric and are left out.
    """

    gain: float
    low: float
    high: float
    undefined: int


def gain_of(
    metric: Metric,
    truth: np.ndarray,
    candidate: np.ndarray,
    champion: np.ndarray,
    seed: int,
    resamples: int = RESAMPLES,
) -> Gain:
    """Return the gain and its interval; all three arrays have shape (n,)."""
    sign = -1.0 if metric.direction == "lower" else 1.0
    observed = sign * (metric.point(truth, candidate) - metric.point(truth, champion))
    rng, rows = np.random.default_rng(seed), len(truth)
    drawn, at_once = [], max(1, CELLS_AT_ONCE // rows)
    for start in range(0, resamples, at_once):
        counts = draw(rng, min(at_once, resamples - start), rows)
        difference = metric.resampled(truth, candidate, counts) - metric.resampled(truth, champion, counts)
        drawn.append(sign * difference)
    gains = np.concatenate(drawn)
    defined = gains[np.isfinite(gains)]
    if not defined.size:
        return Gain(float(observed), float("-inf"), float("inf"), resamples)
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Gain(float(observed), float(low), float(high), resamples - int(defined.size))


def draw(rng: np.random.Generator, resamples: int, rows: int) -> np.ndarray:
    """Draw `rows` rows with replacement, `resamples` times; returns how often each was drawn, (resamples, rows)."""
    drawn = rng.integers(rows, size=(resamples, rows)) + np.arange(resamples)[:, None] * rows
    return np.bincount(drawn.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(float)


def verdict_of(gain: Gain, least: float) -> str:
    """Say "better", "not better" or "inconclusive"; `least` is the smallest gain that counts, 0 for any."""
    if gain.low > least:
        return "better"
    if gain.high <= least or gain.gain <= least:
        return "not better"
    return "inconclusive"
