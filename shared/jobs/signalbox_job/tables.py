"""A project's data: the files its training reads, as tables.

A table keeps the text of its rows beside the values, so that a part of it can be written exactly as it arrived.
"""

import csv
import gzip
import hashlib
import io
import json
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .outcome import Job, JobFailed

# Every digit of a number counts; pandas 3.1 made that its default and deprecated the word for it.
EXACT: dict[str, Any] = (
    {} if tuple(map(int, pd.__version__.split(".")[:2])) >= (3, 1) else {"float_precision": "round_trip"}
)
SUFFIXES = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".parquet")


@dataclass(frozen=True)
class Table:
    """One file: `name` within the data, its rows as `frame`, and their text unless the format is binary.

    `header` is the columns' line of a CSV file, empty otherwise; `records` has one text a row.
    """

    name: str
    sha256: str
    columns: tuple[str, ...]
    frame: pd.DataFrame
    header: str = ""
    records: tuple[str, ...] | None = None

    def write(self, rows: np.ndarray, path: Path) -> None:
        """Write the rows marked True in `rows` (bool, one a row) to `path`, in the format of the file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.records is None:
            self.frame.loc[rows].to_parquet(path, index=False)
            return
        kept = [record for record, wanted in zip(self.records, rows, strict=True) if wanted]
        text = "".join(line if line.endswith("\n") else line + "\n" for line in [self.header, *kept] if line)
        content = text.encode("utf-8")
        path.write_bytes(gzip.compress(content, mtime=0) if self.name.endswith(".gz") else content)


def read_tables(job: Job) -> list[Table]:
    """Read every file of the job's data that the training reads, sorted by name.

    Raises `JobFailed` when there is none, or when one cannot be read.
    """
    pattern = job.setting("files", "*.csv")
    container = job.setting("container", job.project)
    arrived = [path for path in sorted(job.data.rglob("*")) if path.is_file()] if job.data.is_dir() else []
    put = f"Put some with: signalbox data put {job.project} FILE"
    if not arrived:
        raise JobFailed(f"No data has arrived for project {job.project} in container {container}", put)
    wanted = _matching(job, str(pattern))
    files = [path for path in arrived if path in wanted]
    if not files:
        seen = ", ".join(path.relative_to(job.data).as_posix() for path in arrived[:3])
        raise JobFailed(
            f'None of the {len(arrived)} files in container {container} matches files = "{pattern}": {seen}',
            f"Correct files in [data] of signalbox.toml, or put matching data. {put}",
        )
    tables = [read_table(path, path.relative_to(job.data).as_posix()) for path in files]
    rows = sum(len(table.frame) for table in tables)
    print(f"{rows} rows in {len(tables)} file{'s' if len(tables) > 1 else ''}", flush=True)
    return tables


def _matching(job: Job, pattern: str) -> set[Path]:
    """Return what the pattern matches at any depth: a container's prefix is part of a blob's name."""
    try:
        return set(job.data.rglob(pattern))
    except (ValueError, NotImplementedError) as fault:
        raise JobFailed(
            f'files = "{pattern}" is no pattern within the data: {fault}', 'Use one like "*.csv"'
        ) from fault


def read_table(path: Path, name: str) -> Table:
    """Read one file by its suffix; `JobFailed` names the file and what is wrong with it."""
    content = path.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if not name.endswith(SUFFIXES):
        raise JobFailed(f"{name} is of no known format", f"Use one of {', '.join(SUFFIXES)}, or narrow files in [data]")
    if name.endswith(".parquet"):
        frame = _parquet(content, name)
        return Table(name, digest, tuple(map(str, frame.columns)), frame)
    text = _text(content, name)
    if not text.strip():
        raise JobFailed(f"{name} is empty", "Put it again with its rows, or take it out of the container")
    if name.removesuffix(".gz").endswith(".jsonl"):
        records = tuple(line for line in text.split("\n") if line.strip())
        frame = _json_lines(records, name)
        return Table(name, digest, tuple(map(str, frame.columns)), frame, "", records)
    separator, header, records = _csv_records(text, name)
    frame = _csv_frame(header, records, separator, name)
    given = next(csv.reader([header], delimiter=separator))
    # An index that was written along has no name; everybody who reads the file by pandas knows it by pandas' own.
    columns = tuple(name or str(pandas) for name, pandas in zip(given, frame.columns, strict=True))
    return Table(name, digest, columns, frame, header, records)


def _unreadable(name: str, kind: str, why: object) -> JobFailed:
    why_line = " ".join(str(why).split())[:200]
    return JobFailed(f"{name} cannot be read as {kind}: {why_line}", "Put a corrected file under the same name")


def _text(content: bytes, name: str) -> str:
    try:
        plain = gzip.decompress(content) if name.endswith(".gz") else content
        return plain.decode("utf-8-sig")
    except (gzip.BadGzipFile, EOFError, zlib.error) as fault:
        raise _unreadable(name, "gzip", fault) from fault
    except UnicodeDecodeError as fault:
        raise _unreadable(name, "UTF-8 text", f"byte {fault.start} is not UTF-8") from fault


def _csv_records(text: str, name: str) -> tuple[str, str, tuple[str, ...]]:
    """Return separator, header and the text of each row; a quoted value may span lines."""
    lines = list(io.StringIO(text, newline=""))
    first = next(line for line in lines if line.strip())
    separator = max(",;\t|", key=first.count)
    if '"' in text:
        reader, whole, start = csv.reader(iter(lines), delimiter=separator), [], 0
        try:
            for _ in reader:
                whole.append("".join(lines[start : reader.line_num]))
                start = reader.line_num
        except csv.Error as fault:
            raise _unreadable(name, "CSV", f"line {reader.line_num}: {fault}") from fault
        lines = whole
    lines = [line for line in lines if line.strip()]
    return separator, lines[0], tuple(lines[1:])


def _csv_frame(header: str, records: tuple[str, ...], separator: str, name: str) -> pd.DataFrame:
    head = header if header.endswith(("\n", "\r")) else header + "\n"
    try:
        with warnings.catch_warnings():
            # Rows longer than the header are otherwise cut with a warning.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            frame = pd.read_csv(
                io.StringIO(head + "".join(records), newline=""),
                sep=separator,
                index_col=False,
                skip_blank_lines=False,
                low_memory=False,
                **EXACT,
            )
    except (ValueError, pd.errors.ParserWarning) as fault:
        raise _unreadable(name, "CSV", fault) from fault
    if len(frame) != len(records):
        raise _unreadable(name, "CSV", f"{len(records)} rows in the text, {len(frame)} read")
    return frame


def _json_lines(records: tuple[str, ...], name: str) -> pd.DataFrame:
    rows = []
    for number, record in enumerate(records, 1):
        try:
            row = json.loads(record)
        except ValueError as fault:
            raise _unreadable(name, "JSON lines", f"row {number}: {fault}") from fault
        if not isinstance(row, dict):
            raise _unreadable(name, "JSON lines", f"row {number} is not an object")
        nested = [key for key, value in row.items() if isinstance(value, (dict, list))]
        if nested:
            raise _unreadable(name, "a table", f'row {number} holds more than one value in "{nested[0]}"')
        rows.append(row)
    return pd.DataFrame(rows)


def _parquet(content: bytes, name: str) -> pd.DataFrame:
    try:
        return pd.read_parquet(io.BytesIO(content)).reset_index(drop=True).rename(columns=str)
    except ImportError as fault:
        raise JobFailed(f"{name} is parquet and nothing here reads it", "Add pyarrow to requirements.txt") from fault
    except (ValueError, OSError) as fault:
        raise _unreadable(name, "parquet", fault) from fault
