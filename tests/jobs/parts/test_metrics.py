"""The metrics and the paired bootstrap."""

import json
import math
import warnings

import numpy as np
import pytest
from signalbox_job.bootstrap import Gain, draw, gain_of, verdict_of
from signalbox_job.metrics import METRICS, label_of, metric_named, predicted_values, true_values
from signalbox_job.outcome import JobFailed


def world(needs: str, seed: int, rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    if needs == "number":
        truth = rng.normal(10, 3, rows)
        return truth, truth + rng.normal(0, 1, rows)
    truth = rng.integers(0, 2, rows)
    if needs == "score":
        return truth, np.round(np.clip(truth * 0.3 + rng.random(rows) * 0.7, 0, 1), 1)
    return truth, np.where(rng.random(rows) < 0.7, truth, 1 - truth)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("rows", [1, 2, 7, 60])
def test_every_resampled_metric_is_scikit_learns_on_the_drawn_rows(name, rows):
    metric = METRICS[name]
    defined = 0
    for seed in range(5):
        truth, prediction = world(metric.needs, seed, rows)
        counts = draw(np.random.default_rng(seed), 8, rows)
        values = metric.resampled(truth, prediction, counts)
        assert values.shape == (8,)
        for value, count in zip(values, counts, strict=True):
            if not math.isfinite(value):
                continue
            rowed = np.repeat(np.arange(rows), count.astype(int))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert value == pytest.approx(metric.point(truth[rowed], prediction[rowed]), rel=1e-9, abs=1e-12)
            defined += 1
    assert defined or rows == 1


@pytest.mark.parametrize("name", ["f1_macro", "balanced_accuracy", "accuracy"])
def test_metrics_of_labels_take_many_classes(name):
    rng = np.random.default_rng(3)
    truth, prediction = rng.integers(0, 4, 80), rng.integers(0, 5, 80)
    counts = draw(rng, 6, 80)
    for value, count in zip(METRICS[name].resampled(truth, prediction, counts), counts, strict=True):
        rowed = np.repeat(np.arange(80), count.astype(int))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert value == pytest.approx(METRICS[name].point(truth[rowed], prediction[rowed]))


@pytest.mark.parametrize("name", METRICS)
def test_a_gain_is_positive_when_the_candidate_is_better_whatever_the_direction(name):
    metric = METRICS[name]
    truth = world(metric.needs, 1, 300)[0]
    rng = np.random.default_rng(5)
    good = truth.astype(float) if metric.needs != "labels" else truth
    if metric.needs == "number":
        bad = truth + rng.normal(0, 4, 300)
    else:
        bad = np.where(rng.random(300) < 0.5, truth, 1 - truth)
        bad = bad * 0.8 + 0.1 if metric.needs == "score" else bad
    found = gain_of(metric, truth, good, bad, 7, 300)
    assert found.gain > 0
    assert found.low > 0
    assert verdict_of(found, 0.0) == "better"
    assert verdict_of(gain_of(metric, truth, bad, good, 7, 300), 0.0) == "not better"


def test_the_same_predictions_are_not_better():
    truth, prediction = world("number", 1)
    found = gain_of(METRICS["rmse"], truth, prediction, prediction, 7)
    assert (found.gain, found.low, found.high) == (0.0, 0.0, 0.0)
    assert verdict_of(found, 0.0) == "not better"


def test_the_same_seed_gives_the_same_interval():
    truth, prediction = world("number", 1)
    one, other = (gain_of(METRICS["mae"], truth, prediction, prediction + 0.1, 7) for _ in range(2))
    assert one == other
    assert one != gain_of(METRICS["mae"], truth, prediction, prediction + 0.1, 8)


def test_resamples_of_one_class_are_left_out_and_counted():
    truth = np.array([0, 0, 0, 0, 1])
    found = gain_of(METRICS["roc_auc"], truth, truth * 1.0, 1.0 - truth, 7, 400)
    assert 80 < found.undefined < 200, "a class is absent with probability 0.8 ** 5 = 0.33"


def test_two_equally_good_models_are_seldom_called_better():
    better = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        truth = rng.normal(size=120)
        one, other = truth + rng.normal(size=120), truth + rng.normal(size=120)
        better += verdict_of(gain_of(METRICS["rmse"], truth, one, other, seed, 400), 0.0) == "better"
    assert better <= 7


@pytest.mark.parametrize(
    ("gain", "least", "verdict"),
    [
        (Gain(1.0, 0.1, 2.0, 0), 0.0, "better"),
        (Gain(1.0, 0.1, 2.0, 0), 0.5, "inconclusive"),
        (Gain(1.0, 0.1, 2.0, 0), 1.5, "not better"),
        (Gain(1.0, -0.1, 2.0, 0), 0.0, "inconclusive"),
        (Gain(-0.1, -1.0, 2.0, 0), 0.0, "not better"),
        (Gain(0.1, -1.0, 0.0, 0), 0.0, "not better"),
        (Gain(0.0, 0.0, 0.0, 0), 0.0, "not better"),
    ],
)
def test_verdicts(gain, least, verdict):
    assert verdict_of(gain, least) == verdict


def test_an_unknown_metric_asks_did_you_mean():
    with pytest.raises(JobFailed) as no:
        metric_named("rsme")
    assert 'Did you mean "rmse"?' in no.value.advice
    assert "roc_auc" in no.value.advice


def test_labels_compare_across_json_numpy_and_pandas():
    assert {label_of(value) for value in (1, 1.0, True, np.int64(1), np.float64(1.0), np.bool_(True))} == {1}
    assert label_of("1") == "1"
    assert label_of(0.5) == 0.5


@pytest.mark.parametrize(
    ("name", "truth", "answers", "expected"),
    [
        ("accuracy", ["no", "yes", "no"], ["no", "no", "maybe"], [0, 0, 2]),
        ("f1", [0, 1, 0], [0.1, 0.7, 0.5], [0, 1, 1]),
        ("f1", ["late", "paid", "late"], [0.1, 0.7, 0.2], [0, 1, 0]),
        ("accuracy", [1, 2, 3], [1.0, 2.0, 2.0], [0, 1, 1]),
        ("roc_auc", [False, True, True], [0.1, 0.2, 1], [0.1, 0.2, 1.0]),
        ("rmse", [1, 2, 3], [True, 2, 3.5], [1.0, 2.0, 3.5]),
    ],
)
def test_predictions_are_taken_as_the_metric_needs_them(name, truth, answers, expected):
    metric = METRICS[name]
    assert predicted_values(metric, truth, answers, "the candidate").tolist() == expected
    assert len(true_values(metric, truth)) == len(truth)


@pytest.mark.parametrize(
    ("name", "truth", "answers", "told"),
    [
        ("rmse", [1.0, 2.0], [1.0, math.nan], "answers nan for 1 of 2 rows, first for row 2"),
        ("rmse", [1.0, 2.0], ["a", 1.0], "answers text for 1 of 2 rows where a number is needed, first 'a' for row 1"),
        ("rmse", ["a", "b"], [1.0, 2.0], "The target holds text and rmse needs numbers"),
        ("roc_auc", [1, 1], [0.1, 0.2], "has 1 classes (1) and roc_auc needs two"),
        ("f1", [0, 1, 2], [0, 1, 2], "has 3 classes (0, 1, 2) and f1 needs two"),
        ("f1", ["a", "b"], ["a", "c"], "a third class"),
        ("log_loss", [0, 1], [0.5, 1.5], "outside 0..1"),
        ("accuracy", ["a", "b"], [0, 1], "answers 0 and the target holds 'a', 'b'"),
        ("accuracy", [0, 1], [0, math.inf], "answers inf for 1 of 2 rows"),
    ],
)
def test_predictions_that_do_not_fit_the_metric_are_refused(name, truth, answers, told):
    def taken() -> None:
        true_values(METRICS[name], truth)
        predicted_values(METRICS[name], truth, answers, "the candidate")

    with pytest.raises(JobFailed) as no:
        taken()
    assert told in no.value.reason
    assert no.value.advice


def test_a_gain_is_plain_json():
    truth, prediction = world("number", 1)
    found = gain_of(METRICS["r2"], truth, prediction, prediction + 0.1, 7, 50)
    assert json.loads(json.dumps([found.gain, found.low, found.high, found.undefined]))
