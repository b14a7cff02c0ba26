"""The keys of one state folder: who may call what."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.local.files import held, read_json, write_json

_NAMES = ("master", "function", "system", "topic", "approvals")


@dataclass(frozen=True)
class Keys:
    """The keys in `keys.json`; `secrets` are the projects' own, by name."""

    master: str
    function: str
    system: str
    topic: str
    approvals: str
    secrets: Mapping[str, str]

    def opens(self, level: str, offered: str) -> bool:
        """Whether the key `offered` is good for `level` (anonymous, function, system, admin)."""
        if level == "anonymous":
            return True
        good = {"function": [self.master, self.function], "system": [self.master, self.system]}
        return any(same(offered, key) for key in good.get(level, [self.master]))


def same(offered: str, key: str) -> bool:
    """Whether two keys are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(offered.encode("utf-8", "replace"), key.encode())


def read_keys(state: Path) -> Keys:
    """The keys of `state`; SystemExit with what to do if there are none."""
    raw = read_json(state / "keys.json")
    if raw is None:
        raise SystemExit(f"No keys.json in {state}. Start the stack once: python -m tools.local up --state {state}")
    return _keys(raw)


def make_keys(state: Path) -> Keys:
    """The keys of `state`, generated where they are missing."""
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json") or {}
        made = {name: secrets.token_urlsafe(32) for name in _NAMES if not raw.get(name)}
        if made or "secrets" not in raw:
            raw = {"secrets": {}, **raw, **made}
            write_json(state / "keys.json", raw)
    return _keys(raw)


def make_secret(state: Path, name: str) -> str:
    """The secret `name` of `state`, generated if it is missing."""
    make_keys(state)
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json")
        if not raw["secrets"].get(name):
            raw["secrets"][name] = secrets.token_urlsafe(32)
            write_json(state / "keys.json", raw)
    return str(raw["secrets"][name])


def keep_secret(state: Path, name: str, value: str) -> None:
    """Keep a secret that somebody else made, such as a git host's token, in place of the one before."""
    make_keys(state)
    with held(state / "keys.lock", wait=True):
        raw = read_json(state / "keys.json")
        raw["secrets"][name] = value
        write_json(state / "keys.json", raw)


def _keys(raw: Mapping[str, Any]) -> Keys:
    return Keys(**{name: raw[name] for name in _NAMES}, secrets=dict(raw.get("secrets", {})))
