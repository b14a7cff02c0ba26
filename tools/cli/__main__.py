"""`python -m tools.cli`."""

from tools.cli.app import main

main()
