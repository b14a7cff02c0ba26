"""The keys of one state folder: who may call what. STATE/keys.json is read when the host starts.

- `master` opens everything: functions of every level, /admin, and the Event Grid webhook.
- `function` is the host key: it opens every function of the level `function`, and the blobs of the local endpoint.
- `functions` holds keys for one function each, by the function's name and the key's own:
  `{"environments": {"ci": "..."}}`; such a key opens that function at the level `function` and nothing else.
- `system` opens the Event Grid webhook, which Event Grid itself calls, and no function.
- `audit` signs every fact of the ledger (Ed25519).
- `topic` publishes to the topic; `approvals` signs approval links; `secrets` are the projects' own, by name.
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tools.local.files import held, read_json, write_json

_NAMES = ("master", "function", "system", "topic", "approvals", "audit")


@dataclass(frozen=True)
class Keys:
    """The keys in `keys.json`; `functions` are those for one function, by the function's name in lower case."""

    master: str
    function: str
    system: str
    topic: str
    approvals: str
    audit: str
    secrets: Mapping[str, str]
    functions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def opens(self, level: str, offered: str, function: str = "") -> bool:
        """Whether the key `offered` is good for `level` (anonymous, function, system, admin), and for `function`."""
        if level == "anonymous":
            return True
        own = self.functions.get(function.lower(), ())
        good = {"function": [self.master, self.function, *own], "system": [self.master, self.system]}
        return bool(offered) and any(same(offered, key) for key in good.get(level, [self.master]))


def same(offered: str, key: str) -> bool:
    """Whether two keys are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(offered.encode("utf-8", "replace"), key.encode())


def read_keys(state: Path) -> Keys:
    """The keys of `state`; SystemExit with what to do if there are none."""
    raw = read_json(state / "keys.json")
    if raw is None:
        raise SystemExit(f"No keys.json in {state}. Start the stack once: python -m tools.local up --state {state}")
    return _keys(raw)


def make_keys(state: Path, audit: str = "") -> Keys:
    """The keys of `state`, generated where they are missing; a ledger that was signed before comes with its own."""
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json") or {}
        made = {name: secrets.token_urlsafe(32) for name in _NAMES if not raw.get(name)}
        made |= {"audit": audit} if audit and "audit" in made else {}
        if made or "secrets" not in raw:
            raw = {"secrets": {}, **raw, **made}
            write_json(state / "keys.json", raw)
    return _keys(raw)


def make_secret(state: Path, name: str) -> str:
    """The secret `name` of `state`, generated if it is missing."""
    return _made(state, ("secrets", name))


def make_function_key(state: Path, function: str, name: str) -> str:
    """The key `name` of one function, generated if it is missing; a host that runs knows it once it starts again."""
    return _made(state, ("functions", function, name))


def _made(state: Path, place: Sequence[str]) -> str:
    make_keys(state)
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json")
        shelf = raw
        for step in place[:-1]:
            shelf = shelf.setdefault(step, {})
        if not shelf.get(place[-1]):
            shelf[place[-1]] = secrets.token_urlsafe(32)
            write_json(state / "keys.json", raw)
    return str(shelf[place[-1]])


def keep_secret(state: Path, name: str, value: str) -> None:
    """Keep a secret that somebody else made, such as a git host's token, in place of the one before."""
    make_keys(state)
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json")
        raw["secrets"][name] = value
        write_json(state / "keys.json", raw)


def _keys(raw: Mapping[str, Any]) -> Keys:
    functions = {name.lower(): tuple(keys.values()) for name, keys in raw.get("functions", {}).items()}
    return Keys(
        **{name: raw.get(name, "") for name in _NAMES}, secrets=dict(raw.get("secrets", {})), functions=functions
    )
