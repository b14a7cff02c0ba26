"""`python -m tests.conformance`: print the table, write docs/conformance.md, fail where the two disagree."""

import sys
import tempfile
from pathlib import Path

from tests.conformance.interpreter import NoPython313
from tests.conformance.page import PAGE, page, plain, summary
from tests.conformance.verdicts import cases


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        try:
            judged = cases(Path(folder))
        except NoPython313 as missing:
            print(f"{missing}; nothing was compared. Install one, for example: .venv/bin/uv python install 3.13")
            return 1
    print(plain(judged))
    PAGE.write_text(page(judged))
    print(f"{summary(judged).capitalize()}; written to {PAGE.name}.")
    return int(not all(one.agree for one in judged))


if __name__ == "__main__":
    sys.exit(main())
