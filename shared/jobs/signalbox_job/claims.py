"""What certify claims about a model, each with its bound and a sentence for people.

Importance is model-agnostic permutation importance: Breiman, Random Forests (2001), section 10, on held-out rows.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from .probes import NOISE, REPEATS, Probe

NOISE_LOSS = 0.10
LEAK_SHARE = 0.99
BATCH_TOLERANCE = 1e-6
REPEAT_TOLERANCE = 1e-9
SHOWN = 3
Claim = dict[str, Any]


def claims_of(probe: Probe, bounds: Mapping[str, float]) -> tuple[list[Claim], list[str]]:
    """Return the claims, and the most important features, most important first."""
    importance = {name: value for name, value in probe.importance().items() if value > 0}
    ranked = sorted(importance, key=lambda name: -importance[name])
    claims = [
        _uses_features(probe, ranked),
        _no_leak(importance, ranked, bounds.get("leak_share", LEAK_SHARE)),
        _noise(probe, bounds.get("noise_loss", NOISE_LOSS)),
        _same(
            probe, "deterministic", probe.plain, probe.again, REPEAT_TOLERANCE,
            "the same {n} rows asked twice get the same answers", "asked twice, {bad} of {n} rows get another answer",
        ),
        _same(
            probe, "row_order", probe.plain, probe.turned, BATCH_TOLERANCE,
            "answers do not depend on the order of rows", "in reverse order {bad} of {n} rows get another answer",
        ),
        _same(
            probe, "single_rows", probe.plain[: len(probe.single)], probe.single, BATCH_TOLERANCE,
            "{n} rows asked one by one get the answers of the batch",
            "asked one by one {bad} of {n} rows get another answer than in a batch",
        ),
    ]  # fmt: skip
    return claims, ranked[:SHOWN]


def _claim(name: str, verdict: str, value: float | None, bound: float | None, sentence: str) -> Claim:
    finite = value if value is None or math.isfinite(value) else None
    return {"name": name, "verdict": verdict, "value": finite, "bound": bound, "sentence": sentence}


def _uses_features(probe: Probe, ranked: Sequence[str]) -> Claim:
    if ranked:
        names = ", ".join(ranked[:SHOWN])
        sentence = f"{len(ranked)} of {len(probe.order)} features matter on held-out rows; most important: {names}"
        return _claim("features_matter", "certified", float(len(ranked)), 1.0, sentence)
    if probe.moved():
        sentence = f"shuffling any feature makes {probe.metric.name} no worse: the model learnt nothing that holds"
        return _claim("features_matter", "warning", 0.0, 1.0, sentence)
    return _claim("features_matter", "refused", 0.0, 1.0, "the answers do not depend on any feature")


def _no_leak(importance: Mapping[str, float], ranked: Sequence[str], bound: float) -> Claim:
    if not ranked:
        return _claim("no_single_feature", "warning", None, bound, "no feature matters, so none can be weighed")
    share = importance[ranked[0]] / sum(importance.values())
    told = f'"{ranked[0]}" carries {share:.0%} of the importance'
    if share <= bound:
        return _claim("no_single_feature", "certified", share, bound, told)
    return _claim("no_single_feature", "warning", share, bound, f"{told}: look whether it gives the target away")


def _noise(probe: Probe, bound: float) -> Claim:
    lost = probe.noise_loss()
    told = f"noise of {NOISE:.0%} of each feature's spread costs {lost:.2%} of {probe.metric.name} ({REPEATS} repeats)"
    return _claim("noise", "certified" if lost <= bound else "refused", lost, bound, f"{told}, bound {bound:.0%}")


def _same(
    probe: Probe, name: str, one: Sequence[Any], other: Sequence[Any], tolerance: float, good: str, bad: str
) -> Claim:
    apart = [distance(a, b) for a, b in zip(one, other, strict=True)]
    differing = [row for row, gap in enumerate(apart) if gap > tolerance]
    sentence = (bad if differing else good).format(n=len(one), bad=len(differing))
    if differing:
        row = differing[0]
        lacks = [column for column, value in zip(probe.order, probe.asked[row], strict=True) if value is None]
        without = f' without a value in "{lacks[0]}"' if lacks else ""
        sentence += f", such as {_shown(other[row])} and not {_shown(one[row])} for a row{without}"
    return _claim(name, "refused" if differing else "certified", max(apart), tolerance, sentence)


def _shown(answer: Any) -> str:
    return f"{answer:.6g}" if isinstance(answer, float) else repr(answer)


def distance(one: Any, other: Any) -> float:
    """Return how far two answers are apart, relative to their size; infinite for labels that differ."""
    if isinstance(one, str) or isinstance(other, str):
        return 0.0 if one == other else math.inf
    size = max(abs(one), abs(other))
    return abs(one - other) / size if size else 0.0
