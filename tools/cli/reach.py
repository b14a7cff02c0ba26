"""Where a stack keeps its state, and how it is asked."""

import json
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from shared.release.tokens import Pass, sign_pass

OURS = ".venv/bin/signalbox"


class Unreachable(Exception):
    """No stack answers; the message says how to start it. Exit code 3."""


class Refused(Exception):
    """The stack answered no; the message is its own. Exit code 1."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


def command() -> str:
    """Return how `signalbox` is called from here, so that what is printed can be pasted."""
    if shutil.which("signalbox"):
        return "signalbox"
    house = Path(__file__).resolve().parents[2]
    return OURS if Path.cwd() == house else str(house / OURS)


def find_state(given: Path | None) -> Path:
    """Return the state folder: the given one, SIGNALBOX_STATE, or the one here whose stack is up."""
    if given is not None:
        return given
    if named := os.environ.get("SIGNALBOX_STATE"):
        return Path(named)
    here = [Path(".signalbox"), Path(".demo")]
    return next((at for at in here if (at / "run.json").exists()), next((at for at in here if at.exists()), here[0]))


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, an empty one when the file is absent or no JSON object."""
    try:
        read = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


@dataclass(frozen=True)
class Reach:
    """A stack that is up, as its state folder tells it."""

    state: Path
    host_url: str
    grid_url: str
    key: str

    def get(self, path: str, **query: str) -> Any:
        """GET below /api and return the JSON answered."""
        return self._ask("GET", path, params=query).json()

    def text(self, path: str, **query: str) -> str:
        """GET below /api and return the text answered, byte for byte as UTF-8."""
        return self._ask("GET", path, params=query).content.decode()

    def post(self, path: str, body: dict[str, Any], **headers: str) -> Any:
        """POST a JSON object below /api and return the JSON answered."""
        return self._ask("POST", path, json=body, headers=headers).json()

    def proof(self, person: str) -> dict[str, str]:
        """Return the header that proves a person: whoever has the keys of the state folder may be anybody."""
        if not read_json(self.state / "keys.json").get("approvals"):
            return {}
        return {"Authorization": f"Bearer {pass_of(self.state, person, 0.1)}"}

    def put(self, container: str, name: str, file: Path) -> Any:
        """Upload a file as a blob and return {"name", "size", "etag"}."""
        url = f"{self.grid_url}/data/{quote(container)}/{quote(name)}"
        with file.open("rb") as content:
            size = {"Content-Length": str(file.stat().st_size)}
            return self._send("PUT", url, content=content, headers=size, timeout=600).json()

    def _ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        return self._send(method, f"{self.host_url}/api/{path}", **rest)

    def _send(self, method: str, url: str, **rest: Any) -> httpx.Response:
        rest["headers"] = {"x-functions-key": self.key, **rest.get("headers", {})}
        try:
            # The stack is on this machine: a proxy named in the environment has no part in it.
            with httpx.Client(timeout=rest.pop("timeout", 30), trust_env=False) as client:
                answer = client.request(method, url, **rest)
        except httpx.TransportError as error:
            raise Unreachable(f"Nothing answers at {url} ({error}). {how_to_start(self.state)}") from error
        if answer.is_error:
            raise Refused(said(answer), answer.status_code)
        return answer


def pass_of(state: Path, person: str, hours: float) -> str:
    """Return a pass for a person, made with the key of a state folder; `Refused` when there is none."""
    return sign_pass(signing_key(state), Pass(person, int(time.time() + hours * 3600)))


def signing_key(state: Path) -> bytes:
    """Return the key of a state folder that signs who somebody is; `Refused` when there is none."""
    key = str(read_json(state / "keys.json").get("approvals", ""))
    if not key:
        raise Refused(f"{state / 'keys.json'} holds no key that signs passes. {how_to_start(state)}")
    return key.encode()


def said(answer: httpx.Response) -> str:
    """Return the sentence of an error answer, or its status when it has none."""
    try:
        return str(answer.json()["error"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.request.method} {answer.url.path} was answered with {answer.status_code} and no reason."


def how_to_start(state: Path) -> str:
    """Say how to start the stack of a state folder."""
    return f"Start it: {command()} up --state {state}    What is wrong: {command()} doctor --state {state}"


def reach(state: Path) -> Reach:
    """Return the stack of a state folder; `Unreachable` when it is not up."""
    run, keys = read_json(state / "run.json"), read_json(state / "keys.json")
    if not run:
        raise Unreachable(f"No stack is up with the state folder {state}. {how_to_start(state)}")
    if not keys.get("function"):
        raise Unreachable(f"{state / 'keys.json'} cannot be read or has no function key. {how_to_start(state)}")
    return Reach(state, run["host_url"], run["grid_url"], keys["function"])


def release_path(release: str, rest: str = "") -> str:
    """Return the path of a release: an id, an alias, project#number or project@vN."""
    return f"releases/{quote(release, safe='@')}{rest}"
