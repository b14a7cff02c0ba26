"""The commands by which people change something: each is recorded with who asked and why."""

import getpass
import uuid
from typing import Annotated, Any
from urllib.parse import quote

import typer

from tools.cli import rows
from tools.cli.app import Json, Reason, Release, State, app, tell
from tools.cli.reach import command, find_state, reach, release_path

By = Annotated[str | None, typer.Option(help="Who asks; recorded. [the name you are logged in with]")]
Project = Annotated[str, typer.Argument(help="As projects.toml names it.")]


def who(by: str | None) -> str:
    """Return who asks."""
    return by or getpass.getuser()


@app.command("open")
def open_(
    project: Project,
    reason: Reason,
    by: By = None,
    key: Annotated[str | None, typer.Option(help="The same key is the same ask. [a new one]")] = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Open a release of the commit that passed check last, with the data of now."""
    body = {"project": project, "by": who(by), "reason": reason}
    headers = {"Idempotency-Key": key or str(uuid.uuid4())}
    stack = reach(find_state(state))
    answer = stack.post("releases", body, **headers, **stack.proof(who(by)))
    opened(answer, json)


@app.command()
def rerun(release: Release, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Run an ended release that did not come through again: the same commit, with the data of now."""
    opened(about(release, "rerun", reason, by, state), json)


@app.command()
def cancel(release: Release, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """End an open release, with what runs for it."""
    answer = about(release, "cancel", reason, by, state)
    tell(answer, f"  {answer['alias']} is cancelled", json, f"{command()} show {answer['alias']}")


@app.command()
def resume(release: Release, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Let a parked release try again, once its cause is mended."""
    answer = about(release, "resume", reason, by, state)
    tell(answer, f"  {answer['alias']} goes on at {answer['step']}", json, f"{command()} show {answer['alias']}")


@app.command()
def rollback(
    project: Project,
    reason: Reason,
    to: Annotated[str, typer.Option(help="A release or a version such as v3. [the one before]")] = "",
    by: By = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Put an older release back into production, and hold it there."""
    govern(project, "rollback", reason, by, state, json, to)


@app.command()
def hold(project: Project, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Let nothing go into production until somebody lifts it."""
    govern(project, "hold", reason, by, state, json)


@app.command()
def lift(project: Project, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Lift a hold: what waits for production goes on."""
    govern(project, "lift", reason, by, state, json)


@app.command()
def events(
    project: Annotated[str, typer.Argument(help="A project; all, and what is nobody's, when left out.")] = "",
    last: Annotated[int, typer.Option(help="How many, newest first.")] = 20,
    state: State = None,
    json: Json = False,
) -> None:
    """What came in, what became of it, and why."""
    answer = reach(find_state(state)).get(f"events/{project}", limit=str(last))
    shown = "\n".join(map(rows.came_in, answer["events"])) or "Nothing has come in yet."
    tell(answer, shown, json, f"{command()} status")


@app.command()
def replay(
    event: Annotated[str, typer.Argument(help="As `signalbox events` names it, for example prices:12.")],
    reason: Reason,
    by: By = None,
    state: State = None,
    json: Json = False,
) -> None:
    """Take in again what came in; safe at any time, for what it led to is found and not made twice."""
    named = quote(event, safe=":")
    stack = reach(find_state(state))
    answer = stack.post(f"events/{named}/replay", {"by": who(by), "reason": reason}, **stack.proof(who(by)))
    led = [f"  {new['alias']} is {new['project']}#{new['number']}" for new in answer["releases"]]
    shown = "\n".join([*led, *(f"  {said}" for said in answer["recorded"])]) or "  It is taken in."
    tell(answer, shown, json, f"{command()} events --last 5")


def about(release: str, what: str, reason: str, by: str | None, state: Any) -> Any:
    """Ask something of a release."""
    stack = reach(find_state(state))
    body = {"by": who(by), "reason": reason}
    return stack.post(release_path(release, f"/{what}"), body, **stack.proof(who(by)))


def opened(answer: Any, as_json: bool) -> None:
    """Show the release that was opened."""
    new = answer["releases"][0]
    tell(answer, f"  {new['alias']} is {new['project']}#{new['number']}", as_json, f"{command()} show {new['alias']}")


def govern(project: str, action: str, reason: str, by: str | None, state: Any, as_json: bool, to: str = "") -> None:
    """Ask something of production, and show what is live and held then."""
    body = {"action": action, "by": who(by), "reason": reason} | ({"to": to} if to else {})
    stack = reach(find_state(state))
    answer = stack.post(f"environments/{project}/production", body, **stack.proof(who(by)))
    now = f"v{answer['version']} {answer['live']}" if answer["live"] else "nothing"
    held = f', held: "{answer["held"]}"' if answer["held"] else ""
    changed = "" if answer["changed"] else "  (it was so already)"
    tell(answer, f"  production of {project}: {now}{held}{changed}", as_json, f"{command()} status")
