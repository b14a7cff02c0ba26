"""`python -m tools.demo`: the whole story, told as it happens."""

import argparse
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import httpx
from rich.console import Console

from tools.cli.reach import Refused, Unreachable, reach
from tools.demo import months, place, predict
from tools.demo.azure import Azure
from tools.demo.place import Given, Place, Trouble
from tools.demo.story import Story
from tools.demo.watch import View
from tools.local.settings import BACKENDS
from tools.local.stack import NotStarted, Stack


def told(places: Sequence[Place]) -> str:
    """Return the demo's first line."""
    shown = " and ".join(f"{at.project} ({size(at)})" for at in places)
    each = "a git repository" if len(places) == 1 else "a git repository each"
    who = f"one approver ({place.APPROVER})"
    return f"Signalbox demo: {shown}, {each}, {who}. Nothing leaves this machine."


def size(at: Place) -> str:
    """Say how much data a project has."""
    rows = [count for file in at.files if (count := predict.rows_in(file)) is not None]
    files = f"{len(at.files)} file{'s' if len(at.files) > 1 else ''}"
    return f"{sum(rows):,} rows" + (f" in {files}" if len(rows) > 1 else "") if rows else files


def given_projects(given: argparse.Namespace) -> list[Given]:
    """Return the projects to show: the one that was named, or both examples."""
    return [Given(given.project, given.data)] if given.project else [place.PATIENTS, place.months(given.full)]


def run(given: argparse.Namespace, console: Console) -> None:
    """Tell the story; `Trouble` when it does not end as it should."""
    began = time.monotonic()
    alone = given.yes or not sys.stdin.isatty()
    places = place.prepare(given.state, *given_projects(given))
    console.print(told(places), soft_wrap=True, markup=False)
    with ExitStack() as beside:
        azure = beside.enter_context(Azure(given.state)) if given.backend == "azure" else None
        stack = beside.enter_context(stack_of(given, places[0], azure))
        stories = [Story(at, reach(given.state), stack.keys.topic, console, alone, azure) for at in places]
        story = stories[0]
        if azure is not None:
            azure.publish_to(stack)
            story.say(
                "  jobs, models and services through azureml-core, to a double of Azure on this machine (tests/azure)"
            )
        story.say(f"  the app {stack.host_url}, the topic and the live addresses {stack.grid_url}")
        if stack.storage_url:
            story.say(f"  ledger, artifacts, queues and data in Azurite, Microsoft's stand-in: {stack.storage_url}")
        whole(stack)
        live, kept = pushes(story, began)
        for story in stories[1:]:
            first, live = months.tell(story)
            if azure is not None and first["release"] != live["release"]:
                story.back(live, first)
        story.closing(live)
        console.print(f"\nMeasured: {time.monotonic() - began:.1f} s from nothing to here.")
        following(stories, live, kept)
        if not alone:
            stay()


def stack_of(given: argparse.Namespace, at: Place, azure: Azure | None) -> Stack:
    """Return the stack of the demo, which is not up yet; the one that goes to Azure keeps all on blobs."""
    storage = given.storage or ("azurite" if azure else None)
    surroundings = azure.environment if azure else None
    return Stack(
        given.state,
        at.projects_file,
        host_port=7071,
        grid_port=7072,
        storage=storage,
        environment=surroundings,
        backend=given.backend,
    )


def pushes(story: Story, began: float) -> tuple[View, View]:
    """Tell the half of the pushes: the first goes into production, the second is kept; return both releases."""
    story.bring_data()
    message = place.git("log", "-1", "--format=%s", at=story.at.working)
    first = story.to_production(story.release(place.head(story.at.working), message))
    story.say(f"\n  In production after {time.monotonic() - began:.1f} s. One row of the data through it:\n")
    story.say(story.prediction(first))
    return first, story.not_better()


def whole(stack: Stack) -> None:
    """Raise `Trouble` with what the stack said unless all of the app was loaded."""
    with httpx.Client(timeout=30, trust_env=False) as client:
        health = client.get(f"{stack.host_url}/api/health")
    if health.is_error or health.json()["status"] != "ok":
        raise Trouble(
            f"The app is not whole: {health.text or health.status_code}\nThe stack said:\n{stack.log[-3000:]}"
        )


def following(stories: Sequence[Story], live: View, kept: View) -> None:
    """Print the commands to try next; without a person the stack ends first, so they begin with starting it."""
    first, last = stories[0], stories[-1]
    first.say("\nNext:")
    if first.azure is not None:
        # The double ended with the demo, and what was deployed to it with the double.
        first.say("  how Azure itself is set up: docs/azure.md")
        return
    if first.alone:
        first.say(f"  {first.command('up')}    (in another terminal)")
    for line in ("status", f"show {live['alias']} --evidence", f"show {kept['alias']}"):
        first.say(f"  {first.command(line)}")
    if len(stories) > 1:
        first.say(f"  {last.command(f'data put {last.at.project} {months.coming(last.at)[-1]}')}")
    first.say(f"  change something in {first.at.working}, commit it, and git push origin HEAD:main")


def stay() -> None:
    """Leave the stack up until Ctrl-C or SIGTERM."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    print("\nThe stack stays up. Ctrl-C ends it; its state is kept until the next demo.", flush=True)
    ended.wait()


def main() -> int:
    """Read the arguments and run; 0 only if every release ended as it should."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo", description=__doc__)
    parser.add_argument("--state", type=Path, default=Path(".demo"), help="the state folder, made anew")
    parser.add_argument("--project", type=Path, help="a git repository or a plain folder with a signalbox.toml")
    parser.add_argument("--data", type=Path, help="the folder with its data")
    parser.add_argument("--full", action="store_true", help="every flight, not a tenth of them")
    parser.add_argument("--backend", choices=BACKENDS, default="local", help="azure: a double of it, on this machine")
    parser.add_argument("--storage", choices=["local", "azurite"], help="where the stack keeps its state")
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
