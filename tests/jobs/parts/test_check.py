"""What check refuses, and what it tells of the data."""

import hashlib

import pytest
from check import check, content_digest
from signalbox_job.outcome import JobFailed
from signalbox_job.tables import read_tables

GOOD_TEST = "import train\ndef test_it_imports():\n    assert train\ndef test_two():\n    assert 1\n"
SCHEMA = """\
import pandera.pandas as pa
class Rows(pa.DataFrameModel):
    a: float = pa.Field(ge=0)
    b: int = pa.Field(nullable=True)
"""


def refused(tiny, **settings) -> JobFailed:
    with pytest.raises(JobFailed) as no:
        check(tiny.job(**settings))
    assert no.value.advice
    return no.value


def test_a_good_project_is_described(tiny, make_rows):
    tiny.write("tests/test_tiny.py", "def test_one():\n    assert True\n")
    result = check(tiny.job(input="rows"))
    assert result["tests"] == 1
    assert result["rows"] == 80
    assert result["columns"] == ["a", "b", "y"]
    assert result["blobs"] == {"rows.csv": hashlib.sha256((tiny.data / "rows.csv").read_bytes()).hexdigest()}
    assert result["schema"]["order"] == ["a", "b"]
    assert result["schema"]["input"] == "rows"
    lowest = min(row["a"] for row in make_rows(80))
    assert result["schema"]["columns"][0] | {"max": 0} == {
        "name": "a", "type": "number", "nullable": False, "min": lowest, "max": 0
    }  # fmt: skip
    assert result["notes"] == []


def test_the_content_digest_changes_with_a_byte_and_with_a_name(tiny):
    def digest() -> str:
        return content_digest(read_tables(tiny.job()))

    first = digest()
    assert first == digest()
    assert first.startswith("sha256:")
    (tiny.data / "rows.csv").rename(tiny.data / "other.csv")
    second = digest()
    with (tiny.data / "other.csv").open("a") as file:
        file.write("1,2,3\n")
    assert len({first, second, digest()}) == 3


def test_a_missing_target_asks_did_you_mean(tiny):
    no = refused(tiny, target="yy")
    assert no.reason == 'The data has no target column "yy"'
    assert 'Did you mean "y"?' in no.advice


def test_too_few_rows_are_refused(tiny, make_rows):
    tiny.rows("rows.csv", make_rows(19))
    assert refused(tiny).reason == "The data has 19 rows and training needs at least 20"


def test_a_target_that_is_empty_everywhere_is_refused(tiny, make_rows):
    tiny.rows("rows.csv", [row | {"y": None} for row in make_rows(30)])
    assert refused(tiny).reason == 'The target column "y" is empty in all 30 rows'


def test_a_target_that_is_empty_somewhere_is_a_warning(tiny, make_rows):
    tiny.rows("rows.csv", [*make_rows(60), {"a": 1.0, "b": 1.0, "y": None}])
    assert check(tiny.job())["notes"][0] == '1 of 61 rows have no "y"'


def test_a_script_that_is_not_in_the_commit_is_named(tiny):
    assert refused(tiny, score="serve.py").reason == "serve.py is not in the commit"


def test_a_training_script_of_another_name_is_no_fault(tiny):
    (tiny.code / "train.py").rename(tiny.code / "fit.py")
    assert check(tiny.job())["rows"] == 80
    assert refused(tiny, script="train.py").reason == "train.py is not in the commit"


def test_no_tests_are_a_warning_and_not_a_failure(tiny):
    assert "no tests" in check(tiny.job())["notes"][0]
    tiny.write("tests/readme.md", "none yet")
    assert check(tiny.job())["notes"] == ["the project has no tests in tests"]


def test_a_failing_test_is_named_with_what_it_said(tiny):
    tiny.write("tests/test_tiny.py", "def test_good():\n    pass\ndef test_bad():\n    assert 1 == 2, 'ones'\n")
    reason = refused(tiny).reason
    assert reason.startswith("1 of 2 tests of the project fail, first tests/test_tiny::test_bad: AssertionError: ones")


def test_a_test_file_that_does_not_import_is_named(tiny):
    tiny.write("tests/test_tiny.py", "import nowhere_at_all\n")
    reason = refused(tiny).reason
    assert "first tests/test_tiny: ModuleNotFoundError: No module named 'nowhere_at_all'" in reason


def test_the_projects_tests_import_its_modules_and_not_ours(tiny):
    tiny.write("tests/test_tiny.py", "def test_ours():\n    import check\n    assert check.THEIRS\n")
    tiny.write("check.py", "THEIRS = True\n")
    assert check(tiny.job())["tests"] == 1


def test_the_projects_tests_do_not_see_settings_above_the_project(tiny):
    (tiny.folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
    tiny.write("tests/test_tiny.py", "def test_one():\n    pass\n")
    assert check(tiny.job())["tests"] == 1


def test_the_projects_own_pytest_settings_count(tiny):
    tiny.write("pyproject.toml", '[tool.pytest.ini_options]\npython_functions = ["it_*"]\n')
    tiny.write("tests/test_tiny.py", "def it_holds():\n    pass\n")
    assert check(tiny.job())["tests"] == 1


def test_rows_that_break_the_schema_are_counted_by_column_and_check(tiny, make_rows):
    tiny.write("schema.py", SCHEMA)
    reason = refused(tiny, schema="schema.py:Rows").reason
    assert "The data breaks the schema schema.py:Rows" in reason
    below = [row["a"] for row in make_rows(80) if row["a"] < 0]
    assert (
        f'column "a" breaks greater_than_or_equal_to(0) in {len(below)} rows of rows.csv, such as {below[0]} in row '
        in reason
    )
    assert "column \"b\" breaks dtype('int64'): 'float64'" in reason


MONTHS = """\
import pandera.pandas as pa
schema = pa.DataFrameSchema(
    {"a": pa.Column(float, pa.Check.in_range(-5, 5), coerce=True)},
    checks=pa.Check(lambda rows: rows["b"] <= 50, name="b_at_most_50"),
)
"""


def test_the_file_and_its_row_that_break_the_schema_are_named_with_what_to_do(tiny, make_rows):
    tiny.write("schema.py", MONTHS)
    tiny.rows("2024-01.csv", [*make_rows(20), {"a": 40.0, "b": 1.0, "y": 1.0}, {"a": 41.0, "b": 1.0, "y": 1.0}])
    tiny.rows("2024-02.csv", [*make_rows(2), {"a": 1.0, "b": 60.0, "y": 1.0}])
    tiny.rows("2024-03.csv", [*make_rows(1), {"a": 1.0, "b": 61.0, "y": 1.0}])
    (tiny.data / "rows.csv").unlink()
    no = refused(tiny, schema="schema.py:schema", holdout={"by": "newest"})
    assert 'column "a" breaks in_range(-5, 5) in 2 rows of 2024-01.csv, such as 40.0 in row 21' in no.reason
    assert "b_at_most_50 is broken in 2 rows of 2 files, such as row 3 of 2024-02.csv" in no.reason
    names = "(2024-01.csv, 2024-02.csv, 2024-03.csv)"
    assert no.advice == f"Put corrected data under the same name {names}, or change the schema and push"


def test_a_value_of_another_type_is_told_once(tiny, make_rows):
    tiny.write("schema.py", MONTHS)
    tiny.rows("rows.csv", [row | {"a": "warm" if at == 6 else row["a"]} for at, row in enumerate(make_rows(30))])
    reason = refused(tiny, schema="schema.py:schema").reason
    told = "column \"a\" breaks coerce_dtype('float64') in 1 row of rows.csv, such as 'warm' in row 7"
    assert reason == f"The data breaks the schema schema.py:schema: {told}"


def test_a_newest_file_with_a_header_only_is_named(tiny, make_rows):
    (tiny.data / "then.csv").write_text("a,b,y\n")
    no = refused(tiny, holdout={"by": "newest"})
    assert no.reason == "then.csv has no rows, and the newest file is the holdout"
    assert no.advice == "Put then.csv again with its rows"
    assert "then.csv has no rows" in check(tiny.job())["notes"]


def test_a_holdout_that_nothing_can_be_judged_on_fails_before_training(tiny, make_rows):
    tiny.rows("then.csv", [row | {"y": None} for row in make_rows(9)])
    assert refused(tiny, holdout={"by": "newest"}).reason == 'No row of the holdout has a value in "y"'
    tiny.rows("rows.csv", [row | {"y": at % 2} for at, row in enumerate(make_rows(30))])
    tiny.rows("then.csv", [row | {"y": 1} for row in make_rows(9)])
    no = refused(tiny, holdout={"by": "newest"}, metric="roc_auc")
    assert no.reason == "The holdout has 1 classes (1) and roc_auc needs two"


def test_a_column_that_the_schema_wants_and_the_data_lacks_is_named(tiny):
    tiny.write("schema.py", "import pandera.pandas as pa\nschema = pa.DataFrameSchema({'bmi': pa.Column(float)})\n")
    assert 'column "bmi" breaks column_in_dataframe' in refused(tiny, schema="schema.py:schema").reason


def test_what_the_schema_declares_wins_over_what_was_seen(tiny):
    tiny.write(
        "schema.py",
        "import pandera.pandas as pa\nschema = pa.DataFrameSchema({'a': pa.Column(float, nullable=True)})\n",
    )
    (tiny.data / "rows.csv").write_text("a,b,y\n" + "".join(f"{at},{at},{at}.5\n" for at in range(30)))
    columns = check(tiny.job())["schema"]["columns"]
    assert [(column["type"], column["nullable"]) for column in columns] == [("integer", False), ("integer", False)]
    column = "pa.Column(float, nullable=True, coerce=True)"
    tiny.write("schema.py", f"import pandera.pandas as pa\nschema = pa.DataFrameSchema({{'a': {column}}})\n")
    columns = check(tiny.job(schema="schema.py:schema"))["schema"]["columns"]
    assert [(column["type"], column["nullable"]) for column in columns] == [("number", True), ("integer", False)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import pandera\n\nschema = {}['rows']\n", "did not run: KeyError: 'rows' (schema.py:3)"),
        ("schema = (\n", "did not run: SyntaxError: '(' was never closed (schema.py:1)"),
        ("other = 1\n", "has no attribute 'schema'"),
    ],
)
def test_a_schema_that_does_not_load_names_its_line(tiny, text, told):
    tiny.write("schema.py", text)
    assert told in refused(tiny, schema="schema.py:schema").reason


@pytest.mark.parametrize("value", ["inf", "-inf"])
def test_an_infinite_number_is_named_with_its_row(tiny, make_rows, value):
    rows = make_rows(40)
    rows[7]["b"] = value
    tiny.rows("rows.csv", rows)
    assert refused(tiny).reason == f'Column "b" holds {value} in 1 of 40 rows, first in row 8 of rows.csv'


def test_a_word_among_numbers_is_worth_a_note(tiny, make_rows):
    rows = make_rows(40)
    rows[3]["a"] = "n/a?"
    tiny.rows("rows.csv", rows)
    assert (
        'column "a" is text because of 1 of 40 values, such as "n/a?" in row 4 of rows.csv: the others are numbers'
        in check(tiny.job())["notes"]
    )


def test_a_column_of_words_is_not_worth_a_note(tiny, make_rows):
    tiny.rows("rows.csv", [row | {"c": chance} for row, chance in zip(make_rows(40), "ab1c" * 10, strict=True)])
    assert not [note for note in check(tiny.job())["notes"] if '"c"' in note]


def test_an_index_that_was_written_along_is_worth_a_note(tiny, make_rows):
    tiny.rows("rows.csv", [{"": at} | row for at, row in enumerate(make_rows(40))])
    result = check(tiny.job())
    assert result["schema"]["order"] == ["Unnamed: 0", "a", "b"]
    assert 'column "Unnamed: 0" has no name in the file: an index that was written along?' in result["notes"]
