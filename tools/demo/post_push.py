"""What a git host does after a push, in the shape GitHub sends: put into a repository's hooks by the demo.

Standard library only.
It reads where the stack is and the webhook's secret from the state folder named in `post_push.json` beside it.
"""

import hashlib
import hmac
import json
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

NONE = "0" * 40


def field(commit: str, format: str) -> str:
    """Return one thing git knows of a commit, in git's own `--format`."""
    command = ["git", "log", "-1", f"--format={format}", commit]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def described(commit: str) -> dict[str, object]:
    """Return a commit as a GitHub payload shows it."""
    person = {"name": field(commit, "%an"), "email": field(commit, "%ae")}
    told = {"id": commit, "message": field(commit, "%B"), "timestamp": field(commit, "%cI")}
    return {**told, "author": person, "committer": person}


def payload(url: str, before: str, after: str, ref: str) -> dict[str, object]:
    """Return the body of a push event."""
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git")
    repository = {"full_name": f"demo/{name}", "clone_url": url, "html_url": url, "git_url": url, "ssh_url": url}
    body: dict[str, object] = {"ref": ref, "before": before, "after": after, "repository": repository}
    body |= {"created": before == NONE, "deleted": after == NONE, "forced": False, "head_commit": None, "commits": []}
    if after != NONE:
        commit = described(after)
        body |= {"head_commit": commit, "commits": [commit], "pusher": commit["author"]}
    return body


def send(url: str, secret: str, body: bytes) -> str:
    """POST one signed push and return what became of it, in one line."""
    headers = {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }
    # The stack is on this machine: a proxy named in the environment has no part in it.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, body, headers), timeout=30) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        return f"webhook refused with {error.code}: {error.read().decode(errors='replace')}"
    except OSError as error:
        return f"webhook not delivered: {error}"
    releases = [f"release {one['alias']} #{one['number']}" for one in told.get("releases", [])]
    return "webhook -> " + ", ".join(releases + [str(said) for said in told.get("recorded", [])])


def main() -> None:
    """Tell the app of every ref that git names on standard input."""
    settings = json.loads(Path(__file__).with_suffix(".json").read_text())
    state = Path(settings["state"])
    if not (state / "run.json").exists():
        print(f"webhook not delivered: no stack is up on {state}; the patrol finds the push once it is")
        return
    host = json.loads((state / "run.json").read_text())["host_url"]
    secret = json.loads((state / "keys.json").read_text())["secrets"][settings["secret"]]
    for line in sys.stdin:
        before, after, ref = line.split()
        body = json.dumps(payload(settings["repository"], before, after, ref)).encode()
        print(send(f"{host}/api/push", secret, body), flush=True)


if __name__ == "__main__":
    main()
