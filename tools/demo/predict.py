"""One row of the data through the live address, beside its true value."""

import csv
import gzip
import io
import json
import os
import subprocess
import zlib
from pathlib import Path
from typing import Any

import httpx

from tools.demo.place import HOUSE, Place, Trouble

Row = dict[str, Any]
SUFFIXES = (".csv", ".jsonl")
JOBS = HOUSE / "shared" / "jobs"
# What a column holds follows from all of the file, and separators, words for nothing and formats are many.
READING = """
import json, sys
from pathlib import Path
from signalbox_job.columns import plain_rows
from signalbox_job.tables import read_table
table = read_table(Path(sys.argv[1]), Path(sys.argv[1]).name)
print(json.dumps([table.columns, plain_rows(table.frame.head(50), table.columns)]))
"""


def prediction(place: Place, address: str, key: str = "") -> str:
    """POST one row of the uploaded data to a scoring URL, and return what it says beside the truth; no key is shown."""
    target = place.settings["data"]["target"]
    rows = [row for row in read(place) if row.get(target) is not None]
    if not rows:
        raise Trouble(f"No row at the beginning of the data in {place.upload} has a {target}.")
    truth = rows[0][target]
    row = {name: value for name, value in rows[0].items() if name != target}
    wants = place.settings.get("score", {}).get("input", "records")
    body = {"data": [row if wants == "records" else list(row.values())]}
    with httpx.Client(timeout=30, trust_env=False) as client:
        answer = client.post(address, json=body, headers={"Authorization": f"Bearer {key}"} if key else {})
    if answer.is_error:
        raise Trouble(f"{address} answered {answer.status_code}: {answer.text[:500]}")
    # Only the router of one machine says with every answer who gives it.
    release = answer.headers.get("X-Signalbox-Release", "")[:7]
    by = f"; answered by release {release}" if release else ""
    shown = json.dumps(body, ensure_ascii=False)
    return f"  POST {address}\n  {shown}\n  -> {answer.text.strip()}    ({target} in the data: {truth}{by})"


def read(place: Place) -> list[Row]:
    """Return the first rows of the first data file, read as the jobs read it, by an environment they run in."""
    wanted = place.settings["data"].get("files", "*.csv")
    file = next((file for file in place.files if file.match(wanted)), place.files[0])
    told = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(JOBS), "PYTHONIOENCODING": "utf-8"}
    pythons = [*place.state.glob("envs/*/venv/bin/python"), *place.state.glob("azure-envs/*/bin/python")]
    for python in sorted(pythons):
        command = [python.absolute(), "-c", READING, file.absolute()]
        ran = subprocess.run(command, env=told, capture_output=True, text=True, encoding="utf-8", check=False)
        if ran.returncode == 0:
            columns, rows = json.loads(ran.stdout)
            return [dict(zip(columns, row, strict=True)) for row in rows]
    raise Trouble(f"{file.name} cannot be read here to show a prediction; the release itself is live.")


def rows_in(file: Path) -> int | None:
    """Return how many rows a text file of data has; None for another format, or when the check will refuse it."""
    if not file.name.removesuffix(".gz").endswith(SUFFIXES):
        return None
    try:
        content = file.read_bytes()
        text = (gzip.decompress(content) if file.suffix == ".gz" else content).decode("utf-8-sig")
        if ".jsonl" in file.suffixes:
            return sum(1 for line in text.split("\n") if line.strip())
        separator = max(",;\t|", key=text.partition("\n")[0].count)
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return max(0, sum(1 for row in rows if row) - 1)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error):
        return None
