"""Run `python -m tests.security.switched_off [PATCH...]`."""

import sys

from tests.security.switched_off import main

sys.exit(main(sys.argv[1:]))
