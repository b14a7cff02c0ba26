"""The metrics a project may be judged by: one table.

A metric is computed twice: its value by `sklearn.metrics`, and its values on bootstrap resamples by formulas that
take many resamples at once.  The tests hold the two together.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np

from . import resampled as many
from .outcome import JobFailed
from .scoring import as_numbers, refuse_not_finite

Label = str | int | float
Point = Callable[[np.ndarray, np.ndarray], float]
Resampled = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Metric:
    """One metric. `needs`: numbers, the probability of the positive class (score), or labels.

    `binary` metrics need exactly two classes; the positive one is the later in order, as scikit-learn has it.
    `resampled` takes truth (n,), prediction (n,) and counts (resamples, n).
    It returns (resamples,), NaN where undefined.
    """

    name: str
    direction: Literal["lower", "higher"]
    needs: Literal["number", "score", "labels"]
    binary: bool
    resampled: Resampled

    def point(self, truth: np.ndarray, prediction: np.ndarray) -> float:
        """Return the metric of all rows, by scikit-learn."""
        from sklearn import metrics

        function, options = POINTS[self.name]
        return float(getattr(metrics, function)(truth, prediction, **options))


METRICS = {
    metric.name: metric
    for metric in (
        Metric("rmse", "lower", "number", False, many.rmse),
        Metric("mae", "lower", "number", False, many.mae),
        Metric("r2", "higher", "number", False, many.r2),
        Metric("mape", "lower", "number", False, many.mape),
        Metric("medae", "lower", "number", False, many.medae),
        Metric("roc_auc", "higher", "score", True, many.roc_auc),
        Metric("average_precision", "higher", "score", True, many.average_precision),
        Metric("log_loss", "lower", "score", True, many.log_loss),
        Metric("accuracy", "higher", "labels", False, many.accuracy),
        Metric("balanced_accuracy", "higher", "labels", False, many.balanced_accuracy),
        Metric("f1", "higher", "labels", True, many.f1),
        Metric("f1_macro", "higher", "labels", False, many.f1_macro),
        Metric("precision", "higher", "labels", True, many.precision),
        Metric("recall", "higher", "labels", True, many.recall),
    )
}

POINTS: dict[str, tuple[str, dict[str, Any]]] = {
    "rmse": ("root_mean_squared_error", {}),
    "mae": ("mean_absolute_error", {}),
    "r2": ("r2_score", {}),
    "mape": ("mean_absolute_percentage_error", {}),
    "medae": ("median_absolute_error", {}),
    "roc_auc": ("roc_auc_score", {}),
    "average_precision": ("average_precision_score", {}),
    "log_loss": ("log_loss", {"labels": [0, 1]}),
    "accuracy": ("accuracy_score", {}),
    "balanced_accuracy": ("balanced_accuracy_score", {}),
    "f1": ("f1_score", {"zero_division": 0}),
    "f1_macro": ("f1_score", {"average": "macro", "zero_division": 0}),
    "precision": ("precision_score", {"zero_division": 0}),
    "recall": ("recall_score", {"zero_division": 0}),
}


def metric_named(name: str) -> Metric:
    """Return the metric, or raise `JobFailed` with the nearest name and those that are known."""
    if name in METRICS:
        return METRICS[name]
    near = get_close_matches(name, METRICS, 1)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    raise JobFailed(f'The metric "{name}" is unknown', f"{hint}Known here: {', '.join(METRICS)}")


def label_of(value: Any) -> Label:
    """Return a class label that compares across JSON, numpy and pandas: 1, 1.0 and True are one label."""
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, bool) else value if isinstance(value, (int, float)) else str(value)


def classes_of(truth: Sequence[Any]) -> list[Label]:
    """Return the labels of the truth in order, numbers before text."""
    return sorted({label_of(value) for value in truth}, key=lambda label: (isinstance(label, str), label))


def true_values(metric: Metric, truth: Sequence[Any]) -> np.ndarray:
    """Return the target as the metric takes it: floats, or the positions of the classes in their order."""
    if metric.needs == "number":
        if any(isinstance(value, str) for value in truth):
            raise JobFailed(
                f"The target holds text and {metric.name} needs numbers", "Choose another metric in [evaluate]"
            )
        return np.array(truth, dtype=float)
    classes = classes_of(truth)
    if metric.binary and len(classes) != 2:
        shown = ", ".join(str(label) for label in classes[:5])
        raise JobFailed(
            f"The holdout has {len(classes)} classes ({shown}) and {metric.name} needs two",
            "Choose f1_macro, accuracy or balanced_accuracy in [evaluate], or put more data",
        )
    positions = {label: position for position, label in enumerate(classes)}
    return np.array([positions[label_of(value)] for value in truth])


def predicted_values(metric: Metric, truth: Sequence[Any], values: Sequence[Any], who: str) -> np.ndarray:
    """Return predictions as the metric takes them, shape (n,), in step with `true_values`.

    Probabilities given to a metric of labels with two classes are cut at one half.
    """
    if metric.needs == "number":
        return as_numbers(values, who)
    if metric.needs == "score":
        numbers = as_numbers(values, who)
        if metric.name == "log_loss" and ((numbers < 0) | (numbers > 1)).any():
            raise JobFailed(f"{who} answers numbers outside 0..1 and log_loss needs probabilities", "Answer those")
        return numbers
    refuse_not_finite(values, who)
    classes, labels = classes_of(truth), [label_of(value) for value in values]
    if len(classes) == 2 and _probabilities(labels):
        return np.array([int(float(label) >= 0.5) for label in labels])
    unknown = sorted({label for label in labels if label not in classes}, key=str)
    if unknown and not set(labels) & set(classes):
        raise JobFailed(
            f"{who} answers {unknown[0]!r} and the target holds {', '.join(map(repr, classes[:5]))}",
            "Let run() answer the labels of the target, and push",
        )
    if unknown and metric.binary:
        raise JobFailed(f"{who} answers {unknown[0]!r}, a third class for {metric.name}", "Let run() answer two labels")
    positions = {label: position for position, label in enumerate([*classes, *unknown])}
    return np.array([positions[label] for label in labels])


def _probabilities(labels: Sequence[Label]) -> bool:
    """Tell whether the values are shares of one: all within 0..1 and some strictly between."""
    numbers = [label for label in labels if not isinstance(label, str)]
    inside = len(numbers) == len(labels) and all(0 <= label <= 1 for label in numbers)
    return inside and any(not math.isclose(label, round(label)) for label in numbers)
