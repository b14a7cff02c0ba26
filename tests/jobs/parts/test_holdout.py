"""Which rows no training ever sees."""

import json

import pandas as pd
import pytest
from signalbox_job.columns import combine
from signalbox_job.holdout import frozen_holdout, holdout_rows
from signalbox_job.outcome import JobFailed
from signalbox_job.tables import read_tables


def held(job) -> set[tuple]:
    tables = read_tables(job)
    frame = combine(tables)
    return set(map(tuple, frame[holdout_rows(tables, frame, job)][["a", "b", "y"]].to_numpy(dtype=float).tolist()))


def test_the_share_is_what_was_asked_for(tiny, make_rows):
    tiny.rows("rows.csv", make_rows(20_000))
    assert len(held(tiny.job(holdout={"by": "hash", "fraction": 0.2}))) / 20_000 == pytest.approx(0.2, abs=0.01)


def test_no_row_changes_sides_as_data_grows(tiny, make_rows):
    tiny.rows("rows.csv", make_rows(200))
    before = held(tiny.job())
    tiny.rows("then.csv", make_rows(300, seed=2))
    after = held(tiny.job())
    first = {tuple(row.values()) for row in make_rows(200)}
    assert before
    assert before == after & first


def test_sides_do_not_depend_on_the_order_of_columns_or_the_format(tiny, make_rows):
    rows = make_rows(200)
    tiny.rows("rows.csv", [dict(reversed(row.items())) for row in rows])
    one = held(tiny.job())
    (tiny.data / "rows.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    assert one == held(tiny.job(files="*.jsonl"))


def test_a_column_that_turns_from_whole_to_broken_numbers_moves_no_row(tiny):
    rows = [{"a": at, "b": at % 7, "y": at % 3} for at in range(100)]
    tiny.rows("rows.csv", rows)
    before = held(tiny.job())
    tiny.rows("then.csv", [{"a": 0.5, "b": 1, "y": 1}])
    assert before == {row for row in held(tiny.job()) if row[0] != 0.5}


def test_a_column_that_turns_to_text_moves_no_row(tiny):
    rows = [{"a": at, "b": at / 4, "y": at % 3} for at in range(100)]
    tiny.rows("rows.csv", rows)
    tables = read_tables(tiny.job())
    before = holdout_rows(tables, combine(tables), tiny.job()).tolist()
    tiny.rows("rows.csv", [*rows, {"a": "unknown", "b": 1, "y": 2}])
    tables = read_tables(tiny.job())
    assert holdout_rows(tables, combine(tables), tiny.job()).tolist()[:100] == before


def test_equal_rows_are_on_one_side(tiny, make_rows):
    tiny.rows("rows.csv", make_rows(50) * 3)
    tables = read_tables(tiny.job())
    frame = combine(tables)
    rows = holdout_rows(tables, frame, tiny.job())
    one = {tuple(row) for row in frame[rows].to_numpy()}
    other = {tuple(row) for row in frame[~rows].to_numpy()}
    assert one
    assert other
    assert not one & other


def test_newest_holds_out_the_last_file_by_name(tiny, make_rows):
    tiny.rows("2024-01.csv", make_rows(30, seed=3))
    tiny.rows("2024-02.csv", make_rows(10, seed=4))
    (tiny.data / "rows.csv").unlink()
    assert held(tiny.job(holdout={"by": "newest"})) == {tuple(row.values()) for row in make_rows(10, seed=4)}


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ({"by": "newest"}, "takes all 80 rows"),
        ({"by": "hash", "fraction": 0.0}, "of 80 rows is empty"),
        ({"by": "hash", "fraction": 1.0}, "takes all 80 rows"),
        ({"by": "moon"}, 'rule "moon" is unknown'),
    ],
)
def test_a_rule_that_leaves_a_side_empty_is_refused(tiny, rule, told):
    with pytest.raises(JobFailed, match=told) as no:
        held(tiny.job(holdout=rule))
    assert no.value.advice


def test_the_frozen_holdout_has_no_target_among_its_features_and_leaves_no_data_behind(tiny):
    holdout = frozen_holdout(tiny.job())
    assert holdout.order == ("a", "b")
    assert list(holdout.features.columns) == ["a", "b"]
    assert not tiny.data.exists()


def test_rows_whose_target_is_unknown_are_not_judged(tiny, make_rows):
    rows = make_rows(80)
    for row in rows[::2]:
        row["y"] = None
    tiny.rows("rows.csv", rows)
    assert not pd.isna(frozen_holdout(tiny.job()).truth).any()
