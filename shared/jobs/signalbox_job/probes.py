"""Every question certify asks a model, put to it in one child: as it is, changed column by column, with noise."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .columns import NUMERIC, kind_of, plain_rows
from .holdout import Holdout
from .metrics import Metric, predicted_values, true_values
from .outcome import Job
from .scoring import BATCH, Model, Rows, answers

MOST_ROWS = 500
SINGLE_ROWS = 50
REPEATS = 3
NOISE = 0.01

assert MOST_ROWS <= BATCH


class Probe:
    """The answers of one model on up to 500 rows of the holdout, drawn by the seed.

    Attributes: `rows` how many, `order` the features, `asked` the rows, `plain` its answers, `again` the same asked
    twice, `turned` asked in reverse order (put back in order), `single` the first rows asked one by one.
    """

    def __init__(self, job: Job, model: Model, metric: Metric, holdout: Holdout) -> None:
        self.metric, self.who, self.order = metric, model.who, holdout.order
        rng = np.random.default_rng(int(job.setting("seed", 7)))
        total = len(holdout.features)
        drawn = np.sort(rng.choice(total, size=min(MOST_ROWS, total), replace=False))
        # A metric of two classes needs both in the sample as it has them in the holdout.
        features, truth = holdout.features.iloc[drawn], holdout.truth.iloc[drawn]
        self._truth = truth.tolist()
        self._true = true_values(metric, self._truth)
        rows = plain_rows(features, self.order)
        self.rows, self.asked = len(rows), rows
        singles = [[row] for row in rows[:SINGLE_ROWS]]
        permuted = [permute(rows, at, rng) for at in range(len(self.order)) for _ in range(REPEATS)]
        kinds = [kind_of(holdout.features[name]) for name in self.order]
        noisy = [with_noise(rows, kinds, rng) for _ in range(REPEATS)]
        told = answers(model, [rows, rows, rows[::-1], *singles, *permuted, *noisy], job)
        self.plain, self.again, self.turned = told[0], told[1], told[2][::-1]
        self.single = [answer[0] for answer in told[3 : 3 + len(singles)]]
        self._permuted = told[3 + len(singles) : 3 + len(singles) + len(permuted)]
        self._noisy = told[3 + len(singles) + len(permuted) :]

    def loss(self, predictions: Sequence[Any]) -> float:
        """Return the metric turned so that more is worse."""
        predicted = predicted_values(self.metric, self._truth, predictions, self.who)
        value = self.metric.point(self._true, predicted)
        return value if self.metric.direction == "lower" else -value

    def importance(self) -> dict[str, float]:
        """Return, by feature, how much worse the metric gets when the feature is shuffled, mean of the repeats."""
        base = self.loss(self.plain)
        lost = [self.loss(answer) - base for answer in self._permuted]
        means = np.array(lost).reshape(len(self.order), REPEATS).mean(axis=1)
        return dict(zip(self.order, means.tolist(), strict=True))

    def moved(self) -> bool:
        """Tell whether any answer changed when a feature was shuffled."""
        return any(answer != self.plain for answer in self._permuted)

    def noise_loss(self) -> float:
        """Return the mean loss under noise as a share of what the metric is without it."""
        base = self.loss(self.plain)
        lost = float(np.mean([self.loss(answer) for answer in self._noisy])) - base
        spread = float(np.std(self._true)) if self.metric.needs == "number" else 1.0
        return lost / (abs(base) or spread or 1.0)


def permute(rows: Rows, at: int, rng: np.random.Generator) -> Rows:
    """Return the rows with the values of one column shuffled among them."""
    order = rng.permutation(len(rows)).tolist()
    return [[*row[:at], rows[other][at], *row[at + 1 :]] for row, other in zip(rows, order, strict=True)]


def with_noise(rows: Rows, kinds: Sequence[str], rng: np.random.Generator) -> Rows:
    """Return the rows with gaussian noise of 1 % of each numeric column's standard deviation.

    Whole numbers stay whole, so that a code or a count never becomes something the model was not made for.
    """
    columns = [list(column) for column in zip(*rows, strict=True)]
    for at, kind in enumerate(kinds):
        present = [value for value in columns[at] if value is not None]
        if kind not in NUMERIC or not present:
            continue
        noise = rng.normal(0.0, NOISE * float(np.std(present)), size=len(rows)).tolist()
        changed = [None if value is None else value + more for value, more in zip(columns[at], noise, strict=True)]
        columns[at] = [value if value is None or kind == "number" else round(value) for value in changed]
    return [list(row) for row in zip(*columns, strict=True)]
