"""What the data has to look like, in raw units; the data of a release is held against it before anything is trained."""

import pandera.pandas as pa

schema = pa.DataFrameSchema(
    {
        "age": pa.Column(float, pa.Check.in_range(0, 120), coerce=True, description="years"),
        "sex": pa.Column(float, pa.Check.isin([1, 2]), coerce=True),
        "bmi": pa.Column(float, pa.Check.in_range(10, 80), coerce=True, description="kg/m2"),
        "bp": pa.Column(float, pa.Check.in_range(30, 250), coerce=True, description="mean blood pressure, mmHg"),
        **{f"s{number}": pa.Column(float, pa.Check.ge(0), coerce=True) for number in range(1, 7)},
        "target": pa.Column(float, pa.Check.ge(0), coerce=True, description="progression after one year"),
    },
    strict=True,
)
