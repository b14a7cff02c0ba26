"""Reading the files a project's data came in."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from signalbox_job.columns import combine, input_schema, kind_of, place_of, plain_rows
from signalbox_job.outcome import JobFailed
from signalbox_job.tables import read_table, read_tables


def refusal(work, *arguments) -> str:
    with pytest.raises(JobFailed) as no:
        work(*arguments)
    assert no.value.advice, "every no says what to do next"
    return no.value.reason


def test_no_data_says_where_to_put_some(tiny):
    (tiny.data / "rows.csv").unlink()
    with pytest.raises(JobFailed) as no:
        read_tables(tiny.job(container="arrivals"))
    assert no.value.reason == "No data has arrived for project tiny in container arrivals"
    assert "signalbox data put tiny FILE" in no.value.advice


def test_data_that_does_not_match_the_pattern_is_named(tiny):
    assert 'files = "*.jsonl": rows.csv' in refusal(read_tables, tiny.job(files="*.jsonl"))


@pytest.mark.parametrize("pattern", ["*.csv", "deep/*.csv", "**/*.csv"])
def test_a_pattern_matches_at_any_depth(tiny, make_rows, pattern):
    (tiny.data / "team" / "deep").mkdir(parents=True)
    tiny.rows("team/deep/rows.csv", make_rows(3))
    (tiny.data / "rows.csv").unlink()
    assert [table.name for table in read_tables(tiny.job(files=pattern))] == ["team/deep/rows.csv"]


@pytest.mark.parametrize("pattern", ["/etc/*.csv", "../../*.csv"])
def test_a_pattern_that_leaves_the_data_finds_nothing(tiny, pattern):
    (tiny.folder / "outside.csv").write_text("a\n1\n")
    assert "files = " in refusal(read_tables, tiny.job(files=pattern))


def test_a_part_of_a_csv_file_is_written_exactly_as_it_arrived(tmp_path):
    text = '\ufeffname;"n"\r\n"a\nb";007\r\n\r\n"say ""x""";1.50\r\nlast;NA'
    path = tmp_path / "in.csv"
    path.write_bytes(text.encode())
    table = read_table(path, "in.csv")
    assert table.columns == ("name", "n")
    assert table.frame["name"].tolist() == ["a\nb", 'say "x"', "last"]
    table.write(np.array([True, False, True]), tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_bytes() == b'name;"n"\r\n"a\nb";007\r\nlast;NA\n'


@pytest.mark.parametrize("name", ["in.csv.gz", "in.jsonl", "in.jsonl.gz", "in.csv"])
def test_every_format_comes_back_as_it_was_written(tmp_path, name):
    text = "a,b\n1,x\n2,y\n" if ".csv" in name else '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    table = read_table(path, name)
    assert plain_rows(table.frame, ["a", "b"]) == [[1, "x"], [2, "y"]]
    table.write(np.array([False, True]), tmp_path / "part" / name)
    assert plain_rows(read_table(tmp_path / "part" / name, name).frame, ["a", "b"]) == [[2, "y"]]


def test_a_table_read_twice_has_every_digit_of_its_numbers(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("a\n0.1234567890123456789\n1e-300\n")
    assert read_table(path, "in.csv").frame["a"].tolist() == [0.1234567890123456789, 1e-300]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("in.csv", b"a,b\n1,2\n1,2,3\n", "in.csv cannot be read as CSV"),
        ("in.csv", b"a,b\n1,2,3\n1,2,3\n", "in.csv cannot be read as CSV"),
        ("in.csv", b"a,b\n\xff,2\n", "byte 4 is not UTF-8"),
        ("in.csv", b" \n", "in.csv is empty"),
        ("in.csv.gz", b"not gzip", "in.csv.gz cannot be read as gzip"),
        ("in.jsonl", b'{"a": 1}\n{"a": \n', "row 2"),
        ("in.jsonl", b'{"a": 1}\n[1]\n', "row 2 is not an object"),
        ("in.jsonl", b'{"a": [1, 2]}\n', 'row 1 holds more than one value in "a"'),
        ("in.xlsx", b"PK", "in.xlsx is of no known format"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path, name, content, told):
    path = tmp_path / name
    path.write_bytes(content)
    assert told in refusal(read_table, path, name)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        ("a,b\n1,2\n", 'b.csv disagrees with a.csv: it has no column "y"'),
        ("a,b,y,z\n1,2,3,4\n", 'it has a column "z" of its own'),
        (
            "a,b,y\n1,2,3\n1,much,3\n",
            'b.csv disagrees with a.csv: column "b" holds text there ("much" in row 2) and numbers in a.csv',
        ),
        ("a,b,y,a\n1,2,3,4\n", 'b.csv has the column "a" more than once'),
    ],
)
def test_the_file_that_disagrees_is_named(tiny, make_rows, other, told):
    (tiny.data / "rows.csv").unlink()
    tiny.rows("a.csv", make_rows(5))
    (tiny.data / "b.csv").write_text(other)
    assert told in refusal(combine, read_tables(tiny.job()))


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("a,y\n1,3\n", 'it has no column "b"'),
        ("a,b,y\nmany,2,3\n", 'column "a" holds text there ("many" in row 1) and numbers in b.csv'),
    ],
)
def test_the_first_file_is_named_when_the_others_agree_without_it(tiny, make_rows, broken, told):
    (tiny.data / "rows.csv").write_text(broken)
    (tiny.data / "rows.csv").rename(tiny.data / "a.csv")
    for name in ("b.csv", "c.csv"):
        tiny.rows(name, make_rows(5))
    with pytest.raises(JobFailed) as no:
        combine(read_tables(tiny.job()))
    assert no.value.reason == f"a.csv disagrees with b.csv: {told}"
    assert no.value.advice == "Put a.csv again with the columns of b.csv"


def test_a_row_of_the_whole_is_found_in_its_file(tiny, make_rows):
    tiny.rows("a.csv", make_rows(4))
    (tiny.data / "b.csv").write_text("a,b,y\n")
    tiny.rows("c.csv", make_rows(3))
    (tiny.data / "rows.csv").unlink()
    tables = read_tables(tiny.job())
    places = [place_of(tables, row) for row in range(7)]
    assert places == [*(f"row {at} of a.csv" for at in (1, 2, 3, 4)), *(f"row {at} of c.csv" for at in (1, 2, 3))]


def test_files_with_their_columns_in_another_order_agree(tiny):
    (tiny.data / "rows.csv").write_text("a,b,y\n1,2,3\n")
    (tiny.data / "then.csv").write_text("y,a,b\n30,10,20\n")
    assert plain_rows(combine(read_tables(tiny.job())), ["a", "b", "y"]) == [[1, 2, 3], [10, 20, 30]]


def test_a_file_with_a_header_only_changes_no_kind(tiny):
    (tiny.data / "rows.csv").write_text("a,b,y\n1,2,3\n")
    (tiny.data / "then.csv").write_text("a,b,y\n")
    assert kind_of(combine(read_tables(tiny.job()))["a"]) == "integer"


def test_kinds_are_told_apart(tmp_path):
    rows = [
        {"i": 1, "f": 1.5, "s": "x", "t": True, "n": None, "m": 1},
        {"i": None, "f": 2, "s": None, "t": None, "m": "x"},
    ]
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    frame = read_table(path, "in.jsonl").frame
    kinds = {name: kind_of(frame[name]) for name in frame.columns}
    assert kinds == {"i": "number", "f": "number", "s": "string", "t": "boolean", "n": "empty", "m": "mixed"}
    assert plain_rows(frame, ["f", "s", "t", "n"]) == [[1.5, "x", True, None], [2.0, None, None, None]]


def test_parquet_without_a_reader_says_what_to_add(tmp_path):
    path = tmp_path / "in.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(JobFailed) as no:
        read_table(path, "in.parquet")
    assert "pyarrow" in no.value.advice or "cannot be read as parquet" in no.value.reason


def test_a_column_without_a_name_is_called_as_pandas_calls_it(tmp_path):
    path = tmp_path / "in.csv"
    path.write_text(",a,\n0,1.5,x\n1,2.5,y\n")
    table = read_table(path, "in.csv")
    assert table.columns == ("Unnamed: 0", "a", "Unnamed: 2")
    assert combine([table])["Unnamed: 2"].tolist() == ["x", "y"]


def test_a_category_is_of_the_kind_of_its_values():
    assert kind_of(pd.Series([1, 2, None], dtype="Int64").astype("category")) == "integer"
    assert kind_of(pd.Series(["x", "y"], dtype="category")) == "string"


def test_whole_numbers_beyond_64_bits_have_a_range_too():
    frame = pd.DataFrame({"big": pd.Series([10**30, 7], dtype=object), "y": [1, 2]})
    assert input_schema(frame, "y", {})["columns"][0]["max"] == 10**30


@pytest.mark.parametrize("value", [[1.0, 2.0], {"x": 1}, np.array([1.0])])
def test_a_cell_that_holds_more_than_one_value_is_nested(value):
    assert kind_of(pd.Series([value, None], dtype=object)) == "nested"
