"""The place a demo happens in: a state folder, a bare repository that tells the app of pushes, a working copy, data."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.cli.reach import read_json
from tools.local.keys import make_secret
from tools.local.processes import is_alive

HOUSE = Path(__file__).resolve().parents[2]
EXAMPLE = HOUSE / "examples" / "diabetes"
APPROVER = "ana@example.org"
SECRET = "WEBHOOK"
# Environments and unpacked dependencies are named by their content, so an earlier run's are as good as new ones.
KEPT = ("envs", "layers")


class Trouble(Exception):
    """The demo cannot go on; the message says why and what to do."""


@dataclass(frozen=True)
class Place:
    """Everything a demo has prepared; `settings` is the project's own signalbox.toml."""

    state: Path
    project: str
    working: Path
    upload: Path
    settings: dict[str, Any]

    @property
    def projects_file(self) -> Path:
        """The operator's projects.toml."""
        return self.state / "projects.toml"

    @property
    def files(self) -> list[Path]:
        """The data to upload, in order of name; what is hidden stays here."""
        found = (file for file in self.upload.rglob("*") if file.is_file())
        return sorted(file for file in found if not f"/{file.relative_to(self.upload).as_posix()}".count("/."))


def git(*arguments: str, at: Path) -> str:
    """Run git in a folder, apart from any repository around it, and return what it printed on both streams."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment["GIT_TERMINAL_PROMPT"] = "0"
    ran = subprocess.run(
        ["git", "-c", "commit.gpgsign=false", "-c", "core.autocrlf=false", *arguments],
        cwd=at,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise Trouble(f"git {arguments[0]} in {at} failed: {ran.stderr.strip()}")
    return f"{ran.stdout}{ran.stderr}".strip()


def prepare(state: Path, project: Path | None, data: Path | None) -> Place:
    """Make the place anew and return it; `Trouble` when something given is no use."""
    source = project or EXAMPLE
    if not (source / "signalbox.toml").is_file():
        raise Trouble(f"{source} has no signalbox.toml: README.md shows one in ten lines.")
    if project and not data:
        raise Trouble("Say where the project's data is: make demo PROJECT=dir DATA=dir")
    name = slug(source.resolve().name)
    clear(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    upload = data or made_data(state)
    working = state / "checkout" / name
    check_out(source, working, repository(state, name))
    place = Place(state, name, working, upload, own_settings(working))
    if not place.files:
        raise Trouble(f"{upload} has no files: put the project's data there.")
    place.projects_file.write_text(projects_toml(state, name))
    return place


def own_settings(working: Path) -> dict[str, Any]:
    """Return the project's signalbox.toml; what is wrong with it is for the release to say."""
    try:
        return tomllib.loads((working / "signalbox.toml").read_bytes().decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return {}


def slug(name: str) -> str:
    """Return a folder's name as a project's name: lower-case letters, digits and hyphens, a letter first.

    Its container has the same name, which needs three characters and ends in none of the hyphens.
    """
    made = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    made = made if made[:1].isalpha() else f"p-{made}".rstrip("-")
    return made[:63].rstrip("-") if len(made) > 2 else f"{made}-project"


def clear(state: Path) -> None:
    """Empty a demo's state folder except what is named by its content; never a folder that is not a demo's."""
    if not state.exists():
        return
    run = read_json(state / "run.json")
    if run and is_alive(run["pids"].get("supervisor") or 0):
        raise Trouble(
            f"A stack is up on {state}: end it (Ctrl-C where it runs), or name another folder with STATE=dir."
        )
    ours = (state / "keys.json").exists() or {child.name for child in state.iterdir()} <= {*KEPT, "upload"}
    if not ours:
        raise Trouble(f"{state} holds something that is no demo's state: name another folder with STATE=dir.")
    if (state / "services").exists():
        # Services outlive a stack that was killed; without their folder nobody would find them again.
        stop = ["-m", "shared.backends.local.services", "stop", "--state", str(state.resolve())]
        subprocess.run([sys.executable, *stop], cwd=HOUSE, check=False, capture_output=True)
    # A job that outlived its stack may still write: what is moved away cannot come back while it is removed.
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=state))
    for child in [child for child in state.iterdir() if child.name not in {*KEPT, old.name}]:
        child.rename(old / child.name)
    shutil.rmtree(old, ignore_errors=True)


def made_data(state: Path) -> Path:
    """Let the example make its data, and return the folder."""
    upload = state / "upload"
    upload.mkdir(exist_ok=True)
    subprocess.run([sys.executable, str(EXAMPLE / "make_data.py"), str(upload)], check=True, capture_output=True)
    return upload


def repository(state: Path, name: str) -> Path:
    """Make a bare repository whose post-receive hook tells the app of every push."""
    bare = state / "git" / f"{name}.git"
    bare.mkdir(parents=True)
    git("init", "--quiet", "--bare", ".", at=bare)
    git("symbolic-ref", "HEAD", "refs/heads/main", at=bare)
    # A hooksPath in the person's own git configuration would keep ours from running.
    git("config", "core.hooksPath", str(bare.resolve() / "hooks"), at=bare)
    hooks = bare / "hooks"
    shutil.copy(Path(__file__).with_name("post_push.py"), hooks / "post_push.py")
    settings = {"state": str(state.resolve()), "secret": SECRET, "repository": bare.resolve().as_uri()}
    (hooks / "post_push.json").write_text(json.dumps(settings))
    hook = hooks / "post-receive"
    hook.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} "$(dirname "$0")/post_push.py"\n')
    hook.chmod(0o755)
    make_secret(state, SECRET)
    return bare


def check_out(source: Path, working: Path, bare: Path) -> None:
    """Make a working copy: a clone of a repository's HEAD, or the files of a plain folder as a first commit."""
    working.parent.mkdir(parents=True, exist_ok=True)
    if (source / ".git").exists():
        git("clone", "--quiet", "--no-hardlinks", str(source.resolve()), str(working.resolve()), at=working.parent)
        git("remote", "rename", "origin", "source", at=working)
        git("checkout", "--quiet", "-B", "main", at=working)
    else:
        skipped = shutil.ignore_patterns(".git", "__pycache__", "*.pyc", ".venv", ".pytest_cache", "make_data.py")
        shutil.copytree(source, working, ignore=skipped)
        git("init", "--quiet", ".", at=working)
        git("symbolic-ref", "HEAD", "refs/heads/main", at=working)
        commit(working, first_message(working))
    git("remote", "add", "origin", str(bare.resolve()), at=working)


def first_message(working: Path) -> str:
    """Return what a person would have written about the first version."""
    script = working / "train.py"
    alpha = re.search(r"^ALPHA = (.+)$", script.read_text("utf-8", "replace"), re.M) if script.exists() else None
    return f"Ridge, alpha {alpha[1]}" if alpha else f"First version of {working.name}"


def commit(working: Path, message: str) -> str:
    """Commit everything as dee@example.org and return the commit."""
    git("add", "--all", at=working)
    dee = ("-c", "user.name=Dee", "-c", "user.email=dee@example.org")
    git(*dee, "commit", "--quiet", "--no-verify", "--message", message, at=working)
    return head(working)


def head(working: Path) -> str:
    """Return the commit a working copy is at."""
    return git("rev-parse", "HEAD", at=working)


def push(working: Path) -> str:
    """Push to the bare repository and return what its hook said."""
    told = git("push", "origin", "HEAD:refs/heads/main", at=working)
    return " ".join(line.removeprefix("remote:").strip() for line in told.splitlines() if line.startswith("remote:"))


def projects_toml(state: Path, name: str) -> str:
    """Return what the operator writes about the project; nothing here can be changed by a push."""
    url = (state / "git" / f"{name}.git").resolve().as_uri()
    return f"""# What decides about production stands here, never in the repository that asks for promotion.
[projects.{name}]
repository = "{url}"
branch = "main"
secrets = ["{SECRET}"]
approvers = ["{APPROVER}"]
data = {{ container = "{name}" }}
holdout = {{ by = "hash", fraction = 0.2 }}
"""
