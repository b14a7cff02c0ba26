"""The mailbox: what Event Grid tells people becomes mail that the command reads."""

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tools.cli import mail
from tools.local.mailbox import PERSON_TOLD, Mailbox

RELEASE = "7c21aa90bb41cc52dd63"
LINK = f"http://127.0.0.1:7071/api/approvals/{RELEASE}?token=abc.def"


def event(**changes: Any) -> dict[str, Any]:
    data = {"name": f"{RELEASE}-ask-1", "to": "ana@example.org", "subject": "Approve?", "text": f"Open {LINK}"}
    return {"id": "0b5c", "eventType": PERSON_TOLD, "subject": "people/ana", "data": data | changes}


def post(url: str, body: object) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=10) as answer:
        return json.loads(answer.read())


def test_the_handshake_is_answered_with_its_code(tmp_path: Path) -> None:
    with Mailbox(tmp_path) as mailbox:
        asked = {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "c0de"}}
        assert post(mailbox.url, [asked]) == {"validationResponse": "c0de"}
        assert mailbox.subscription["types"] == [PERSON_TOLD]


def test_a_notice_becomes_one_mail_however_often_it_comes(tmp_path: Path) -> None:
    with Mailbox(tmp_path) as mailbox:
        post(mailbox.url, [event()])
        post(mailbox.url, [event()])
    (asked,) = mail.questions(tmp_path, RELEASE)
    assert (asked.to, asked.token) == ("ana@example.org", "abc.def")


def test_a_line_break_in_an_address_writes_no_further_header(tmp_path: Path) -> None:
    with Mailbox(tmp_path) as mailbox:
        post(mailbox.url, [event(to="ana@example.org\nBcc: eve@example.org")])
    (file,) = (tmp_path / "outbox").glob("*.eml")
    assert "\nBcc:" not in file.read_text()


@pytest.mark.parametrize("strange", [{}, [1], [{"data": None}], [event() | {"data": {}}]])
def test_what_is_no_notice_is_refused_and_writes_nothing(tmp_path: Path, strange: object) -> None:
    with Mailbox(tmp_path) as mailbox, pytest.raises(urllib.error.HTTPError, match="400"):
        post(mailbox.url, strange)
    assert list((tmp_path / "outbox").iterdir()) == []
