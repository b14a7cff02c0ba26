"""What channels and mailboxes get over Apprise, and that no address of one is told to anybody."""

import asyncio
import email
import email.policy
import logging
from collections.abc import Iterator
from contextlib import suppress

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from shared.backends.channels import AppriseChannels, plain
from shared.errors import Blocked, Unavailable
from tests.telling.conftest import Sink

CANARY = "hook-nobody-may-see"


def channels(address: str, mail: str = "") -> AppriseChannels:
    return AppriseChannels({"TEAM": address}, mail)


def hook(sink: Sink) -> str:
    return f"json://ops:{CANARY}@{sink.url.removeprefix('http://')}/{CANARY}/x"


def send(to: AppriseChannels, text: str = "because <b>of</b> this") -> None:
    asyncio.run(to.send("TEAM", "houses v1 is live", text))


def test_a_channel_gets_subject_and_text_as_they_are(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sink.answers = [(200, "")]
    send(channels(hook(sink)))
    (got,) = sink.got
    assert got["path"] == f"/{CANARY}/x"
    assert (got["body"]["title"], got["body"]["message"]) == ("houses v1 is live", "because <b>of</b> this")
    assert CANARY not in caplog.text


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("asks", ["", "?redirect=yes"])
def test_what_is_said_follows_no_answer_elsewhere(status: int, asks: str, sink: Sink) -> None:
    sink.answers = [(status, ""), (200, "")]
    sink.headers = {"Location": f"{sink.url}/stolen"}
    with pytest.raises(Unavailable, match="SECRET_TEAM"):
        send(channels(hook(sink) + asks))
    assert len(sink.got) == 1


@pytest.mark.parametrize(
    ("written", "never"),
    [
        ("@everyone look", "@everyone"),
        ("(@here)", "@here"),
        ("tests failed: <!channel>", "<!channel"),
        ("<@U0123> and <@&77>", "<@"),
        ("<https://evil.example/approve|Approve here>", "<https"),
        ("[Approve here](https://evil.example/approve)", "]("),
        ("![](https://evil.example/seen.png)", "]("),
        ("[Approve][1] [1]: https://evil.example", "]["),
        ("@Channel @ALL @room", "@C"),
    ],
)
def test_what_an_author_wrote_calls_nobody_and_hides_no_address(written: str, never: str, sink: Sink) -> None:
    sink.answers = [(200, "")]
    asyncio.run(channels(hook(sink)).send("TEAM", written, written))
    (got,) = sink.got
    assert never not in got["body"]["title"] + got["body"]["message"]
    assert got["body"]["message"].replace("\u200b", "") == written


@pytest.mark.parametrize(
    "as_it_is", ["ana@example.org", "a <b> c [d] (e)", "if x<y: z[0]", "https://a.example/b?c=[d]"]
)
def test_what_means_nothing_to_a_channel_stays_as_it_was_written(as_it_is: str) -> None:
    assert plain(as_it_is) == as_it_is


def test_a_channel_is_sent_no_picture_from_elsewhere(sink: Sink) -> None:
    sink.answers = [(200, "")]
    send(channels(f"mmost://{sink.url.removeprefix('http://')}/{CANARY}?image=yes"))
    (got,) = sink.got
    assert "http" not in str(got["body"])


@pytest.mark.parametrize("status", [404, 500])
def test_a_channel_that_refuses_is_told_again_and_named_by_its_secret(
    status: int, sink: Sink, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sink.answers = [(status, CANARY)]
    with pytest.raises(Unavailable) as refused:
        send(channels(hook(sink)))
    assert f"the service behind SECRET_TEAM answered {status}" in str(refused.value)
    assert CANARY not in str(refused.value) + caplog.text


def test_a_channel_that_is_not_there_is_told_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unavailable, match="SECRET_TEAM did not take it"):
        send(channels(f"json://127.0.0.1:9/{CANARY}"))
    assert CANARY not in caplog.text


@pytest.mark.parametrize("address", [f"nosuch://{CANARY}", f"slack://{CANARY}", f"json://:{CANARY}"])
def test_an_address_that_is_none_is_not_tried_again(address: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Blocked) as refused:
        send(channels(address))
    assert CANARY not in str(refused.value) + caplog.text


class Mailbox:
    """Keeps every mail; one to nobody@ is refused, as a server does that knows no such person."""

    def __init__(self) -> None:
        self.got: list[tuple[list[str], bytes]] = []

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("nobody@"):
            return "550 no such person"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.got.append((list(envelope.rcpt_tos), envelope.original_content or b""))
        return "250 OK"


class Server(Controller):
    """Listens on a free port."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        super()._trigger_server()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    """A mail server of this machine, and its address as MAIL has it."""
    box = Mailbox()
    server = Server(box, hostname="127.0.0.1", port=0)
    server.start()
    yield box, f"mailto://127.0.0.1:{server.port}?from=signalbox@example.org&to={{to}}"
    server.stop()


def test_a_person_gets_a_mail_that_any_program_reads(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    to = channels("", address)
    assert to.mails
    text = "Für houses: put v1 into production?\n\nhttps://signalbox.example.org/api/approvals/r?token=" + "t" * 300
    asyncio.run(to.mail("ana+ml@example.org", "Approve houses v1?\r\nBcc: eve@example.org", text))
    ((recipients, raw),) = box.got
    assert recipients == ["ana+ml@example.org"]
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert "ana+ml@example.org" in message["To"]
    assert "signalbox@example.org" in message["From"]
    assert message["Subject"].startswith("Approve houses v1?")
    assert message["Bcc"] is None
    body = message.get_body(preferencelist=("plain",))
    assert body is not None
    assert body.get_content().split() == text.split()


def test_a_persons_address_adds_no_other_person(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    with suppress(Unavailable, Blocked):
        asyncio.run(channels("", address).mail("ana@example.org&cc=eve@example.org", "s", "t"))
    assert [to for recipients, _ in box.got for to in recipients if to.startswith("eve")] == []


def test_a_mail_that_is_refused_is_told_again(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    with pytest.raises(Unavailable, match="the service behind MAIL did not take it"):
        asyncio.run(channels("", address).mail("nobody@example.org", "s", "t"))
    assert box.got == []


def test_without_mail_nobody_is_mailed() -> None:
    assert not channels("json://127.0.0.1").mails
