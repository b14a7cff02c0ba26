"""What a month of flights has to look like; the data of a release is held against it before anything is trained.

The ranges are those of the measurement, not of the months so far: a new record is data, a pressure among the
temperatures is a broken feed.
"""

import pandas as pd
import pandera.pandas as pa


def measured(low: float, high: float, what: str) -> pa.Column:
    """Describe a measurement of the weather, which may be missing."""
    return pa.Column(float, pa.Check.in_range(low, high), nullable=True, coerce=True, description=what)


def dew_point_fits(rows: pd.DataFrame) -> pd.Series:
    """Say for each row whether its dew point is at most its temperature, as in any air; half a degree is rounding."""
    return ~(rows["dewp"] > rows["temp"] + 0.5)


schema = pa.DataFrameSchema(
    {
        "carrier": pa.Column(str, pa.Check.str_matches(r"^[A-Z0-9]{2}$")),
        "origin": pa.Column(str, pa.Check.isin(["EWR", "JFK", "LGA"])),
        "dest": pa.Column(str, pa.Check.str_matches(r"^[A-Z]{3}$")),
        "distance": pa.Column(int, pa.Check.in_range(10, 10_000), coerce=True, description="miles"),
        "weekday": pa.Column(int, pa.Check.in_range(0, 6), coerce=True, description="Monday is 0"),
        "hour": pa.Column(int, pa.Check.in_range(0, 23), coerce=True, description="scheduled departure"),
        "minute": pa.Column(int, pa.Check.in_range(0, 59), coerce=True, description="scheduled departure"),
        "temp": measured(-40, 130, "degrees Fahrenheit"),
        "dewp": measured(-60, 90, "degrees Fahrenheit"),
        "humid": measured(0, 100, "relative humidity, percent"),
        "wind_dir": measured(0, 360, "degrees"),
        "wind_speed": measured(0, 250, "miles per hour"),
        "precip": measured(0, 20, "inches an hour"),
        "pressure": measured(870, 1090, "millibars"),
        "visib": measured(0, 10, "miles; 10 and more are 10"),
        "late": pa.Column(int, pa.Check.isin([0, 1]), coerce=True, description="arrived more than 15 minutes late"),
    },
    checks=pa.Check(dew_point_fits, name="dew_point_at_most_temperature"),
    strict=True,
)
