"""What the service refuses before the project's run() sees it."""

import json

import pytest
from signalbox_job.bad_inputs import bad_inputs
from signalbox_schema import problem_in

COLUMNS = [
    {"name": "age", "type": "integer", "nullable": False},
    {"name": "bmi", "type": "number", "nullable": True},
    {"name": "city", "type": "string", "nullable": False},
    {"name": "owner", "type": "boolean", "nullable": False},
]
ORDER = [column["name"] for column in COLUMNS]
GOOD = {"age": 50, "bmi": 27.5, "city": "Bern", "owner": True}
RECORDS = {"input": "records", "columns": COLUMNS, "order": ORDER}
ROWS = {"input": "rows", "columns": list(reversed(COLUMNS)), "order": ORDER}


def record(**changed) -> str:
    return json.dumps({"data": [GOOD, GOOD | changed]})


@pytest.mark.parametrize(
    "changed",
    [{}, {"age": 50.0}, {"bmi": 27}, {"bmi": None}, {"age": -3}, {"city": ""}, {"bmi": 1e308}, {"bmi": 10**15}],
)
def test_good_input_passes(changed):
    assert problem_in(record(**changed), RECORDS) is None
    assert problem_in(json.dumps({"data": [list((GOOD | changed).values())]}), ROWS) is None


@pytest.mark.parametrize(
    ("changed", "field", "told"),
    [
        ({"age": 50.5}, "age", 'Row 2, column "age" is 50.5 where a whole number is expected'),
        ({"age": "50"}, "age", 'is "50" where a whole number is expected'),
        ({"age": True}, "age", "is true where a whole number is expected"),
        ({"age": None}, "age", 'Row 2, column "age" is null and a value is needed'),
        ({"age": 2**64}, "age", "where a whole number is expected"),
        ({"bmi": "x"}, "bmi", "where a number is expected"),
        ({"bmi": [1]}, "bmi", "is [1] where a number is expected"),
        ({"city": 1}, "city", "is 1 where text is expected"),
        ({"owner": 1}, "owner", "is 1 where true or false is expected"),
        ({"zip": 1}, "zip", 'Row 2 has an unknown column "zip"'),
    ],
)
def test_a_wrong_value_is_named_with_its_row_and_column(changed, field, told):
    problem = problem_in(record(**changed), RECORDS)
    assert problem is not None
    assert told in problem["error"]
    assert (problem["field"], problem["row"]) == (field, 2)


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "The body is empty"),
        ("nope", "The body is not JSON"),
        ('{"data": [{"age": NaN}]}', "The body holds NaN"),
        ('{"data": [{"age": -Infinity}]}', "The body holds -Infinity"),
        ("[1]", "The body is an array where an object is expected"),
        ("null", "The body is null where an object is expected"),
        ('{"input": []}', 'The body has no "data" (keys: "input")'),
        ('{"data": [], "more": 1}', 'The body has "more" beside "data"'),
        ('{"data": {}}', '"data" is an object where an array of rows is expected'),
        ('{"data": []}', '"data" is empty'),
        ('{"data": [1]}', "Row 1 is a number where an object is expected"),
        ('{"data": [[1, 2]]}', "Row 1 is an array where an object is expected"),
        ('{"data": [{"age": 1}]}', 'Row 1 has no "bmi"'),
        ("[" * 100_000, "The body is nested too deeply"),
        ('{"data": [{"age": 1e999, "bmi": 1, "city": "a", "owner": true}]}', "where a whole number is expected"),
        ('{"data": [{"age": ' + "9" * 5000 + "}]}", "The body is not JSON"),
    ],
)
def test_a_wrong_body_is_told_what_is_expected(body, told):
    problem = problem_in(body, RECORDS)
    assert problem is not None
    assert told in problem["error"]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ([50, 27.5, "Bern"], "Row 1 has 3 values and 4 are expected: age, bmi, city, owner"),
        ([27.5, 50, "Bern", True], 'column "age" is 27.5'),
        (GOOD, "Row 1 is an object where an array is expected"),
    ],
)
def test_a_wrong_row_is_told_the_order(row, told):
    problem = problem_in(json.dumps({"data": [row]}), ROWS)
    assert problem is not None
    assert told in problem["error"]


@pytest.mark.parametrize("schema", [RECORDS, ROWS], ids=["records", "rows"])
def test_every_bad_input_that_try_sends_is_refused_by_the_schema(schema):
    good = GOOD if schema["input"] == "records" else list(GOOD.values())
    tried = bad_inputs({"rows": [good], "columns": ORDER}, schema)
    assert len(tried) >= 25
    assert len({name for name, _ in tried}) == len(tried)
    assert problem_in(json.dumps({"data": [good]}), schema) is None
    for name, body in tried:
        if name != "not UTF-8":
            assert problem_in(body.decode(), schema) is not None, name


def test_there_are_twelve_bad_inputs_even_for_a_project_of_one_text_column():
    assert len(bad_inputs({"rows": [["x"]], "columns": ["word"]}, {})) >= 12
