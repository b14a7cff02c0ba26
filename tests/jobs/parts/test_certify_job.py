"""Claims about models that deserve them and models that do not."""

import math
import re

import pytest
from certify import certify
from signalbox_job.claims import distance
from signalbox_job.probes import permute, with_noise

HEAD = "import json, itertools\ndef init(): pass\ncalls = itertools.count()\n"


def verdicts(tiny, body: str, **settings) -> dict[str, str]:
    tiny.write("score.py", HEAD + "def run(raw_data):\n    rows = json.loads(raw_data)['data']\n    " + body + "\n")
    return {claim["name"]: claim["verdict"] for claim in certify(tiny.job("certify", **settings))["claims"]}


def test_a_sound_model_is_certified_in_every_claim(tiny):
    result = certify(tiny.job("certify"))
    assert {claim["verdict"] for claim in result["claims"]} == {"certified"}
    assert len(result["claims"]) == 6
    assert result["important"] == ["a", "b"]
    assert all(
        claim["sentence"] and set(claim) == {"name", "verdict", "value", "bound", "sentence"}
        for claim in result["claims"]
    )


def test_a_model_that_ignores_its_input_is_refused(tiny):
    assert verdicts(tiny, "return [1.0 for _ in rows]")["features_matter"] == "refused"


def test_a_model_that_learnt_nothing_is_warned_of(tiny):
    told = verdicts(tiny, "return [-2 * r['a'] - r['b'] for r in rows]")
    assert (told["features_matter"], told["no_single_feature"]) == ("warning", "warning")


def test_a_single_feature_that_carries_everything_is_warned_of(tiny):
    assert verdicts(tiny, "return [2.0 * r['a'] for r in rows]")["no_single_feature"] == "warning"


def test_a_model_that_breaks_under_noise_is_refused(tiny):
    told = verdicts(tiny, "return [2 * r['a'] + r['b'] + (0 if round(r['a'], 3) == r['a'] else 50) for r in rows]")
    assert told["noise"] == "refused"


def test_the_bound_of_noise_is_the_operators(tiny):
    body = "return [2 * r['a'] + r['b'] + (0 if round(r['a'], 3) == r['a'] else 1.5) for r in rows]"
    assert verdicts(tiny, body, bounds={"noise_loss": 100.0})["noise"] == "certified"


def test_a_model_that_answers_differently_each_time_is_refused(tiny):
    assert (
        verdicts(tiny, "n = next(calls)\n    return [2 * r['a'] + r['b'] + n for r in rows]")["deterministic"]
        == "refused"
    )


def test_a_model_whose_answers_depend_on_the_other_rows_is_refused(tiny):
    told = verdicts(
        tiny, "m = sum(r['a'] for r in rows) / len(rows)\n    return [2 * (r['a'] - m) + r['b'] for r in rows]"
    )
    assert (told["single_rows"], told["row_order"]) == ("refused", "certified")


def test_the_first_row_with_another_answer_is_shown_with_both(tiny):
    tiny.rows("rows.csv", [{"a": None if at % 4 else at, "b": at, "y": 2 * at} for at in range(80)])
    body = "return [1.0 * r['b'] if len(rows) > 1 or r['a'] is not None else -1.0 for r in rows]"
    tiny.write("score.py", HEAD + "def run(raw_data):\n    rows = json.loads(raw_data)['data']\n    " + body + "\n")
    claims = {claim["name"]: claim for claim in certify(tiny.job("certify"))["claims"]}
    assert claims["single_rows"]["verdict"] == "refused"
    assert re.search(
        r"answer than in a batch, such as -1 and not \d+ for a row without a value in \"a\"$",
        claims["single_rows"]["sentence"],
    )


def test_a_model_whose_answers_depend_on_the_order_of_rows_is_refused(tiny):
    assert verdicts(tiny, "return [2 * r['a'] + r['b'] + i for i, r in enumerate(rows)]")["row_order"] == "refused"


def test_whole_numbers_stay_whole_under_noise_and_missing_values_stay_missing():
    import numpy as np

    rows = [[at * 100, at / 7, "x", None if at % 2 else 1.5] for at in range(40)]
    noisy = with_noise(rows, ["integer", "number", "string", "number"], np.random.default_rng(1))
    assert all(isinstance(row[0], int) and row[2] == "x" for row in noisy)
    assert noisy != rows
    assert [row[3] is None for row in noisy] == [row[3] is None for row in rows]


def test_a_shuffled_column_keeps_its_values_and_the_others_their_places():
    import numpy as np

    rows = [[at, at * 2] for at in range(30)]
    shuffled = permute(rows, 0, np.random.default_rng(1))
    assert [row[1] for row in shuffled] == [row[1] for row in rows]
    assert sorted(row[0] for row in shuffled) == list(range(30))
    assert shuffled != rows


@pytest.mark.parametrize(
    ("one", "other", "gap"), [(1.0, 1.0, 0.0), (0.0, 0.0, 0.0), (1.0, 2.0, 0.5), ("a", "a", 0.0), ("a", "b", math.inf)]
)
def test_how_far_answers_are_apart(one, other, gap):
    assert distance(one, other) == gap
