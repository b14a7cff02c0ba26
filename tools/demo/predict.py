"""One real row through the address that production answers at, beside its true value."""

import csv
import gzip
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpx

from tools.demo.place import Place, Trouble

Row = dict[str, Any]


def prediction(place: Place, address: str) -> str:
    """POST one row of the uploaded data to a scoring URL and return what it says beside the truth."""
    target = place.settings["data"]["target"]
    rows = [row for row in read(place) if row.get(target) is not None]
    if not rows:
        raise Trouble(f"No row of {place.upload} has a {target}.")
    truth = rows[0][target]
    row = {name: value for name, value in rows[0].items() if name != target}
    wants = place.settings.get("score", {}).get("input", "records")
    body = {"data": [row if wants == "records" else list(row.values())]}
    with httpx.Client(timeout=30, trust_env=False) as client:
        answer = client.post(address, json=body)
    if answer.is_error:
        raise Trouble(f"{address} answered {answer.status_code}: {answer.text[:500]}")
    release = answer.headers.get("X-Signalbox-Release", "")[:7]
    return (
        f"  POST {address}\n  {json.dumps(body)}\n"
        f"  -> {answer.text.strip()}    ({target} in the data: {truth}; answered by release {release})"
    )


def read(place: Place) -> list[Row]:
    """Return the first rows of the first data file, with the types of JSON."""
    wanted = place.settings["data"].get("files", "*.csv")
    file = next((file for file in place.files if file.match(wanted)), place.files[0])
    name = file.name.removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson")):
        return [json.loads(line) for line in text(file)[:50] if line.strip()]
    if name.endswith(".csv"):
        return typed(list(csv.DictReader(text(file)[:200])))
    return by_pandas(place, file)


def text(file: Path) -> list[str]:
    """Return the lines of a text file, gzipped or not."""
    content = file.read_bytes()
    return (gzip.decompress(content) if file.suffix == ".gz" else content).decode("utf-8-sig").splitlines()


def typed(rows: list[dict[str, str]]) -> list[Row]:
    """Give each column the narrowest of integer, number, boolean and string that fits all its cells."""
    columns = {name: column(row[name] for row in rows) for name in (rows[0] if rows else {})}
    return [{name: columns[name][at] for name in columns} for at in range(len(rows))]


def column(cells: Iterable[str]) -> list[Any]:
    """Return the values of one column; an empty cell is null."""
    found = list(cells)
    kinds: tuple[Any, ...] = (int, float, {"True": True, "False": False}.__getitem__)
    for kind in kinds:
        try:
            return [kind(cell) if cell else None for cell in found]
        except (ValueError, KeyError):
            continue
    return [cell or None for cell in found]


def by_pandas(place: Place, file: Path) -> list[Row]:
    """Read another format with the pandas that the project's own environment has."""
    code = (
        "import sys, pandas as p; f = sys.argv[1];"
        "print((p.read_parquet(f) if '.parquet' in f else p.read_table(f)).head(50)"
        ".to_json(orient='records', lines=True))"
    )
    for python in sorted(place.state.glob("envs/*/bin/python")):
        ran = subprocess.run([python, "-c", code, str(file)], capture_output=True, text=True, check=False)
        if ran.returncode == 0:
            return [json.loads(line) for line in ran.stdout.splitlines() if line]
    raise Trouble(f"{file.name} cannot be read here to show a prediction; the release itself is live.")
