"""What the packed app is called with: a release at its approval, and a call of every kind that reaches the app."""

import hashlib
import hmac
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from shared.answers import Order
from shared.backends.local.artifacts import FileArtifacts
from shared.backends.local.ledger import SqliteLedger
from shared.release import notices, tokens
from shared.release.config import read_projects
from tests.conformance.calls import METADATA, Call, given
from tests.world import KEY, PROJECTS, World
from tools.local.envelope import in_schema
from tools.local.subscriptions import CLOUD, DEFAULT, GRID, Subscription

HEALTH = "HTTP: health"
PAYLOADS = Path(__file__).resolve().parents[2] / "tests/sources/payloads"
# Nobody answers there, so that a look at a repository ends at once and in the same way.
REPOSITORY = "https://127.0.0.1:9/acme/houses"
SECRET = b"the push secret of houses"
APPROVER = "ana@example.org"
# What the recorded events tell of, and what they are to tell of here.
TOLD = {
    "7c21aa90bb41cc52dd63": "{release}",
    "flight_delays_monitor": "houses-monitor",
    "flight-delays": "houses-monitor",
    "diabetes-data": "houses",
    "diabetes": "houses",
    "2026/03/blobs/rows.csv": "in/rows.csv",
}


@dataclass(frozen=True)
class Ground:
    """A state folder that holds a release at its approval, and what the app is called with over it."""

    state: Path
    release: str
    calls: tuple[Call, ...]

    def settings_of_azure(self, state: Path) -> dict[str, str]:
        """Return the app settings of an app whose work is done in an Azure that nobody asks anything."""
        return {
            **self.settings(state),
            "HOME": str(state),
            "BACKEND": "azure",
            "STORAGE_CONNECTION": "https://models.blob.core.windows.net",
            "TOPIC_ENDPOINT": "https://models.westeurope-1.eventgrid.azure.net/api/events",
            "AZURE_SUBSCRIPTION_ID": "00000000-0000-4000-8000-000000000001",
            "AZURE_RESOURCE_GROUP": "models",
            "AZUREML_WORKSPACE": "models",
            "AZUREML_AKS": "models",
        }

    def settings(self, state: Path) -> dict[str, str]:
        """Return the app settings of an app over a copy of the state folder."""
        return {
            "BACKEND": "local",
            "STATE_DIR": str(state),
            "PROJECTS": str(state / "projects.toml"),
            "PUBLIC_URL": "https://signalbox.example.org",
            "LIVE_URL": "https://live.example.org",
            "APPROVAL_KEY": KEY.decode(),
            "SECRET_HOUSES_PUSH": SECRET.decode(),
        }


def prepare(folder: Path) -> Ground:
    """Make a state folder below `folder` in which a release was pushed, trained and asked about."""
    state = Path(tempfile.mkdtemp(prefix="state-", dir=folder))
    text = PROJECTS.replace("https://git.example.org/acme/houses.git", f"{REPOSITORY}.git")
    (state / "projects.toml").write_text(text)
    # More than an hour ago, so that nothing that is asked here comes before it.
    world = World(
        projects=dict(read_projects(text).projects),
        now=datetime.now(UTC) - timedelta(minutes=67),
        ledger=SqliteLedger(state),  # type: ignore[arg-type]
        artifacts=FileArtifacts(state),  # type: ignore[arg-type]
    )
    new = world.commit("a")
    pushed = notices.Pushed("github", (REPOSITORY,), "refs/heads/main", "0" * 40, new, "dee@example.org", "a", "d")
    release = str(world.take_in(pushed).body["releases"][0]["release"])
    world.run()
    asked = world.state(release).asked[1]
    token = tokens.sign(KEY, tokens.Grant(release, APPROVER, asked.evidence, asked.expires))
    return Ground(state, release, tuple(calls(release, token, asked.evidence)))


def calls(release: str, token: str, evidence: str) -> Iterator[Call]:
    """Yield every call, in the order in which they are made."""
    yield http("health", "health", "GET", "health")
    yield from pushes()
    yield from events(release)
    yield step("queue: a step that is due", "on_step_due", Order("ask", release).text())
    yield step("queue: a message that is none of ours", "on_step_due", "{}")
    yield step("queue: an order that was given up", "patrol_poison", Order("ask", release).text())
    for timer in ("on_time_passed", "patrol"):
        yield given(f"timer: {timer}", timer, "timer", "json", json.dumps({"IsPastDue": False}))
    yield from reading(release)
    yield from walking(release, token)
    yield from deciding(release, token, evidence)


def pushes() -> Iterator[Call]:
    """Yield a push as its git host sends it, again, forged, and one that is no push."""
    body = json.dumps(
        {
            "ref": "refs/heads/main",
            "before": "a" * 40,
            "after": "b" * 40,
            "repository": {"full_name": "acme/houses", "clone_url": f"{REPOSITORY}.git", "html_url": REPOSITORY},
            "pusher": {"name": "dee", "email": "dee@example.org"},
            "head_commit": {"id": "b" * 40, "message": "a change"},
            "commits": [],
        }
    )
    mac = hmac.new(SECRET, body.encode(), hashlib.sha256).hexdigest()
    headers = {"x-github-event": "push", "x-github-delivery": "1", "content-type": "application/json"}
    for name, signature in (("a push", mac), ("the same push again", mac), ("a push that somebody forged", "0" * 64)):
        signed = {**headers, "x-hub-signature-256": f"sha256={signature}"}
        yield http(name, "on_push", "POST", "push", body, signed)
    yield http("a push without a body", "on_push", "POST", "push", "", headers)


def events(release: str) -> Iterator[Call]:
    """Yield every recorded event for each function that is told of it, in both schemas."""
    for path in sorted(PAYLOADS.glob("*.json")):
        text = path.read_text()
        for word, here in TOLD.items():
            text = text.replace(word, here.replace("{release}", release))
        event = json.loads(text)
        told = [one for one in DEFAULT if one.wants(event.get("eventType", ""), event.get("subject", ""))]
        for function in (one.function for one in told if "eventType" in event):
            for schema in (GRID, CLOUD):
                sent = in_schema(Subscription(function, function, schema=schema), event)
                yield given(f"{schema}: {path.stem} for {function}", function, "event", "json", json.dumps(sent))


def reading(release: str) -> Iterator[Call]:
    """Yield what people look at."""
    yield http("all releases", "releases", "GET", "releases", route={"path": ""})
    for view in ("", "/evidence", "/timeline", "/log", "/nothing"):
        yield http(f"a release{view}", "releases", "GET", "releases", route={"path": f"{release}{view}"})
    yield http("the environments", "environments", "GET", "environments")
    yield http("what came in", "events", "GET", "events", route={"project": "houses"})


def walking(release: str, token: str) -> Iterator[Call]:
    """Yield the pages between which a person walks, and the link that becomes a cookie."""
    here = {"accept": "text/html", "cookie": f"signalbox={token}"}
    for path in ("", "releases", f"releases/{release}", f"releases/{release}/log", "events", "nothing"):
        yield http(f"the page /{path}", "pages", "GET", f"pages/{path}", "", here, {}, {"path": path})
    yield http("the page of nobody", "pages", "GET", "pages", "", {"accept": "text/html"})
    yield http("a page that is asked", "approve", "GET", f"approvals/{release}", "", here, {}, {"release": release})


def deciding(release: str, token: str, evidence: str) -> Iterator[Call]:
    """Yield the page that asks, as a page and for programs, and what is answered to it."""
    where, route = f"approvals/{release}", {"release": release}
    for kind in ("text/html", "application/json"):
        accept = {"accept": kind}
        yield http(f"what is asked, as {kind}", "approve", "GET", where, "", accept, {"token": token}, route)
    yield http("what is asked, without a token", "approve", "GET", where, "", {"accept": "text/html"}, {}, route)
    form = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
    rejected = urlencode({"token": token, "decision": "reject", "reason": "not now", "evidence": evidence})
    for name in ("a decision", "the same decision again"):
        yield http(name, "approve", "POST", where, rejected, form, {}, route)


def http(
    name: str,
    function: str,
    method: str,
    path: str,
    body: str = "",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    route: Mapping[str, str] | None = None,
) -> Call:
    """Return a call of an HTTP function, with the length that every real sender tells."""
    value: dict[str, Any] = {
        "method": method,
        "url": f"https://signalbox.example.org/api/{path}",
        "headers": {"content-length": str(len(body.encode())), **(headers or {})},
        "query": dict(query or {}),
        "params": dict(route or {}),
        "body": body,
    }
    return given(f"HTTP: {name}", function, "req", "http", value)


def step(name: str, function: str, message: str) -> Call:
    """Return a call of a function that a queue message starts."""
    datums = {key: {"type": "int" if isinstance(one, int) else "string", "value": one} for key, one in METADATA.items()}
    return given(name, function, "message", "string", message, datums)
