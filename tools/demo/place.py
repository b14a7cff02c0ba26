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
EXAMPLES = HOUSE / "examples"
APPROVER = "ana@example.org"
SECRET = "WEBHOOK"
# Environments and unpacked dependencies are named by their content, so an earlier run's are as good as new ones.
KEPT = ("envs", "layers", "azure-envs")


@dataclass(frozen=True)
class Given:
    """A project for a demo: where it is, its data unless it makes them itself, and the operator's rules for it."""

    source: Path
    data: Path | None = None
    making: tuple[str, ...] = ()
    rules: str = 'holdout = { by = "hash", fraction = 0.2 }'


PATIENTS = Given(EXAMPLES / "diabetes")


def months(full: bool) -> Given:
    """Return the project whose data come month by month; a tenth of the flights unless all are wanted."""
    making = () if full else ("--sample", "0.1")
    # A month more of the same makes a model a little better each time: that alone is not worth a release.
    rules = 'holdout = { by = "newest" }\npolicy = { min_gain = 0.01 }'
    return Given(EXAMPLES / "flight-delays", making=making, rules=rules)


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


def prepare(state: Path, *given: Given) -> list[Place]:
    """Make the place of each project anew and return them; `Trouble` when something given is no use."""
    for one in given:
        if not (one.source / "signalbox.toml").is_file():
            raise Trouble(f"{one.source} has no signalbox.toml: README.md shows one in ten lines.")
        if not one.data and not (one.source / "make_data.py").is_file():
            raise Trouble("Say where the project's data is: make demo PROJECT=dir DATA=dir")
    clear(state)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    places = [_prepared(state, one) for one in given]
    entries = [entry(place, one) for place, one in zip(places, given, strict=True)]
    places[0].projects_file.write_text(f"{HEADING}\n" + "\n".join(entries))
    return places


def _prepared(state: Path, given: Given) -> Place:
    name = slug(given.source.resolve().name)
    upload = given.data or made_data(given, state / "upload" / name)
    working = state / "checkout" / name
    check_out(given.source, working, repository(state, name))
    place = Place(state, name, working, upload, own_settings(working))
    if not place.files:
        raise Trouble(f"{upload} has no files: put the project's data there.")
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


def made_data(given: Given, upload: Path) -> Path:
    """Let an example make its data, and return the folder."""
    upload.mkdir(parents=True)
    making = [sys.executable, str(given.source / "make_data.py"), str(upload), *given.making]
    subprocess.run(making, check=True, capture_output=True)
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


HEADING = "# What decides about production stands here, never in the repository that asks for promotion."


def entry(place: Place, given: Given) -> str:
    """Return what the operator writes about a project; nothing here can be changed by a push.

    Whoever watches a demo waits for no quiet time and no cool-down.
    """
    url = (place.state / "git" / f"{place.project}.git").resolve().as_uri()
    return f"""[projects.{place.project}]
repository = "{url}"
branch = "main"
secrets = ["{SECRET}"]
approvers = ["{APPROVER}"]
data = {{ container = "{place.project}", quiet_seconds = 0 }}
{given.rules}
governor = {{ cooldown_minutes = 0, per_hour = 60, per_day = 240 }}
"""
