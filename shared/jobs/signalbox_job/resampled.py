"""The metrics on many bootstrap resamples at once.

Every function takes truth (n,), prediction (n,) and counts (resamples, n), how often each row was drawn, and returns
(resamples,), NaN where the metric is undefined.  Formulas: the scikit-learn user guide, section 3.4, with weights.
"""

import numpy as np

EPSILON = np.finfo(np.float64).eps


def _mean(loss: np.ndarray, counts: np.ndarray) -> np.ndarray:
    mean: np.ndarray = (counts @ loss) / counts.sum(axis=1)
    return mean


def _ratio(above: np.ndarray, below: np.ndarray, otherwise: float) -> np.ndarray:
    filled = np.full(np.shape(above), otherwise, dtype=float)
    return np.divide(above, below, out=filled, where=below != 0)


def rmse(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Root of the mean squared error."""
    return np.sqrt(_mean((truth - prediction) ** 2, counts))


def mae(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean absolute error."""
    return _mean(np.abs(truth - prediction), counts)


def mape(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean absolute error over the size of the truth, a share (0.1 is 10 %)."""
    return _mean(np.abs(truth - prediction) / np.maximum(np.abs(truth), EPSILON), counts)


def medae(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Median absolute error."""
    error = np.abs(truth - prediction)
    order = np.argsort(error)
    reached = np.cumsum(counts[:, order], axis=1)
    drawn = reached[:, -1:]
    lower = np.argmax(reached > (drawn - 1) // 2, axis=1)
    upper = np.argmax(reached > drawn // 2, axis=1)
    return (error[order][lower] + error[order][upper]) / 2


def r2(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of the variance that is explained; undefined where the truth does not vary."""
    centred = truth - truth.mean()
    spread = counts @ centred**2 - (counts @ centred) ** 2 / counts.sum(axis=1)
    spread[spread <= EPSILON * (counts @ centred**2)] = 0.0
    return 1.0 - _ratio(counts @ (truth - prediction) ** 2, spread, np.nan)


def log_loss(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of minus the logarithm of the probability given to what was true."""
    given = np.where(truth == 1, prediction, 1.0 - prediction)
    return _mean(-np.log(np.clip(given, EPSILON, 1.0)), counts)


def _by_threshold(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (positives, negatives) drawn at each distinct score, highest first; equal scores are one threshold."""
    order = np.argsort(-prediction, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(prediction[order]) != 0])
    positives = np.add.reduceat(counts[:, order] * (truth[order] == 1), starts, axis=1)
    return positives, np.add.reduceat(counts[:, order], starts, axis=1) - positives


def roc_auc(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Chance that a positive row scores above a negative one, ties counted half."""
    positives, negatives = _by_threshold(truth, prediction, counts)
    above = np.cumsum(positives, axis=1) - positives / 2
    pairs = positives.sum(axis=1) * negatives.sum(axis=1)
    return _ratio((above * negatives).sum(axis=1), pairs, np.nan)


def average_precision(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean precision over the gains in recall."""
    positives, negatives = _by_threshold(truth, prediction, counts)
    found, taken = np.cumsum(positives, axis=1), np.cumsum(positives + negatives, axis=1)
    weighted = (positives * _ratio(found, taken, 0.0)).sum(axis=1)
    return _ratio(weighted, found[:, -1], np.nan)


def accuracy(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of rows whose label is right."""
    return _mean((truth == prediction).astype(float), counts)


def balanced_accuracy(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean recall of the classes that were drawn."""
    classes = np.unique(truth)
    right = np.stack([counts @ ((truth == label) & (prediction == label)) for label in classes])
    drawn = np.stack([counts @ (truth == label) for label in classes])
    return np.nanmean(_ratio(right, drawn, np.nan), axis=0)


def f1_macro(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean F1 of the classes that were drawn or predicted."""
    classes = np.union1d(truth, prediction)
    each = np.stack([_f1_of(label, truth, prediction, counts) for label in classes])
    return np.nanmean(each, axis=0)


def f1(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """F1 of the positive class."""
    return _f1_of(1, truth, prediction, counts)


def _f1_of(label: int, truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    right = counts @ ((truth == label) & (prediction == label))
    return _ratio(2.0 * right, counts @ (truth == label) + counts @ (prediction == label), np.nan)


def precision(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of those called positive that are; nothing called positive counts as 0, as scikit-learn has it."""
    return _ratio(counts @ ((truth == 1) & (prediction == 1)), counts @ (prediction == 1), 0.0)


def recall(truth: np.ndarray, prediction: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Share of the positive rows that are found."""
    return _ratio(counts @ ((truth == 1) & (prediction == 1)), counts @ (truth == 1), np.nan)
