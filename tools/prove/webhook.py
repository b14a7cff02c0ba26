"""What a git host sends, written by hand: any body, signed or not."""

import hashlib
import hmac
import json
import uuid
from pathlib import Path
from typing import Any

from tools.demo import place
from tools.demo.post_push import NONE, payload
from tools.local.stack import Stack
from tools.prove.ground import Ground


def bare(ground: Ground) -> Path:
    """Return the repository that people push to."""
    return ground.state / "git" / f"{ground.project}.git"


def pushed_quietly(ground: Ground, commit: str) -> dict[str, Any]:
    """Push without the repository's hook, and return the body that the git host would send."""
    hook = bare(ground) / "hooks" / "post-receive"
    away = hook.with_name("post-receive.away")
    hook.rename(away)
    place.push(ground.at.working)
    away.rename(hook)
    return push(ground, commit)


def push(ground: Ground, commit: str, ref: str = "refs/heads/main") -> dict[str, Any]:
    """Return the body of a push event about a commit, which need not exist."""
    person = {"name": "Dee", "email": "dee@example.org"}
    told = {"id": commit, "message": "Pushed by hand", "author": person}
    moved = {"after": commit, "deleted": False, "head_commit": told, "commits": [told], "pusher": person}
    return payload(bare(ground).resolve().as_uri(), NONE, NONE, ref) | moved


def signed(stack: Stack, document: dict[str, Any] | bytes, event: str = "push") -> tuple[bytes, dict[str, str]]:
    """Return body and headers as GitHub sends them with the project's own secret."""
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    key = stack.keys.secrets[place.SECRET].encode()
    return body, {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest(),
    }
