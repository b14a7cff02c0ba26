"""The commands. Each one asks the stack, shows the answer, and ends by naming the next sensible command."""

import importlib
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from tools.cli import doctor as doctors
from tools.cli import mail, rows
from tools.cli.projects import data_place, projects_file, uploads
from tools.cli.reach import (
    Reach,
    Refused,
    Unreachable,
    command,
    find_state,
    reach,
    release_path,
)
from tools.local.keys import keep_secret, make_secret

app = typer.Typer(
    help="Releases of models, from a git push to production. Start with: signalbox up",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
data = typer.Typer(help="A project's data.", no_args_is_help=True)
app.add_typer(data, name="data")

State = Annotated[
    Path | None, typer.Option(help="State folder of the stack. [SIGNALBOX_STATE, else .signalbox, else .demo]")
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON, for programs.")]
Release = Annotated[str, typer.Argument(help="An id, an alias (quiet-heron), project#number or project@vN.")]
Reason = Annotated[str, typer.Option(help="Why; it is recorded.")]
As = Annotated[str | None, typer.Option("--as", help="Which approver you are; needed when several were asked.")]

console = Console(highlight=False)
HOUSE = Path(__file__).resolve().parents[2]
"""Where the function app stands, wherever the command is called from."""


def tell(answer: Any, shown: Any, as_json: bool, following: str = "") -> None:
    """Print an answer: as JSON for programs, else as shown with the next command after it."""
    if as_json:
        sys.stdout.write(json.dumps(answer, indent=2, ensure_ascii=False) + "\n")
        return
    for part in shown if isinstance(shown, list) else [shown]:
        # A digest that is cut or broken over two lines cannot be copied.
        console.print(part, soft_wrap=isinstance(part, str | Text), markup=False)
    if following:
        console.print(Text(f"\nNext: {following}"), soft_wrap=True)


@app.command()
def up(
    state: State = None,
    projects: Annotated[Path | None, typer.Option(help="[STATE/projects.toml, else ./projects.toml]")] = None,
    host_port: Annotated[int, typer.Option(help="Port of the app.")] = 7071,
    grid_port: Annotated[int, typer.Option(help="Port of the topic, the data and the stable addresses.")] = 7072,
    json: Json = False,
) -> None:
    """Start the stack of a state folder and stay with it until Ctrl-C."""
    at = find_state(state)
    listed = projects_file(at, projects)
    arguments = ["--state", str(at), "--projects", str(listed), "--app", str(HOUSE)]
    arguments += ["--host-port", str(host_port), "--grid-port", str(grid_port), *(["--json"] if json else [])]
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.execv(sys.executable, [sys.executable, "-m", "tools.local", "up", *arguments])


@app.command()
def secret(
    name: Annotated[str, typer.Argument(help="As projects.toml names it, for example PRICES_WEBHOOK.")],
    read: Annotated[bool, typer.Option("--read", help="Keep what standard input holds: a git host's token.")] = False,
    state: State = None,
    json: Json = False,
) -> None:
    """Print a secret of the stack, made at first use, for the git host's webhook; or keep a given one (--read)."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise typer.BadParameter(f"{name!r} cannot be a secret's name: use letters, digits and _.")
    at = find_state(state)
    try:
        at.mkdir(mode=0o700, parents=True, exist_ok=True)
        given = sys.stdin.read().strip() if read else ""
        if read and not given:
            raise Refused(f"Standard input holds no secret: {command()} secret {name} --read < FILE")
        if given:
            keep_secret(at, name, given)
        # What was given is not shown: it would stand in the terminal's history.
        told = {"name": name} | ({} if given else {"value": make_secret(at, name)})
    except OSError as error:
        raise Refused(f"{at} cannot be written: {error}") from error
    shown = told.get("value", f"{name} is kept in {at / 'keys.json'}.")
    tell(told, shown, json, f"restart the stack if it is up, then {command()} status")


@data.command("put")
def data_put(
    project: Annotated[str, typer.Argument(help="The project's name in projects.toml.")],
    files: Annotated[list[Path], typer.Argument(exists=True, readable=True, help="Files, or folders of them.")],
    state: State = None,
    json: Json = False,
) -> None:
    """Upload files as a project's new data; each one is told to the app as BlobCreated."""
    stack = reach(find_state(state))
    container, prefix = data_place(stack.state, project)
    answers = [stack.put(container, f"{prefix}{name}", file) for name, file in uploads(files).items()]
    lines = [f"  {answer['name']}  {answer['size']:,} bytes  etag {answer['etag']}" for answer in answers]
    tell({"uploaded": answers}, "\n".join(lines), json, f"{command()} status")


@app.command()
def status(state: State = None, json: Json = False) -> None:
    """What is live, what waits and what is held, one row a project; and who cannot be told of it."""
    stack = reach(find_state(state))
    environments = stack.get("environments")["environments"]
    releases = stack.get("releases")["releases"]
    untold = stack.get("health").get("untold", {})
    going = [view for view in releases if view["state"] in {"open", "parked"}]
    shown: list[Any] = [rows.glance(environments) if environments else Text("No project has a release yet.")]
    shown += [Text(f"\n{len(going)} under way:")] if going else []
    shown += [Text(rows.under_way(view)) for view in going]
    shown += [
        Text(f"\n{target} hears nothing: {rows.plain(reason)}", style="yellow") for target, reason in untold.items()
    ]
    newest = (going or releases)[:1]
    following = f"{command()} show {newest[0]['alias']}" if newest else "git push to a project's repository"
    tell({"environments": environments, "releases": releases, "untold": untold}, shown, json, following)


@app.command()
def show(
    release: Release,
    evidence: Annotated[bool, typer.Option("--evidence", help="The sealed evidence, byte for byte.")] = False,
    timeline: Annotated[bool, typer.Option("--timeline", help="Every fact, in order.")] = False,
    state: State = None,
    json: Json = False,
) -> None:
    """One release: its steps, what it waits for, its digests."""
    stack = reach(find_state(state))
    if evidence:
        sys.stdout.write(stack.text(release_path(release, "/evidence")))
        return
    if timeline:
        told = stack.get(release_path(release, "/timeline"))
        tell(told, "\n".join(map(rows.moment, told["timeline"])), json, f"{command()} show {release}")
        return
    view = stack.get(release_path(release))
    tell(view, rows.release(view), json, after(view))


def after(view: rows.View) -> str:
    """Return the command that makes sense after a look at a release."""
    name = view["alias"]
    if view["state"] == "open" and view["standing"] == "ask":
        return f'{command()} approve {name} --reason "..."    or: {command()} reject {name} --reason "..."'
    # A step that submits no job has no log: what it said is the reason already.
    failed = [step["step"] for step in view["steps"] if step["state"] == "failed" and step.get("log")]
    if failed:
        return f"{command()} logs {name} {failed[0]}"
    return f"{command()} show {name}" if view["state"] == "open" else f"{command()} show {name} --timeline"


@app.command()
def approve(release: Release, reason: Reason, approver: As = None, state: State = None, json: Json = False) -> None:
    """Approve a release as the approver that was asked by mail."""
    decide(reach(find_state(state)), release, "approve", reason, approver, json)


@app.command()
def reject(release: Release, reason: Reason, approver: As = None, state: State = None, json: Json = False) -> None:
    """Reject a release as the approver that was asked by mail."""
    decide(reach(find_state(state)), release, "reject", reason, approver, json)


def decide(stack: Reach, release: str, decision: str, reason: str, approver: str | None, as_json: bool) -> None:
    """Answer the newest question to an approver, bound to the evidence that was sealed."""
    view = stack.get(release_path(release))
    if view["state"] not in {"open", "parked"} and not mail.questions(stack.state, view["release"]):
        raise Refused(f"Nobody was asked about {view['alias']}: it is {view['state']}, {view['reason']}.")
    asked = mail.question(stack.state, view["release"], approver)
    body = {"decision": decision, "reason": reason}
    if sealed := view["digests"].get("evidence"):
        body["evidence"] = sealed
    # The link may lead anywhere; the token goes only to the stack whose state folder this is.
    answer = stack.post(f"approvals/{view['release']}", body, Authorization=f"Bearer {asked.token}")
    tell(answer, answer["message"], as_json, f"{command()} show {view['alias']}")


@app.command()
def logs(
    release: Release,
    step: Annotated[str, typer.Argument(help="check, train, evaluate, certify, try, ...")],
    state: State = None,
    json: Json = False,
) -> None:
    """The whole captured output of one step's job."""
    text = reach(find_state(state)).text(release_path(release, "/log"), step=step)
    if json:
        tell({"release": release, "step": step, "log": text}, "", True)
    else:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")


@app.command()
def doctor(
    settings: Annotated[
        Path | None, typer.Option(help="Look at an app for Azure: a local.settings.json, or az's list of app settings.")
    ] = None,
    environment: Annotated[bool, typer.Option("--environment", help="The same, for the settings set here.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Ask nothing over the network.")] = False,
    state: State = None,
    json: Json = False,
) -> None:
    """Look at everything a stack, or an app in Azure, needs; each line is ok, or says what is wrong and what to do."""
    findings, following = [], f"{command()} status"
    if settings is not None or environment:
        following = "make package"
    for one in _looked_at(settings, environment, offline, state):
        findings.append(one)
        if not json:
            console.print(str(one), soft_wrap=True, markup=False)
    bad = [one for one in findings if not one.ok]
    tell([vars(one) for one in findings], [], json, bad[0].do if bad else following)
    if bad:
        raise typer.Exit(1)


def _looked_at(
    settings: Path | None, environment: bool, offline: bool, state: Path | None
) -> Iterable[doctors.Finding]:
    if settings is None and not environment:
        return doctors.examine(find_state(state))
    from tools.doctor import examine, given

    try:
        values = given.of_process() if settings is None else given.of_file(settings)
    except given.NoSettings as error:
        raise Refused(str(error)) from error
    return examine.examine(values, online=not offline)


def main() -> None:
    """Run the command; exit 0 done, 1 refused or failed, 2 wrong usage, 3 no stack to ask."""
    # The commands by which people change something stand beside this file and need what is above.
    importlib.import_module("tools.cli.people")
    importlib.import_module("tools.cli.rules")
    importlib.import_module("tools.cli.provision")
    importlib.import_module("tools.cli.orphans")
    importlib.import_module("tools.cli.audit")
    importlib.import_module("tools.cli.keeping")
    try:
        app(prog_name="signalbox")
    except (Refused, Unreachable) as error:
        if "--json" in sys.argv:
            sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        else:
            sys.stderr.write(f"{error}\n")
        sys.exit(3 if isinstance(error, Unreachable) else 1)
