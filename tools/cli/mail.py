"""The mails that the local backend writes for people, read as a person reads them."""

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

from tools.cli.reach import Refused


@dataclass(frozen=True)
class Asked:
    """One question to one approver: where to answer, and the token that says who answers."""

    to: str
    url: str
    token: str


_LINK = re.compile(r"https?://\S+/api/approvals/(?P<release>[0-9a-z-]+)\?token=(?P<token>[\w.~%=-]+)")


def questions(state: Path, release: str) -> list[Asked]:
    """Return what approvers were asked about a release, newest first."""
    found: list[Asked] = []
    for file in sorted((state / "outbox").glob("*.eml"), key=lambda at: at.stat().st_mtime_ns, reverse=True):
        mail = message_from_bytes(file.read_bytes(), policy=policy.default)
        body = mail.get_body(("plain", "html"))
        if body is None:
            continue
        for link in _LINK.finditer(body.get_content()):
            if link["release"] == release:
                found.append(Asked(str(mail["To"]), link[0].partition("?")[0], link["token"]))
    return found


def question(state: Path, release: str, approver: str | None) -> Asked:
    """Return the newest question to one approver; `Refused` when there is none, or when it is unclear whose."""
    asked = questions(state, release)
    people = sorted({one.to for one in asked})
    if approver is None and len(people) > 1:
        raise Refused(f"{len(people)} people were asked ({', '.join(people)}): say who you are with --as.")
    # A part of an address may be part of another's too, and nobody decides in another's name.
    named = [one for one in people if approver == one] or [one for one in people if approver and approver in one]
    if len(named) > 1:
        raise Refused(f"{approver} may be {' or '.join(named)}: give the whole address with --as.")
    for one in asked:
        if approver is None or one.to in named:
            return one
    who = f"{approver} was not" if approver else "Nobody was"
    raise Refused(f"{who} asked about this release yet: no mail in {state / 'outbox'} names it.")
