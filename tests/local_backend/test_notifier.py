"""Notices as e-mail files."""

import asyncio
import email
import email.policy
from pathlib import Path

import pytest

from shared.backends.local.notifier import OutboxNotifier


def sent(state: Path) -> list[Path]:
    return sorted((state / "outbox").glob("*.eml"))


def test_a_notice_is_a_mail_that_any_program_reads(state: Path) -> None:
    text = "Put diabetes v2 into production?\n\nhttp://127.0.0.1:7071/api/approvals/x?token=" + "t" * 300
    asyncio.run(OutboxNotifier(state).notify("0123-ask-1", "ana@example.org", "Für diabetes: Ridge 0.1", text))
    (path,) = sent(state)
    assert path.name == "0123-ask-1-ana@example.org.eml"
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert (message["To"], message["Subject"]) == ("ana@example.org", "Für diabetes: Ridge 0.1")
    assert message.get_content().splitlines() == text.splitlines()


def test_the_same_notice_to_the_same_person_is_told_once(state: Path) -> None:
    notifier = OutboxNotifier(state)

    async def twice() -> None:
        names = [("ask", "ana@example.org"), ("ask", "ana@example.org"), ("ask", "bo@example.org")]
        await asyncio.gather(*(notifier.notify(name, to, "s", "first") for name, to in names))
        await notifier.notify("ask", "ana@example.org", "s", "second")

    asyncio.run(twice())
    assert [path.name for path in sent(state)] == ["ask-ana@example.org.eml", "ask-bo@example.org.eml"]
    assert "first" in sent(state)[0].read_text()


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "..", "x" * 300, "a b"])
def test_a_name_never_leaves_the_outbox(state: Path, name: str) -> None:
    asyncio.run(OutboxNotifier(state).notify(name, "ana@example.org", "s", "t"))
    assert len(sent(state)) == 1


def test_a_line_break_in_a_subject_adds_no_header(state: Path) -> None:
    asyncio.run(OutboxNotifier(state).notify("n", "ana@example.org", "hello\r\nBcc: eve@example.org", "t"))
    message = email.message_from_bytes(sent(state)[0].read_bytes(), policy=email.policy.default)
    assert message["Bcc"] is None
