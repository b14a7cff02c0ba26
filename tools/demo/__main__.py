"""`python -m tools.demo`: the whole story, told as it happens."""

import argparse
import signal
import sys
import threading
import time
from pathlib import Path

import httpx
from rich.console import Console

from tools.cli.reach import Refused, Unreachable, reach
from tools.demo import place, predict
from tools.demo.place import Place, Trouble
from tools.demo.story import Story
from tools.demo.watch import View
from tools.local.stack import NotStarted, Stack


def told(at: Place) -> str:
    """Return the demo's first line."""
    rows = [count for file in at.files if (count := predict.rows_in(file)) is not None]
    size = f"{sum(rows):,} rows" if rows else f"{len(at.files)} file{'s' if len(at.files) > 1 else ''}"
    who = f"one approver ({place.APPROVER})"
    return f"Signalbox demo: {at.project} ({size}), a git repository, {who}. Nothing leaves this machine."


def run(given: argparse.Namespace, console: Console) -> None:
    """Tell the story; `Trouble` when it does not end as it should."""
    began = time.monotonic()
    alone = given.yes or not sys.stdin.isatty()
    at = place.prepare(given.state, given.project, given.data)
    console.print(told(at), soft_wrap=True, markup=False)
    with Stack(at.state, at.projects_file, host_port=7071, grid_port=7072) as stack:
        story = Story(at, reach(at.state), stack.keys.topic, console, alone)
        story.say(f"  the app {stack.host_url}, the topic and the live addresses {stack.grid_url}")
        whole(stack)
        story.bring_data()
        message = place.git("log", "-1", "--format=%s", at=at.working)
        first = story.to_production(story.release(place.head(at.working), message))
        console.print(f"\n  In production after {time.monotonic() - began:.1f} s. One row of the data through it:\n")
        story.say(predict.prediction(at, first["address"]))
        second = story.not_better()
        story.closing(first)
        console.print(f"\nMeasured: {time.monotonic() - began:.1f} s from nothing to here.")
        following(story, first, second)
        if not alone:
            stay()


def whole(stack: Stack) -> None:
    """Raise `Trouble` with what the stack said unless all of the app was loaded."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        health = client.get(f"{stack.host_url}/api/health")
    if health.is_error or health.json()["status"] != "ok":
        raise Trouble(
            f"The app is not whole: {health.text or health.status_code}\nThe stack said:\n{stack.log[-3000:]}"
        )


def following(story: Story, first: View, second: View) -> None:
    """Print the commands to try next; without a person the stack ends first, so they begin with starting it."""
    story.say("\nNext:")
    if story.alone:
        story.say(f"  {story.command('up')}    (in another terminal)")
    for line in ("status", f"show {first['alias']} --evidence", f"show {second['alias']}"):
        story.say(f"  {story.command(line)}")
    story.say(f"  change something in {story.at.working}, commit it, and git push origin HEAD:main")


def stay() -> None:
    """Leave the stack up until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print("\nThe stack stays up. Ctrl-C ends it; its state is kept until the next demo.", flush=True)
    ended.wait()


def main() -> int:
    """Read the arguments and run; 0 only if the first push is live and the second was kept."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".demo"), help="the state folder, made anew")
    parser.add_argument("--project", type=Path, help="a git repository or a plain folder with a signalbox.toml")
    parser.add_argument("--data", type=Path, help="the folder with its data")
    parser.add_argument("--yes", action="store_true", help="answer for the approver and take the stack down")
    console = Console(highlight=False)
    # Told to end, the demo takes its stack down as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(parser.parse_args(), console)
    except (Trouble, Refused, Unreachable, NotStarted, TimeoutError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
