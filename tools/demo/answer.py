"""The approval: shown to a person with every way to answer, or answered as the approver over HTTP."""

import json
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from tools.cli.mail import Asked, questions
from tools.cli.reach import said
from tools.demo.place import APPROVER, Trouble


def mailed(state: Path, release: str, seconds: float = 30.0) -> Asked:
    """Wait for the mail that asks the approver and return what it asks."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for asked in questions(state, release):
            if APPROVER in asked.to:
                return asked
        time.sleep(0.1)
    raise Trouble(f"{APPROVER} was not asked about {release} within {seconds:g} s: no mail in {state / 'outbox'}.")


def ways(asked: Asked, view: dict[str, Any], command: Callable[[str], str]) -> str:
    """Return every way to answer, ready to copy; `command` says how the command line is called here."""
    body = json.dumps({"decision": "approve", "reason": "better on rows it never saw"})
    posted = [
        "curl -X POST",
        f"-H {shlex.quote('Authorization: Bearer ' + asked.token)}",
        "-H 'Content-Type: application/json'",
        f"-d {shlex.quote(body)}",
        shlex.quote(asked.url),
    ]
    name = view["alias"]
    return "\n".join(
        (
            f"  Read the evidence:  {asked.url}?token={asked.token}",
            "  or:                 " + command(f"show {name} --evidence"),
            "  Approve:            " + command(f'approve {name} --reason "..."'),
            "  or:                 " + " ".join(posted),
        )
    )


def approve(asked: Asked, view: dict[str, Any], reason: str) -> str:
    """Approve over HTTP with the link of the mail, bound to the sealed evidence; return what was answered."""
    body = {"decision": "approve", "reason": reason}
    if sealed := view["digests"].get("evidence"):
        body["evidence"] = sealed
    with httpx.Client(timeout=30, trust_env=False) as client:
        answer = client.post(asked.url, json=body, headers={"Authorization": f"Bearer {asked.token}"})
    if answer.is_error:
        raise Trouble(f"The approval was answered with {answer.status_code}: {said(answer)}")
    return str(answer.json()["message"])
