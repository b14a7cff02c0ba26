"""Requests that nobody honest sends: each gets its answer at once, below 500, and opens nothing."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tools.prove import webhook
from tools.prove.ground import Ground

SLOW = 5.0
"""Seconds within which an answer counts as being at once, on a busy machine too."""
ABSENT = "0" * 40


@dataclass(frozen=True)
class Bad:
    """One request, what it must be answered with, and a word the answer must have."""

    name: str
    status: int
    path: str
    content: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    says: str = ""
    method: str = "POST"


def prove(ground: Ground) -> None:
    """Send all of them and claim the answers; at the end nothing was opened and the app is whole."""
    known = len(ground.releases())
    with httpx.Client(base_url=ground.running.host_url, timeout=60, trust_env=False) as client:
        for bad in (*_pushes(ground), *_signed(ground), *_others(ground)):
            began = time.monotonic()
            answer = client.request(bad.method, bad.path, content=bad.content, headers=bad.headers)
            seconds = time.monotonic() - began
            shown = " ".join(answer.text.split())[:230] or "no body"
            holds = answer.status_code == bad.status and bad.says in answer.text and seconds < SLOW
            wanted = "" if holds else f", wanted {bad.status} {bad.says!r}"
            said = f"{answer.status_code} in {seconds * 1000:.0f} ms{wanted}: {shown}"
            ground.telling.claim(bad.name, holds, said)
        health = client.get("/api/health").json()
    ground.telling.equal("releases opened by all that", len(ground.releases()) - known, 0)
    ground.telling.equal("the app is", health["status"], "ok")


def _pushes(ground: Ground) -> Iterator[Bad]:
    """Yield pushes that prove no sender, or that are no body at all."""
    body, headers = webhook.signed(ground.running, webhook.push(ground, "a" * 40))
    unsigned = {name: value for name, value in headers.items() if name != "X-Hub-Signature-256"}
    at = "/api/push"
    yield Bad("an unsigned push", 401, at, body, unsigned, "no header X-Hub-Signature-256")
    wrong = headers | {"X-Hub-Signature-256": "sha256=" + "0" * 64}
    yield Bad("a wrong signature", 401, at, body, wrong, "fits no project's secret")
    yield Bad("a signature of another body", 401, at, body + b" ", headers, "fits no project's secret")
    yield Bad("no known git host", 401, at, b"{}", {}, "proves no sender")
    devops = {"Authorization": "Basic OnBhc3N3b3Jk"}
    yield Bad("a wrong Azure DevOps password", 401, at, b"{}", devops, "fits no project's secret")
    chunked = (part for part in (body[:100], body[100:]))
    yield Bad("a chunked body", 411, at, chunked, headers, "not chunked")
    large, signs = webhook.signed(ground.running, b'{"a": "' + b"x" * 6 * 1024 * 1024 + b'"}')
    yield Bad("6 MB, signed", 413, at, large, signs, "Send less")
    yield Bad("an empty body", 401, at, b"", unsigned, "proves no sender")


def _signed(ground: Ground) -> Iterator[Bad]:
    """Yield pushes that are signed, and of no use."""

    def signed(name: str, status: int, document: Any, says: str, event: str = "push") -> Bad:
        body, headers = webhook.signed(ground.running, document, event)
        return Bad(name, status, "/api/push", body, headers, says)

    deep = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield signed("100,000 levels deep, signed", 400, deep, "nested")
    yield signed("no JSON, signed", 400, b"{", "no JSON")
    yield signed("a list, signed", 400, b"[]", "send an object")
    yield signed("a push without a ref", 400, {"repository": {}}, "ref")
    commit = "a" * 40
    yield signed("a tag", 202, webhook.push(ground, commit, "refs/tags/v1"), "tag")
    gone = {"after": ABSENT, "deleted": True, "head_commit": None}
    yield signed("a tag that was deleted", 202, webhook.push(ground, commit, "refs/tags/v1") | gone, "recorded")
    yield signed("the branch was deleted", 202, webhook.push(ground, commit) | gone, "deleted")
    yield signed("another branch", 202, webhook.push(ground, commit, "refs/heads/try"), "is not the branch main")
    elsewhere = {"repository": {"clone_url": "https://example.org/somebody/else.git"}}
    yield signed("an unknown repository", 202, webhook.push(ground, commit) | elsewhere, "no project")
    yield signed("a ping", 202, {"zen": "Small steps.", **elsewhere}, "ping", "ping")


def _others(ground: Ground) -> Iterator[Bad]:
    """Yield what comes to the other doors of the app."""
    system, key = {"x-functions-key": ground.running.keys.system}, {"x-functions-key": ground.running.keys.function}
    notice = {"aeg-event-type": "Notification"}
    events = "/runtime/webhooks/EventGrid?functionName=on_run_ended"
    yield Bad("an event without the key", 401, events, b"[{}]", notice)
    yield Bad("an event that is no JSON", 400, events, b"{", notice | system)
    stray = b'[{"id":"1","subject":"experiments/x/runs/y","eventType":"Microsoft.MachineLearningServices.RunCompleted",'
    stray += b'"data":{"runId":"no-run-of-ours"},"eventTime":"2026-01-01T00:00:00Z","dataVersion":"1"}]'
    yield Bad("an event about nobody's run", 202, events, stray, notice | system)
    yield Bad("the releases without a key", 401, "/api/releases", method="GET")
    opening = b'{"project": "nothing", "reason": "r", "by": "dee"}'
    once = key | {"Idempotency-Key": "k1"}
    yield Bad("a release of an unknown project", 404, "/api/releases", opening, once, "no project nothing")
    empty = b'{"project": "diabetes", "reason": "r", "by": "dee"}'
    yield Bad("a release before any commit passed", 409, "/api/releases", empty, once, "push one first")
    lost = "/api/releases/00000000000000000000"
    yield Bad("an unknown release", 404, lost, headers=key, says="no release", method="GET")
