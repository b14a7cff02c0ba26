"""The schema: which months are no months of flights."""

import pandas as pd
import pandera.errors
import pytest
from schema import schema

FLIGHT = {"carrier": "UA", "origin": "EWR", "dest": "IAH", "distance": 1400, "weekday": 1, "hour": 5, "minute": 15}
WEATHER = {"temp": 39.0, "dewp": 28.0, "humid": 64.4, "wind_dir": 260, "wind_speed": 12.7, "precip": 0}
WEATHER |= {"pressure": 1012.0}
GOOD = FLIGHT | WEATHER | {"visib": 10.0, "late": 0}


def held(**changed: object) -> pd.DataFrame:
    return schema.validate(pd.DataFrame([GOOD, GOOD | changed]), lazy=True)


def test_a_flight_whose_weather_is_not_known_is_a_flight():
    assert len(held(temp=None, dewp=None, pressure=None)) == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [("temp", 1012.0), ("pressure", 39.0), ("dewp", 45.0), ("origin", "BOS"), ("late", 2), ("wind_speed", 1048.4)],
)
def test_a_value_that_no_flight_has_is_refused(column: str, value: object):
    with pytest.raises(pandera.errors.SchemaErrors):
        held(**{column: value})


def test_a_feed_whose_columns_are_rotated_is_refused():
    names = list(WEATHER)
    rotated = dict(zip(names, [WEATHER[name] for name in names[1:] + names[:1]], strict=True))
    with pytest.raises(pandera.errors.SchemaErrors):
        held(**rotated)
