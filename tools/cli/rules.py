"""The commands about who may decide: who somebody is, and the approval policy of a project."""

import sys
import time
from typing import Annotated, Any

import typer

from shared.release.people import key
from shared.release.tokens import Grant, sign
from tools.cli import rows
from tools.cli.app import Json, Reason, Release, State, app, tell
from tools.cli.people import By, Project, who
from tools.cli.reach import Refused, command, find_state, pass_of, reach, release_path, signing_key

policy = typer.Typer(help="Who may approve what goes into a project's production.", no_args_is_help=True)
app.add_typer(policy, name="policy")


@app.command()
def login(
    person: Annotated[str, typer.Argument(help="An e-mail address, as projects.toml names the person.")],
    hours: Annotated[float, typer.Option(min=0.01, max=24 * 31, help="How long the pass is good for.")] = 8.0,
    state: State = None,
    json: Json = False,
) -> None:
    """Print a pass: whoever holds it is this person until it expires. Made from the keys of the state folder."""
    if not key(person):
        raise Refused("A pass names a person: give their e-mail address.")
    token = pass_of(find_state(state), person, hours)
    if not json:
        # By itself on standard output, so that a program can take it from there.
        sys.stderr.write(f"For {hours:g} hours whoever holds this is {person}:\n")
    tell({"person": person, "pass": token}, token, json)


@app.command()
def emergency(release: Release, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Break the glass: let a release into production alone. A second person confirms it in a day, or all is held."""
    _answer(release, "break-glass", reason, by, state, json)


@app.command()
def confirm(release: Release, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Stand behind a broken glass as the second person."""
    _answer(release, "confirm", reason, by, state, json)


def _answer(release: str, decision: str, reason: str, by: str | None, state: Any, as_json: bool) -> None:
    stack = reach(find_state(state))
    view = stack.get(release_path(release))
    evidence = view["digests"].get("evidence")
    if not evidence:
        raise Refused(f"{view['alias']} has no sealed evidence yet; it waits for {view['waits_for']}.")
    body = {"decision": decision, "reason": reason, "evidence": evidence}
    grant = Grant(view["release"], who(by), evidence, int(time.time()) + 360)
    token = sign(signing_key(stack.state), grant)
    answer = stack.post(f"approvals/{view['release']}", body, Authorization=f"Bearer {token}")
    tell(answer, answer["message"], as_json, f"{command()} show {view['alias']}")


@policy.command("show")
def policy_show(project: Project, state: State = None, json: Json = False) -> None:
    """Who may approve now, and what a change in projects.toml waits for."""
    told = reach(find_state(state)).get(f"policies/{project}")
    following = f'{command()} policy accept {project} --by YOU --reason "..."' if told["waits"] else ""
    tell(told, rows.policy(told), json, following)


@policy.command("accept")
def policy_accept(project: Project, reason: Reason, by: By = None, state: State = None, json: Json = False) -> None:
    """Put what projects.toml says in force; what is weaker takes two people."""
    stack = reach(find_state(state))
    asked: dict[str, Any] = {"digest": stack.get(f"policies/{project}")["written"]["digest"]}
    body = asked | {"by": who(by), "reason": reason}
    answer = stack.post(f"policies/{project}", body, **stack.proof(who(by)))
    tell(answer, f"  {answer['message']}", json, f"{command()} policy show {project}")
