"""`python -m tools.local up|secret|key`: the whole of Signalbox on one machine."""

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.local.keys import make_function_key, make_secret
from tools.local.settings import BACKENDS, STORAGES, Plan, chosen_storage
from tools.local.supervisor import run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.local", description="Signalbox on one machine.")
    commands = parser.add_subparsers(dest="command", required=True)
    up = commands.add_parser("up", help="start everything and stay until Ctrl-C")
    up.add_argument("--state", type=Path, default=Path(".signalbox"), help="the state folder")
    up.add_argument("--projects", type=Path, required=True, help="the operator's projects.toml")
    up.add_argument("--app", type=Path, default=Path(), help="the folder with function_app.py")
    up.add_argument("--host-port", type=int, default=7071, help="0 = any free one")
    up.add_argument("--grid-port", type=int, default=7072, help="0 = any free one")
    up.add_argument("--without", action="append", default=[], metavar="FUNCTION", help="deliver no events to it")
    up.add_argument("--time-scale", type=_positive, default=1.0, help="multiplies the topic's waits and times to live")
    up.add_argument("--duplicates", type=int, default=0, metavar="N", help="deliver each event N times more")
    up.add_argument("--no-patrol", action="store_true", help="switch the patrol off")
    up.add_argument(
        "--storage", choices=STORAGES, help="files, our own Azurite, or the account STORAGE_CONNECTION names"
    )
    up.add_argument("--backend", choices=BACKENDS, default="local", help="where jobs, models and services are")
    up.add_argument("--json", action="store_true", help="tell the addresses as JSON")
    secret = commands.add_parser("secret", help="print a secret of keys.json, made at first use")
    secret.add_argument("--state", type=Path, default=Path(".signalbox"), help="the state folder")
    secret.add_argument("name", help="its name; the app reads it as SECRET_<name>")
    key = commands.add_parser("key", help="print a key that opens one function only, made at first use")
    key.add_argument("--state", type=Path, default=Path(".signalbox"), help="the state folder")
    key.add_argument("function", help="the function it opens")
    key.add_argument("name", nargs="?", default="default", help="whose key it is")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    given = _parser().parse_args(arguments)
    if given.command == "secret":
        return _secret(given.state, given.name)
    if given.command == "key":
        return _key(given.state, given.function, given.name)
    return run(
        Plan(
            state=given.state.resolve(),
            projects=given.projects.resolve(),
            app=given.app.resolve(),
            host_port=given.host_port,
            grid_port=given.grid_port,
            without=tuple(given.without),
            patrol=not given.no_patrol,
            time_scale=given.time_scale,
            duplicates=given.duplicates,
            json=given.json,
            backend=given.backend,
            storage=chosen_storage(given.state, given.storage),
        )
    )


def _positive(text: str) -> float:
    number = float(text)
    if not number > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _secret(state: Path, name: str) -> int:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        print(f"{name!r} cannot be a secret's name: use letters, digits and _.", file=sys.stderr)
        return 2
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    print(make_secret(state, name))
    return 0


def _key(state: Path, function: str, name: str) -> int:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_-]*", function):
        print(f"{function!r} cannot be a function's name: use letters, digits, - and _.", file=sys.stderr)
        return 2
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    print(make_function_key(state, function, name))
    print("A host that runs knows a new key once it has started again.", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
