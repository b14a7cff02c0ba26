"""Eight secrets are planted and a whole line is driven at DEBUG: none of them is where people or programs read.

What is looked through: every log line, the ledger, the artifacts, the mails, and every answer, pages and errors too.
Git, the storage and the topic are the real clients, against a server that refuses whoever comes.
"""

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from msgspec.structs import replace

from functions.approve import approve
from functions.environments import environments
from functions.events import events
from functions.health import health
from functions.on_push import on_push
from functions.releases import releases
from shared import settings, wiring
from shared.backends.signing import Signer
from shared.control import Control
from shared.errors import Misconfigured, SignalboxError
from shared.ports import Outside
from shared.release import tokens
from shared.sources.signatures import Secret
from tests.functions.conftest import App, push_body, signed
from tests.security.canaries import CANARIES, forms, leaks
from tests.world import World

PROJECTS = """
[projects.houses]
repository = "REFUSING/acme/houses.git"
credential = "HOUSES_READ"
secrets = ["HOUSES_PUSH"]
approvers = ["ana@example.org", "bo@example.org"]
data = { container = "houses", prefix = "in/", quiet_seconds = 0 }
tell = { to = ["TEAM_CHAT"] }
"""


class Refusing(BaseHTTPRequestHandler):
    """Refuses whoever comes, and says nothing of it."""

    def do_GET(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_PUT = do_HEAD = do_GET

    def log_message(self, format: str, *given: object) -> None:
        """Keep quiet."""


@pytest.fixture
def refusing() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Refusing)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def told(app: App) -> Iterator[list[bytes]]:
    """Everything that is logged, at DEBUG, by whomever; tests add what else was told."""
    lines: list[bytes] = []

    class Kept(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(logging.Formatter("%(name)s %(message)s").format(record).encode("utf-8", "surrogatepass"))

    root, handler = logging.getLogger(), Kept()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(before)
    root.removeHandler(handler)


def environment(tmp_path: Path, refusing: str) -> dict[str, str]:
    (tmp_path / "projects.toml").write_text(PROJECTS.replace("REFUSING", refusing))
    account = f"BlobEndpoint={refusing}/account;AccountName=account;AccountKey={CANARIES['storage connection string']}"
    return {
        "BACKEND": "azure",
        "PROJECTS": str(tmp_path / "projects.toml"),
        "PUBLIC_URL": "https://signalbox.example.org",
        "STATE_DIR": str(tmp_path / "state"),
        "APPROVAL_KEY": CANARIES["approval key"],
        "AUDIT_KEY": CANARIES["audit key"],
        "STORAGE_CONNECTION": account,
        "TOPIC_ENDPOINT": f"{refusing}/api/events",
        "TOPIC_KEY": CANARIES["topic key"],
        "AZURE_SUBSCRIPTION_ID": "0" * 8 + "-0000-0000-0000-" + "0" * 12,
        "AZURE_RESOURCE_GROUP": "group",
        "AZUREML_WORKSPACE": "workspace",
        "AZURE_TENANT_ID": "1" * 8 + "-0000-0000-0000-" + "0" * 12,
        "AZURE_CLIENT_ID": "2" * 8 + "-0000-0000-0000-" + "0" * 12,
        "AZURE_ATTEMPTS": "1",
        "AZURE_CLIENT_SECRET": CANARIES["Azure client secret"],
        "SECRET_HOUSES_PUSH": CANARIES["webhook secret"],
        "SECRET_HOUSES_READ": CANARIES["git credential"],
        "SECRET_TEAM_CHAT": f"{refusing.replace('http', 'json')}/{CANARIES['apprise URL']}/hook",
    }


def wire(world: World, read: settings.Settings) -> None:
    """Let the world's controller use what the operator set."""
    world.projects.update(read.projects.projects)
    outside = replace(world.control.outside, approval_key=read.approval_key, sign=Signer(read.audit_key))
    world.control = Control.over(outside, read.event_seconds, read.branch_minutes)
    wiring.use(wiring.Wired(world.control, read, read.projects_file.stat().st_mtime_ns))


def drive(app: App, told: list[bytes]) -> str:
    """Drive a push to production through the functions, with what people and strangers do on the way."""
    key = wiring.wired().settings.approval_key

    def ask(function: object, method: str, body: bytes = b"", **given: object) -> None:
        answer = app.http(function, method, body, **given)  # type: ignore[arg-type]
        told.extend([str(dict(answer.headers)).encode(), answer.get_body()])

    body = push_body(app.world.commit("a"), repository={"clone_url": app.world.projects["houses"].repository})
    secret = CANARIES["webhook secret"].encode()
    ask(on_push, "POST", body, **signed(body, b"a wrong secret of some length"))
    ask(on_push, "POST", b"{", **signed(b"{", secret))
    ask(on_push, "POST", body, authorization="Basic " + base64.b64encode(b"u:wrong").decode())
    ask(on_push, "POST", body, **signed(body, secret))
    (release,) = app.world.state_of_project().numbered
    app.world.run()
    asked = app.world.state(release).asked
    token = tokens.sign(key, tokens.Grant(release, "ana@example.org", asked[1].evidence, asked[1].expires))
    for given in ({"token": token}, {"token": token[:-1]}, {}):
        for kind in ("text/html", "application/json"):
            ask(approve, "GET", params=given, route={"release": release}, accept=kind)
    decision = json.dumps({"decision": "approve", "token": token}).encode()
    ask(approve, "POST", decision.replace(b"sb1", b"sb2"), route={"release": release}, content_type="application/json")
    ask(approve, "POST", decision, route={"release": release}, content_type="application/json")
    app.world.run()
    for path in ("", release, f"{release}/evidence", f"{release}/log", f"{release}/timeline", "nobody"):
        ask(releases, "GET", route={"path": path})
    for function, path in ((environments, ""), (environments, "houses"), (events, ""), (events, "houses")):
        ask(function, "GET", route={"path": path})
    ask(health, "GET")
    app.world.patrol()
    return release


async def refuse(real: Outside, repository: str) -> list[str]:
    """Let the clients that the settings make meet a server that refuses them; return what people are told."""
    said = []
    for asking in (
        real.repository.tip(repository, "main"),
        real.ledger.read("project/houses"),
        real.channels.send("TEAM_CHAT", "subject", "text"),
        real.notifier.notify("asked", "ana@example.org", "subject", "text"),
    ):
        with pytest.raises(SignalboxError) as refused:
            await asking
        said += [str(refused.value), repr(refused.value)]
    return said


def test_no_planted_secret_is_told_by_a_whole_line(
    app: App,
    told: list[bytes],
    tmp_path: Path,
    refusing: str,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    given = environment(tmp_path, refusing)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    wiring.forget()
    real = wiring.wired()
    refusals = asyncio.run(refuse(real.control.outside, real.settings.credentials[0][0]))
    wire(app.world, real.settings)
    release = drive(app, told)
    assert app.world.live() == release
    with pytest.raises(Misconfigured) as wrong:
        settings.read({name: value for name, value in given.items() if name != "AZURE_CLIENT_ID"})
    refusals.append(str(wrong.value))
    shown = [real, settings.read_audit(given), settings.read_azure(given)]
    shown += [Secret(*each) for each in real.settings.secrets]
    kept = [*app.world.ledger._streams.values(), *app.world.artifacts.contents.values()]
    mails = [text.encode() for text in app.world.outbox.values()]
    assert mails
    logged = len(told)
    everything = [*told, *kept, *mails, *(each.encode() for each in refusals), *(repr(each).encode() for each in shown)]
    found = {name for each in everything for name in leaks(each)}
    size = sum(map(len, everything))
    record_property(
        "figures", f"planted secrets: {len(CANARIES)}, in {size:,} bytes ({logged} lines and answers): {found or 0}"
    )
    assert found == set()


@pytest.mark.parametrize("name", CANARIES)
def test_a_leak_that_is_planted_is_found(told: list[bytes], name: str) -> None:
    for form in forms(CANARIES[name]):
        logging.getLogger("anybody").debug("told=%s", form.decode())
        assert leaks(told[-1]) == [name]
    logging.getLogger("anybody").debug("told=%s", base64.b64encode(f"user:{CANARIES[name]}".encode()).decode())
    assert leaks(told[-1]) == [name]
