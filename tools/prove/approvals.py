"""The approval link: opening it decides nothing, nobody else's token does, and one decision stands."""

import time
from typing import Any

import httpx

from shared.release import tokens
from tools.demo import answer
from tools.prove import stores
from tools.prove.ground import Ground, asks

LOOKS = 100


def prove(ground: Ground, release: str) -> None:
    """Look a hundred times, forge, decide, repeat and contradict, on one release that waits for its approver."""
    view = ground.until(release, "people to be asked", asks)
    ground.at_rest(release)
    asked = answer.mailed(ground.state, release)
    with httpx.Client(timeout=60, trust_env=False) as client:
        _looked_at(ground, client, asked.url, asked.token)
        _forged(ground, client, release, asked.token, asked.url)
        _decided(ground, client, asked.url, asked.token, str(view["digests"]["evidence"]))
    ground.ended(release, "live")
    with httpx.Client(timeout=60, trust_env=False) as client:
        late = _post(client, asked.url, asked.token, {"decision": "reject", "reason": "too late"})
        ground.telling.claim("a rejection after it went live", late.status_code == 409, _said(late))


def _looked_at(ground: Ground, client: httpx.Client, url: str, token: str) -> None:
    before, began = stores.length(ground.state), time.monotonic()
    kinds = ("text/html", "application/json")
    asks = [client.get(url, params={"token": token}, headers={"Accept": kinds[n % 2]}) for n in range(LOOKS)]
    # A browser is sent on to the same address without the secret, and brings the cookie that it was given.
    answers = [client.get(url, headers={"Accept": "text/html"}) if each.is_redirect else each for each in asks]
    seconds = time.monotonic() - began
    grown = stores.length(ground.state) - before
    fine = all(answer.status_code == 200 for answer in answers)
    what = f"{LOOKS} times 200 in {seconds:.1f} s, the ledger grew by {grown} bytes"
    ground.telling.claim("opening the link decides nothing", fine and grown == 0, what)


def _forged(ground: Ground, client: httpx.Client, release: str, token: str, url: str) -> None:
    grant = tokens.Grant(release, "ana@example.org", "sha256:" + "0" * 64, int(time.time()) + 3600)
    others = {
        "no token": "",
        "a token with one character changed": token[:-1] + ("A" if token[-1] != "A" else "B"),
        "a token signed with another key": tokens.sign(b"not the key of this stack", grant),
        "a token with another version": token.replace("sb1.", "sb0.", 1),
    }
    yes = {"decision": "approve", "reason": "let me in"}
    for name, forged in others.items():
        answer = _post(client, url, forged, yes)
        ground.telling.claim(name, answer.status_code == 401, _said(answer))
    elsewhere = url.replace(release, "0" * 20)
    answer = _post(client, elsewhere, token, yes)
    ground.telling.claim("the token on another release", answer.status_code == 403, _said(answer))
    answer = _post(client, url, token, yes, {"Origin": "https://elsewhere.example", "Sec-Fetch-Site": "cross-site"})
    ground.telling.claim("a page of another site", answer.status_code == 403, _said(answer))
    answer = _post(client, url, token, yes | {"evidence": "sha256:" + "0" * 64})
    ground.telling.claim("about other evidence", answer.status_code == 409, _said(answer))
    answer = _post(client, url, token, {"decision": "reject"})
    ground.telling.claim("a rejection without a reason", answer.status_code == 400, _said(answer))
    answer = _post(client, url, token, {"decision": "perhaps"})
    ground.telling.claim("neither yes nor no", answer.status_code == 400, _said(answer))
    ground.telling.claim("it still waits for its approver", asks(ground.view(release)), "")


def _decided(ground: Ground, client: httpx.Client, url: str, token: str, evidence: str) -> None:
    body = {"decision": "approve", "reason": "it is better", "evidence": evidence}
    first = _post(client, url, token, body)
    ground.telling.claim("the approver approves", first.status_code == 200, _said(first))
    again = _post(client, url, token, body)
    same = again.status_code == 200 and again.json() == first.json()
    ground.telling.claim("the same again gives the same answer", same, _said(again))
    other = _post(client, url, token, {"decision": "reject", "reason": "no, after all"})
    ground.telling.claim("the opposite is a conflict", other.status_code == 409, _said(other))


def _post(
    client: httpx.Client, url: str, token: str, body: dict[str, Any], headers: dict[str, str] | None = None
) -> httpx.Response:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return client.post(url, json=body, headers={**bearer, **(headers or {})})


def _said(answer: httpx.Response) -> str:
    told = answer.json()
    return f"{answer.status_code} {told.get('error') or told.get('message')}"
