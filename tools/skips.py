"""Fail when a test was skipped for a reason that nobody allowed.

`python -m tools.skips REPORT.xml ALLOWED.txt`; the report is pytest's junit XML.
"""

import sys
from pathlib import Path
from xml.etree import ElementTree


def not_allowed(report: Path, allowed: Path) -> list[str]:
    """Return one line for each skipped test whose reason is not a line of `allowed`."""
    reasons = {line.strip() for line in allowed.read_text().splitlines() if not line.startswith("#")}
    return [
        f"{case.get('classname')}::{case.get('name')} was skipped: {skip.get('message')}"
        for case in ElementTree.parse(report).iter("testcase")
        for skip in case.iter("skipped")
        if skip.get("message", "").strip() not in reasons
    ]


def main(report: str, allowed: str) -> int:
    """Print what was skipped without leave; 1 if anything was."""
    found = not_allowed(Path(report), Path(allowed))
    for line in found:
        print(line)
    if found:
        print(f"Let the test run, or add its reason to {allowed}.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
