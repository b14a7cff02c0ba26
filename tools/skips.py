"""Fail when a test was skipped for a reason that nobody allowed.

`python -m tools.skips ALLOWED.txt REPORT.xml...`; the reports are pytest's junit XML.
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


def main(allowed: str, *reports: str) -> int:
    """Print what was skipped without leave; 1 if anything was."""
    found = [line for report in reports for line in not_allowed(Path(report), Path(allowed))]
    for line in found:
        print(line)
    if found:
        print(f"Let the test run, or add its reason to {allowed}.")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
