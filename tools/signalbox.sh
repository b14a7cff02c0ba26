#!/bin/sh
# The `signalbox` command of this checkout; `make setup` puts it at .venv/bin/signalbox.
root=$(CDPATH= cd -- "$(dirname -- "$0")/../.." && pwd)
# Children start in 3 s with compiled bytecode and in 14 s without.
unset PYTHONDONTWRITEBYTECODE
PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}" exec "$root/.venv/bin/python" -m tools.cli "$@"
